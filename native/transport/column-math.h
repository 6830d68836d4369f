#pragma once

#include <cstddef>

namespace extrema::transport {

double largestOf(const double* s, size_t count);

// The entries with s_i - largest > level, and the sum of their s_i - largest.
struct Above {
  size_t count;
  double sum;
};
Above sumAbove(const double* s, size_t count, double largest, double level);

// With w_i = s_i - largest - level: those with w >= upper, those below with w > lower, and the sums of their
// w.
struct Classes {
  size_t whole, parts;
  double wholeSum, partsSum;
};
Classes classify(const double* s, size_t count, double largest, double level, double upper, double lower);

}  // namespace extrema::transport
