#pragma once

#include <cstddef>

#include "core/monitor.h"
#include "linear/scatter.h"

namespace extrema::dense {

inline size_t powerOfTwo(size_t n) {
  size_t power = 1;
  while (power < n) power *= 2;
  return power;
}

// x (rows x width, rows a power of two) <- H x, H_ij = (-1)^(bits of i & j). Depth first, so that small parts
// stay in cache.
inline void hadamard(double* x, size_t rows, size_t width, const Monitor& monitor) {
  if (rows == 1 || monitor.cancelled()) return;
  const size_t half = rows / 2;
  hadamard(x, half, width, monitor);
  hadamard(x + half * width, half, width, monitor);
  butterfly(x, x + half * width, half * width);
}

}  // namespace extrema::dense
