#include "transport/light-bridge/matching.h"

#include <cblas.h>

#include <cmath>

namespace extrema::transport::bridge {

namespace {

constexpr size_t kGroupRows = 16, kMostGroups = 64;
// Times end before 1, where the variance of (x1 - x_t) / (1 - t) has no bound.
constexpr double kLastTime = 0.99;

size_t even(size_t n) { return (n + 1) / 2 * 2; }

}  // namespace

Matching::Matching(const Shape& shape, double floor, const Stream& draws, const Stream& evaluationDraws)
    : shape_(shape), coordinates_(shape, floor), draws_(draws), evaluationDraws_(evaluationDraws) {}

double Matching::evaluate(Team& team, const double* theta, Points source, Points target, uint64_t draw,
                          double* gradient) {
  const Mixture& mixture = coordinates_.expand(theta);
  const size_t D = shape_.dimension, size = shape_.size(), rows = std::min(source.rows, target.rows);
  const size_t groups = std::min(std::max<size_t>(1, rows / kGroupRows), kMostGroups);
  const double memory = static_cast<double>(size_t{1} << 23) / static_cast<double>(size);
  const auto chunks = static_cast<uint32_t>(std::max(1.0, std::min({double(groups), memory, 16.0})));
  if (partials_.size() < chunks) partials_.resize(chunks);
  if (workers_.size() < team.size()) workers_.resize(team.size());

  // The numbers of a draw: a time per group, then an even count of normals per row.
  const Stream& stream = draw == 0 ? evaluationDraws_ : draws_;
  const size_t perRow = even(D), first = draw == 0 ? 0 : (draw - 1) * (even(groups) + rows * perRow);
  double uniform[kMostGroups];
  stream.uniform(first, uniform, groups);
  const double factor = 1 / (shape_.epsilon * static_cast<double>(rows));

  team.run(chunks, [&](uint32_t c, unsigned w) {
    Worker& worker = workers_[w];
    Partial& partial = partials_[c];
    if (worker.group == nullptr) {
      worker.group = shape_.full ? fullGroup(shape_) : diagonalGroup(shape_);
      worker.scratch = Aligned<double>(worker.group->scratchSize());
      worker.x = Aligned<double>(kBlock * D);
      worker.y = Aligned<double>(kBlock * D);
      worker.normal = Aligned<double>(kBlock * perRow);
    }
    if (partial.gradient.empty()) partial.gradient = Aligned<double>(size);
    partial.gradient.clear();
    partial.value = 0;
    for (size_t g = groups * c / chunks; g < groups * (c + 1) / chunks; g++) {
      const double t = kLastTime * (static_cast<double>(g) + uniform[g]) / static_cast<double>(groups);
      const double noise = std::sqrt(shape_.epsilon * t * (1 - t));
      worker.group->prepare(mixture, t);
      const size_t end = rows * (g + 1) / groups;
      for (size_t i = rows * g / groups; i < end && !team.monitor().cancelled(); i += kBlock) {
        const size_t count = std::min(kBlock, end - i);
        stream.normal(first + even(groups) + i * perRow, worker.normal.data(), count * perRow);
        for (size_t b = 0; b < count; b++) {
          const double *x0 = source.data + (i + b) * D, *x1 = target.data + (i + b) * D;
          for (size_t l = 0; l < D; l++) {
            const double x = (1 - t) * x0[l] + t * x1[l] + noise * worker.normal[b * perRow + l];
            worker.x[b * D + l] = x;
            worker.y[b * D + l] = (x1[l] - x) / (1 - t);
          }
        }
        partial.value +=
            worker.group->add(worker.x.data(), worker.y.data(), count, factor, worker.scratch.data());
      }
      worker.group->finish(partial.gradient.data());
    }
  });
  if (team.monitor().cancelled()) return 0;

  double value = 0;
  std::fill_n(gradient, size, 0.0);
  for (uint32_t c = 0; c < chunks; c++) {
    value += partials_[c].value;
    for (size_t i = 0; i < size; i++) gradient[i] += partials_[c].gradient[i];
  }
  if (shape_.full) {
    // By L: twice the lower triangle of the product with L.
    double* byScale = gradient + shape_.components * (1 + D);
    forComponents(team, shape_, [&](Components range) {
      for (size_t k = range.begin; k < range.end; k++) {
        double* matrix = byScale + k * D * D;
        cblas_dtrmm(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, static_cast<int>(D),
                    static_cast<int>(D), 2, mixture.scales + k * D * D, static_cast<int>(D), matrix,
                    static_cast<int>(D));
        for (size_t i = 0; i < D; i++) std::fill(matrix + i * D + i + 1, matrix + (i + 1) * D, 0.0);
      }
    });
  }
  coordinates_.pull(gradient);
  return value * factor / 2;
}

}  // namespace extrema::transport::bridge
