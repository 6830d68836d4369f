#pragma once

#include <cstddef>
#include <cstdint>

#include "core/aligned.h"
#include "core/monitor.h"

namespace extrema::transport {

// Optimal transport on the line for the cost |x - y|^order, order >= 1: both sides sorted, masses merged from
// left to right. The same for every convex cost.

// Stable ascending order of n finite values.
class LineSort {
 public:
  explicit LineSort(size_t n);
  // The result is valid until the next call.
  const int32_t* run(const double* values, size_t n);

 private:
  Aligned<uint64_t> keys_, otherKeys_;
  Aligned<int32_t> order_, otherOrder_;
  Aligned<uint32_t> counts_;  // of each digit's values
};

// The plan has n + m - 1 arcs, those of no mass included.
struct LinePlan {
  double* f = nullptr;  // n and m: potentials, tight on every arc
  double* g = nullptr;
  int32_t* row = nullptr;  // n + m - 1
  int32_t* column = nullptr;
  double* mass = nullptr;
};

// Returns the cost of the plan.
double wasserstein1d(const double* x, const double* a, size_t n, const double* y, const double* b, size_t m,
                     double order, const LinePlan& plan, Monitor& monitor);

struct Sliced {
  size_t n = 0, m = 0, d = 0, count = 0;
  const double *x = nullptr, *y = nullptr;  // n × d, m × d
  const double *a = nullptr, *b = nullptr;
  const double* directions = nullptr;  // count × d, unit vectors
  double order = 2;
  unsigned threads = 1;
  double* values = nullptr;     // count: cost along each direction
  double* gradientX = nullptr;  // n × d and m × d: of the mean cost; null if not wanted
  double* gradientY = nullptr;
};
// Returns how many directions it got to.
size_t slicedWasserstein(const Sliced& sliced, Monitor& monitor);

}  // namespace extrema::transport
