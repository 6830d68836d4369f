#include "transport/penalty-sweep.h"

#include <cmath>

#include "transport/column-rescue.h"

namespace extrema::transport {

namespace {

constexpr double kLeast = 1e-280, kMost = 1e280;

}  // namespace

PenaltySweep::PenaltySweep(size_t n, size_t m)
    : shift_(n), scale_(n), rowSum_(n), columnSum_(m), columnMin_(m) {}

int PenaltySweep::run(Team& team, const Geometry<double>& geometry, Workspace<double>& workspace,
                      const Penalty& a, const Penalty& b, double epsilon, double* f, double* g) {
  const size_t n = geometry.n, m = geometry.m;
  PlanPass pass;
  pass.epsilon = epsilon;
  pass.f = f;
  pass.g = g;
  pass.scaling = Scaling::relaxed;
  pass.penalty = &a;
  pass.scale = scale_.data();
  pass.shift = shift_.data();
  pass.rowSum = rowSum_.data();
  pass.columnSum = columnSum_.data();
  planPass(team, geometry, workspace, pass);
  if (team.monitor().cancelled()) return 1;
  for (size_t i = 0; i < n; i++) {
    if (a.leftOut(i)) {
      rowSum_[i] = 0;
      f[i] = a.nothing(i);
      continue;
    }
    const double total = rowSum_[i];
    // After a rescue the sum is no longer that of the state before.
    rowSum_[i] = shift_[i] != 0 ? 0 : a.missed(i, f[i], total);
    f[i] = a.clamped(i, f[i] + shift_[i] + epsilon * std::log(scale_[i]));
  }
  error = sum(rowSum_.data(), n);
  const int rescue = rescueColumns(
      team, geometry, workspace, epsilon, f, g, columnSum_.data(), columnMin_.data(),
      [&](size_t j) { return !(columnSum_[j] > kLeast && columnSum_[j] < kMost) && !b.leftOut(j); });
  if (team.monitor().cancelled()) return 1 + rescue;
  for (size_t j = 0; j < m; j++) {
    g[j] = b.leftOut(j) ? b.nothing(j) : b.update(j, g[j] - epsilon * std::log(columnSum_[j]));
  }
  translate(a, b, epsilon, f, g);
  return 1 + rescue;
}

void translate(const Penalty& a, const Penalty& b, double epsilon, double* f, double* g) {
  const double t = bestTranslation(a, f, b, g, epsilon);
  if (t == 0) return;
  for (size_t i = 0; i < a.size(); i++) {
    if (!a.leftOut(i)) f[i] = a.clamped(i, f[i] + t);
  }
  for (size_t j = 0; j < b.size(); j++) {
    if (!b.leftOut(j)) g[j] = b.clamped(j, g[j] - t);
  }
}

}  // namespace extrema::transport
