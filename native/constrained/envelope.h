#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "constrained/system.h"
#include "core/monitor.h"

namespace extrema::constrained {

// P A Pᵀ = L D Lᵀ of a sparse symmetric matrix within its envelope, in the order given and without pivoting
// (Jennings 1966). Pivots that vanish get the sign expected and a small size.
class Envelope {
 public:
  Envelope(const System& a, const int32_t* order, size_t expected, double floor);

  void factor(Monitor& monitor);
  bool solve(double* x);  // x <- A⁻¹ x

  double positive = 0, negative = 0, replaced = 0;
  double flops = 0;

 private:
  const System& a_;
  const int32_t* order_;
  size_t expected_;
  double floor_;
  std::vector<size_t> place_, first_, start_;  // L's row i has columns first[i] … i - 1, from start[i] on
  std::vector<double> values_, pivots_, y_;
};

}  // namespace extrema::constrained
