#pragma once

#include <cstddef>
#include <cstdint>

namespace extrema::constrained {

// In the order of `statuses` of the façade.
enum class Ended : int { converged = 0, iterationLimit = 1, timeLimit = 2, stalled = 3 };

// Rows of a dense (indptr null, row-major) or sparse matrix. Sums run in four lanes, so that the portable
// twin adds in the same order.
struct System {
  size_t rows = 0, columns = 0;
  const double* data = nullptr;
  const int32_t* indptr = nullptr;
  const int32_t* indices = nullptr;

  size_t begin(size_t i) const { return indptr == nullptr ? i * columns : static_cast<size_t>(indptr[i]); }
  size_t end(size_t i) const { return begin(i + 1); }
  size_t entries() const { return begin(rows); }
  bool dense() const { return indptr == nullptr; }

  double dot(size_t i, const double* x) const;
  void add(size_t i, double factor, double* x) const {
    const size_t from = begin(i), to = end(i);
    if (dense()) {
      for (size_t k = from; k < to; k++) x[k - from] += factor * data[k];
    } else {
      for (size_t k = from; k < to; k++) x[indices[k]] += factor * data[k];
    }
  }
  // Sets the entries of row i to zero in x.
  void clear(size_t i, double* x) const {
    if (dense()) {
      for (size_t j = 0; j < columns; j++) x[j] = 0;
    } else {
      for (size_t k = begin(i); k < end(i); k++) x[indices[k]] = 0;
    }
  }
  double squaredNorm(size_t i) const {
    double sum = 0;
    for (size_t k = begin(i); k < end(i); k++) sum += data[k] * data[k];
    return sum;
  }
  void multiply(const double* x, double* out) const {
    for (size_t i = 0; i < rows; i++) out[i] = dot(i, x);
  }
  // out = A z - b
  void residual(const double* z, const double* b, double* out) const {
    for (size_t i = 0; i < rows; i++) out[i] = dot(i, z) - b[i];
  }
};

inline double dot(const double* x, const double* y, size_t n) {
  double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    s0 += x[i] * y[i];
    s1 += x[i + 1] * y[i + 1];
    s2 += x[i + 2] * y[i + 2];
    s3 += x[i + 3] * y[i + 3];
  }
  for (; i < n; i++) s0 += x[i] * y[i];
  return s0 + s1 + (s2 + s3);
}

inline double System::dot(size_t i, const double* x) const {
  const size_t from = begin(i), to = end(i);
  if (dense()) return constrained::dot(data + from, x, to - from);
  double sum = 0;
  for (size_t k = from; k < to; k++) sum += data[k] * x[indices[k]];
  return sum;
}

}  // namespace extrema::constrained
