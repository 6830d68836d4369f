// Peyré, Cuturi, Solomon 2016, "Gromov-Wasserstein averaging of kernel and distance matrices", proposition 1:
// with the square loss the objective at T is u·a + v·b - 2 <C1 T C2, T>, u = (C1∘C1) a, v = (C2∘C2) b.

#include "transport/gromov.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/aligned.h"
#include "core/team.h"
#include "simd/math.h"
#include "transport/problem.h"

namespace extrema::transport {

namespace {

// Rows of C1 that are multiplied at a time: between two looks at the monitor, and in one worker's scratch.
size_t productRows(size_t n, size_t m) {
  const double rows = 4e8 / (static_cast<double>(n + m) * static_cast<double>(m));
  return static_cast<size_t>(std::clamp(rows, 16.0, 128.0));
}

uint32_t chunksOf(size_t count, size_t size) { return static_cast<uint32_t>((count + size - 1) / size); }

constexpr size_t kTile = 32;

// The largest |c_ij - c_ji| with i in the chunk and j < i, tile by tile.
void compareTranspose(const double* c, size_t n, Range rows, double& largest, double& index) {
  for (size_t i0 = rows.begin; i0 < rows.end; i0 += kTile) {
    const size_t i1 = std::min(i0 + kTile, rows.end);
    for (size_t j0 = 0; j0 < i1; j0 += kTile) {
      for (size_t i = i0; i < i1; i++) {
        for (size_t j = j0; j < std::min(j0 + kTile, i); j++) {
          const double difference = std::abs(c[i * n + j] - c[j * n + i]);
          if (difference <= largest) continue;
          largest = difference;
          index = static_cast<double>(i * n + j);
        }
      }
    }
  }
}

}  // namespace

void scanMatrix(MatrixScan& scan, unsigned threads, Monitor& monitor) {
  const size_t n = scan.rows, m = scan.columns;
  const uint32_t chunks = rowChunks(n, m);
  Team team(threads, monitor);
  struct Part {
    double largest = 0, asymmetry = 0, notFinite = -1, negative = -1, asymmetric = -1;
    std::vector<double> columnSums;
  };
  std::vector<Part> parts(chunks);
  if (scan.columnSums != nullptr)
    for (Part& part : parts) part.columnSums.resize(m);
  team.run(chunks, [&](uint32_t chunk, unsigned) {
    Part& part = parts[chunk];
    const Range rows = chunkRange(n, chunks, chunk);
    for (size_t i = rows.begin; i < rows.end && !monitor.cancelled(); i++) {
      const double* row = scan.data + i * m;
      double largest = 0, squares = 0, sum = 0;
      for (size_t j = 0; j < m; j++) {
        const double value = row[j];
        if (!std::isfinite(value) && part.notFinite < 0) part.notFinite = static_cast<double>(i * m + j);
        if (value < 0 && part.negative < 0) part.negative = static_cast<double>(i * m + j);
        largest = std::max(largest, std::abs(value));
        sum += value;
        if (scan.weights != nullptr) squares += value * value * scan.weights[j];
        if (scan.columnSums != nullptr) part.columnSums[j] += value;
      }
      part.largest = std::max(part.largest, largest);
      if (scan.squares != nullptr) scan.squares[i] = squares;
      if (scan.rowSums != nullptr) scan.rowSums[i] = sum;
    }
    if (scan.symmetric) compareTranspose(scan.data, n, rows, part.asymmetry, part.asymmetric);
  });
  if (monitor.cancelled()) return;
  if (scan.columnSums != nullptr) std::fill_n(scan.columnSums, m, 0.0);
  for (const Part& part : parts) {
    scan.largest = std::max(scan.largest, part.largest);
    if (scan.notFinite < 0) scan.notFinite = part.notFinite;
    if (scan.negative < 0) scan.negative = part.negative;
    if (part.asymmetry > scan.asymmetry) {
      scan.asymmetry = part.asymmetry;
      scan.asymmetric = part.asymmetric;
    }
    for (size_t j = 0; j < part.columnSums.size(); j++) scan.columnSums[j] += part.columnSums[j];
  }
}

namespace {

// Y = C1[rows] T for T by rows.
void sparseRows(const GromovProduct& p, size_t begin, size_t end, double* y) {
  std::fill_n(y, (end - begin) * p.m, 0.0);
  for (size_t i = begin; i < end; i++) {
    const double* c = p.source + i * p.n;
    double* row = y + (i - begin) * p.m;
    for (size_t k = 0; k < p.n; k++) {
      for (int32_t e = p.plan.indptr[k]; e < p.plan.indptr[k + 1]; e++)
        row[p.plan.indices[e]] += c[k] * p.plan.data[e];
    }
  }
}

// sum over the plan's row i of values_ij T_ij
double rowDot(const PlanRef& plan, size_t m, size_t i, const double* values) {
  double sum = 0;
  if (plan.dense != nullptr) {
    const double* row = plan.dense + i * m;
    for (size_t j = 0; j < m; j++) sum += values[j] * row[j];
  } else {
    for (int32_t e = plan.indptr[i]; e < plan.indptr[i + 1]; e++)
      sum += values[plan.indices[e]] * plan.data[e];
  }
  return sum;
}

}  // namespace

void gromovProduct(GromovProduct& p, unsigned threads, Monitor& monitor) {
  const size_t n = p.n, m = p.m, size = productRows(n, m);
  const uint32_t chunks = chunksOf(n, size);
  const int N = static_cast<int>(n), M = static_cast<int>(m);
  Team team(static_cast<unsigned>(std::min<size_t>(threads, chunks)), monitor);
  std::vector<Aligned<double>> scratch;
  for (unsigned w = 0; w < team.size(); w++) scratch.emplace_back(std::min(n, size) * m);
  Aligned<double> dots(3 * n);
  team.run(chunks, [&](uint32_t chunk, unsigned worker) {
    const size_t begin = chunk * size, end = std::min(n, begin + size);
    const int rows = static_cast<int>(end - begin);
    double* y = scratch[worker].data();
    if (p.plan.dense != nullptr) {
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, M, N, 1, p.source + begin * n, N,
                  p.plan.dense, M, 0, y, M);
    } else {
      sparseRows(p, begin, end, y);
    }
    if (monitor.cancelled()) return;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, M, M, 1, y, M, p.target, M, 0,
                p.out + begin * m, M);
    for (size_t i = begin; i < end; i++) {
      dots[i] = rowDot(p.plan, m, i, p.out + i * m);
      if (p.product != nullptr) dots[n + i] = rowDot(p.plan, m, i, p.product + i * m);
      if (p.features != nullptr) dots[2 * n + i] = rowDot(p.plan, m, i, p.features + i * m);
    }
  });
  p.withOut = sum(dots.data(), n);
  p.withProduct = sum(dots.data() + n, n);
  p.withFeatures = sum(dots.data() + 2 * n, n);
}

