#pragma once

#include <vector>

#include "descent/updates.h"

namespace extrema::descent {

// The block that lowers a model or the objective most, by trying them all.
class BestBlock {
 public:
  BestBlock(State& state, BlockSolver& solver, Updates& updates)
      : s_(state), solver_(solver), updates_(updates) {}
  // The fixed block with the largest decrease of the quadratic model, by its exact minimum.
  void byModel();
  // The block whose own update lowers the objective most: of the partition, or of all there are.
  void byTrial();

 private:
  double modelDecrease(bool current);
  double cubicDecrease();

  State& s_;
  BlockSolver& solver_;
  Updates& updates_;
  std::vector<double> cubicH_, shifted_;
  std::vector<int32_t> best_;
  std::vector<size_t> places_;
};

}  // namespace extrema::descent
