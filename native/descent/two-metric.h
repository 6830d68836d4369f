#pragma once

#include <vector>

#include "descent/block-solver.h"

namespace extrema::descent {

class Updates;

// Two-metric projection (Bertsekas 1982, Gafni and Bertsekas 1984): a Newton step for the free coordinates,
// a diagonal one for those at a bound that -∇ points out of, projected. Under an L1 term x stays in its
// orthant, or the one that descent leads to from 0.
class TwoMetric {
 public:
  TwoMetric(State& state, BlockSolver& solver, Updates& updates);
  double propose();

 private:
  void solveFree(size_t count);

  State& s_;
  BlockSolver& solver_;
  Updates& updates_;
  std::vector<double> slopes_, low_, high_, direction_, freeG_, freeD_;
  std::vector<size_t> free_;
  std::vector<char> isFree_;
  std::vector<int32_t> freeBlock_;
};

}  // namespace extrema::descent
