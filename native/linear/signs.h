#pragma once

#include <cmath>
#include <cstddef>

namespace extrema::dense {

// The sign that makes the first of the largest entries (to 1e-6) positive: vectors that are right up to their
// sign become the same everywhere.
inline double signOf(const double* x, size_t n, size_t step = 1) {
  double largest = 0;
  for (size_t i = 0; i < n; i++)
    largest = std::fabs(x[i * step]) > largest ? std::fabs(x[i * step]) : largest;
  for (size_t i = 0; i < n; i++) {
    if (std::fabs(x[i * step]) >= (1 - 1e-6) * largest) return x[i * step] < 0 ? -1 : 1;
  }
  return 1;
}

inline void orient(double* x, size_t n) {
  if (signOf(x, n) > 0) return;
  for (size_t i = 0; i < n; i++) x[i] = -x[i];
}

}  // namespace extrema::dense
