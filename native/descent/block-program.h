#pragma once

#include <vector>

#include "descent/terms.h"

namespace extrema::descent {

// The least of g·d + ½ dᵀH d + Σ l1_i |x_i + d_i| within the bounds, for positive semidefinite H of block
// size: sweeps of exact coordinate steps, each followed by the exact solution for the coordinates that it
// left free, up to the first that changes its piece.
class BlockProgram {
 public:
  BlockProgram(size_t capacity, const Terms& terms)
      : terms_(terms), slopes_(capacity), factor_(capacity * capacity), move_(capacity), free_(capacity) {}
  void solve(const int32_t* block, size_t size, const double* x, const double* g, const double* h, double* d);

 private:
  const Terms& terms_;
  std::vector<double> slopes_, factor_, move_;
  std::vector<size_t> free_;
};

}  // namespace extrema::descent
