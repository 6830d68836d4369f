#include <algorithm>
#include <cmath>
#include <limits>

#include "transport/passes.h"

namespace extrema::transport {

namespace {

// From this dimension on a blocked GEMM beats the coordinate loop.
constexpr size_t kGemmDimension = 12;
constexpr size_t kGemmBlockBytes = size_t{1}
                                   << 22;  // of fewer rows, packing the targets would be all it does
constexpr size_t kGemmBlockRows = 64;

double at(const double* p64, const float* p32, size_t i) { return p64 != nullptr ? p64[i] : p32[i]; }

// A bound of every cost: across the box around all points, or by way of their mean, whichever is less.
double boundingDiameter(const Problem& problem, const std::vector<double>& mean) {
  if (problem.metric == Metric::cosine) return 2;
  const bool absolute = problem.metric == Metric::cityblock;
  std::vector<double> least(problem.d, std::numeric_limits<double>::infinity());
  std::vector<double> most(problem.d, -std::numeric_limits<double>::infinity());
  const auto radius = [&](const double* p64, const float* p32, size_t count) {
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
      double total = 0;
      for (size_t k = 0; k < problem.d; k++) {
        const double value = at(p64, p32, i * problem.d + k), offset = value - mean[k];
        least[k] = std::min(least[k], value);
        most[k] = std::max(most[k], value);
        total += absolute ? std::fabs(offset) : offset * offset;
      }
      largest = std::max(largest, absolute ? total : std::sqrt(total));
    }
    return largest;
  };
  const double radii =
      radius(problem.x64, problem.x32, problem.coreN()) + radius(problem.y64, problem.y32, problem.coreM());
  double box = 0;
  for (size_t k = 0; k < problem.d; k++) {
    const double side = most[k] - least[k];
    box += absolute ? side : side * side;
  }
  if (problem.metric == Metric::sqeuclidean) return std::min(box, radii * radii);
  return std::min(absolute ? box : std::sqrt(box), radii);
}

}  // namespace

template <class T>
Geometry<T>::Geometry(const Problem& problem)
    : n(problem.n),
      m(problem.m),
      metric(problem.metric),
      cost64(problem.cost64),
      cost32(problem.cost32),
      coreN(problem.coreN()),
      coreM(problem.coreM()) {
  blocks = problem.borderRow || problem.borderColumn;
  pitch = padded<T>(m);
  if (metric == Metric::dense) return;
  d = problem.d;
  x = Aligned<T>(n * d);
  yT = Aligned<T>(d * pitch);
  std::vector<double> mean(d, 0.0);
  if (metric != Metric::cosine) {
    for (size_t i = 0; i < coreN * d; i++) mean[i % d] += at(problem.x64, problem.x32, i);
    for (size_t j = 0; j < coreM * d; j++) mean[j % d] += at(problem.y64, problem.y32, j);
    for (double& value : mean) value /= static_cast<double>(coreN + coreM);
  }
  const auto place = [&](const double* p64, const float* p32, size_t count, T* out, size_t pointStep,
                         size_t coordStep) {
    for (size_t i = 0; i < count; i++) {
      double length = 1;
      if (metric == Metric::cosine) {
        double squares = 0;
        for (size_t k = 0; k < d; k++) squares += at(p64, p32, i * d + k) * at(p64, p32, i * d + k);
        length = std::sqrt(squares);
      }
      for (size_t k = 0; k < d; k++) {
        out[i * pointStep + k * coordStep] = static_cast<T>((at(p64, p32, i * d + k) - mean[k]) / length);
      }
    }
  };
  place(problem.x64, problem.x32, coreN, x.data(), d, 1);
  place(problem.y64, problem.y32, coreM, yT.data(), 1, pitch);
  diameter = boundingDiameter(problem, mean);

  gemm = d >= kGemmDimension && metric != Metric::cityblock;
  if (!gemm) return;
  blocks = true;
  blockRows = std::clamp<size_t>(kGemmBlockBytes / (pitch * sizeof(T)), 4, kGemmBlockRows);
  xx = Aligned<T>(n);
  yy = Aligned<T>(m);
  for (size_t i = 0; i < n; i++) {
    for (size_t k = 0; k < d; k++) xx[i] += x[i * d + k] * x[i * d + k];
  }
  for (size_t k = 0; k < d; k++) {
    for (size_t j = 0; j < m; j++) yy[j] += yT[k * pitch + j] * yT[k * pitch + j];
  }
}

template class Geometry<double>;
template class Geometry<float>;

template <class T>
Workspace<T>::Workspace(const Geometry<T>& geometry, unsigned workerCount)
    : g(geometry.m), weight(geometry.m), chunks(rowChunks(geometry.n, geometry.m)) {
  for (unsigned w = 0; w < workerCount; w++) {
    Worker worker;
    worker.row = Aligned<T>(geometry.m);
    worker.extra = Aligned<T>(geometry.m);
    if (geometry.blocks) worker.block = Aligned<T>(geometry.blockRows * geometry.pitch);
    workers.push_back(std::move(worker));
  }
  for (uint32_t c = 0; c < chunks; c++) columns.emplace_back(padded<T>(geometry.m));
}
template class Workspace<double>;
template class Workspace<float>;

uint32_t rowChunks(size_t n, size_t m) {
  const double work = static_cast<double>(n) * static_cast<double>(m);
  const double most = work > double{1 << 28} ? 32 : 16;
  return static_cast<uint32_t>(std::max(1.0, std::min({work / 16384, most, static_cast<double>(n)})));
}

double sum(const double* values, size_t count) {
  if (count <= 32) {
    double total = 0;
    for (size_t i = 0; i < count; i++) total += values[i];
    return total;
  }
  return sum(values, count / 2) + sum(values + count / 2, count - count / 2);
}

}  // namespace extrema::transport
