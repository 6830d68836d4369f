#include "transport/relaxed-sweep.h"

#include <algorithm>
#include <cmath>

#include "transport/column-rescue.h"

namespace extrema::transport {

namespace {

constexpr double kLeast = 1e-280, kMost = 1e280;
// Of the largest demand: columns that have less and are asked for less can wait for a thorough sweep.
constexpr double kNegligible = 1e-100;

}  // namespace

RelaxedSweep::RelaxedSweep(size_t n, size_t m)
    : shift_(n), scale_(n), rowSum_(n), demand_(std::max(n, m)), columnSum_(m), columnMin_(m) {}

int RelaxedSweep::run(Team& team, const Geometry<double>& geometry, Workspace<double>& workspace,
                      Marginals& marginals, double epsilon, double* f, double* g, bool thorough) {
  const size_t n = geometry.n, m = geometry.m;
  int passes = 1;
  PlanPass pass;
  pass.epsilon = epsilon;
  pass.f = f;
  pass.g = g;
  pass.scaling = Scaling::relaxed;
  pass.logWeight = marginals.a.logWeight();
  pass.damping = marginals.a.damping();
  pass.scale = scale_.data();
  pass.shift = shift_.data();
  pass.rowSum = rowSum_.data();
  pass.columnSum = columnSum_.data();
  planPass(team, geometry, workspace, pass);
  if (team.monitor().cancelled()) return passes;
  marginals.a.demand(f, demand_.data());
  for (size_t i = 0; i < n; i++) {
    rowSum_[i] = shift_[i] != 0 ? demand_[i] : std::fabs(rowSum_[i] - demand_[i]);
    if (!marginals.a.leftOut(i)) f[i] += shift_[i] + epsilon * std::log(scale_[i]);
  }
  error = sum(rowSum_.data(), n);
  marginals.b.demand(g, demand_.data());
  const double negligible = kNegligible * *std::max_element(demand_.begin(), demand_.begin() + m);
  const auto waits = [&](size_t j) {
    return marginals.b.leftOut(j) || (!thorough && columnSum_[j] <= kLeast && demand_[j] <= negligible);
  };
  const auto sound = [&](size_t j) { return columnSum_[j] > kLeast && columnSum_[j] < kMost; };
  passes += rescueColumns(team, geometry, workspace, epsilon, f, g, columnSum_.data(), columnMin_.data(),
                          [&](size_t j) { return !sound(j) && !waits(j); });
  if (team.monitor().cancelled()) return passes;
  const double moved = marginals.translateUpdated(true, f, g);
  for (size_t i = 0; i < n; i++) f[i] += moved;
  const double damping = marginals.b.damping();
  for (size_t j = 0; j < m; j++) {
    if (waits(j)) continue;
    // The sums are those before f moved.
    const double logSum = std::log(columnSum_[j]);
    g[j] = damping * (epsilon * (marginals.b.logWeight()[j] - logSum) + g[j] - moved);
  }
  const double back = marginals.translateUpdated(false, f, g);
  for (size_t j = 0; j < m; j++) g[j] += back;
  return passes;
}

}  // namespace extrema::transport