void gromovBlend(const GromovBlend& b, unsigned threads, Monitor& monitor) {
  const size_t m = b.m;
  const uint32_t chunks = rowChunks(b.n, m);
  const double keep = 1 - b.step;
  Team team(threads, monitor);
  team.run(chunks, [&](uint32_t chunk, unsigned) {
    const Range rows = chunkRange(b.n, chunks, chunk);
    for (size_t i = rows.begin; i < rows.end && !monitor.cancelled(); i++) {
      double* plan = b.plan + i * m;
      double* product = b.product + i * m;
      double* gradient = b.gradient + i * m;
      if (b.step > 0) {
        const double* added = b.directionProduct + i * m;
        for (size_t j = 0; j < m; j++) product[j] = keep * product[j] + b.step * added[j];
        if (b.direction.dense != nullptr) {
          const double* next = b.direction.dense + i * m;
          for (size_t j = 0; j < m; j++) plan[j] = keep * plan[j] + b.step * next[j];
        } else {
          for (size_t j = 0; j < m; j++) plan[j] *= keep;
          for (int32_t e = b.direction.indptr[i]; e < b.direction.indptr[i + 1]; e++)
            plan[b.direction.indices[e]] += b.step * b.direction.data[e];
        }
      }
      const double twiceU = 2 * b.u[i];
      if (b.features == nullptr) {
        for (size_t j = 0; j < m; j++) gradient[j] = b.alpha * (twiceU + 2 * b.v[j] - 4 * product[j]);
      } else {
        const double* features = b.features + i * m;
        for (size_t j = 0; j < m; j++)
          gradient[j] = (1 - b.alpha) * features[j] + b.alpha * (twiceU + 2 * b.v[j] - 4 * product[j]);
      }
    }
  });
}

PlanComparison comparePlans(const double* plan, const double* next, size_t size, bool entropies,
                            unsigned threads, Monitor& monitor) {
  constexpr size_t kBlock = 1024;
  const size_t blocks = (size + kBlock - 1) / kBlock;
  const uint32_t chunks = static_cast<uint32_t>(std::min<size_t>(blocks, 64));
  Team team(threads, monitor);
  std::vector<PlanComparison> parts(chunks);
  team.run(chunks, [&](uint32_t chunk, unsigned) {
    const Range range = chunkRange(blocks, chunks, chunk);
    double logs[kBlock];
    PlanComparison& part = parts[chunk];
    const auto entropy = [&](const double* values, size_t count) {
      for (size_t k = 0; k < count; k++) logs[k] = std::max(values[k], 1e-300);
      logArray(logs, logs, count);
      double sum = 0;
      for (size_t k = 0; k < count; k++) sum += values[k] * logs[k];
      return sum;
    };
    for (size_t block = range.begin; block < range.end && !monitor.cancelled(); block++) {
      const size_t begin = block * kBlock, count = std::min(kBlock, size - begin);
      double distance = 0;
      for (size_t k = begin; k < begin + count; k++) distance += std::abs(next[k] - plan[k]);
      part.distance += distance;
      if (!entropies) continue;
      part.entropy += entropy(plan + begin, count);
      part.nextEntropy += entropy(next + begin, count);
    }
  });
  PlanComparison total;
  for (const PlanComparison& part : parts) {
    total.distance += part.distance;
    total.entropy += part.entropy;
    total.nextEntropy += part.nextEntropy;
  }
  return total;
}

}  // namespace extrema::transport
