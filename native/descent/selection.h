#pragma once

#include <optional>
#include <vector>

#include "descent/best-block.h"
#include "descent/greedy-forest.h"
#include "descent/thresholding.h"
#include "descent/updates.h"

namespace extrema::descent {

// The selection rules.
class Selector {
 public:
  Selector(State& state, BlockSolver& solver, Updates& updates);
  // Chooses the block. Greedy rules return the largest D_i |step|, an upper bound of the residual.
  double select();
  // Blocks come from the pool as it is now, from its beginning.
  void restart();
  // No coordinate has a score.
  bool isFlat() const { return isFlat_; }

 private:
  void setWeights();
  void takeNext(size_t from);
  double selectGreedily();
  void takeBestFixed();

  State& s_;
  std::vector<double> scores_, weights_;
  std::vector<int32_t> order_;
  size_t at_ = 0;
  bool isFlat_ = false;
  std::optional<Urn> urn_;
  std::optional<GreedyForest> forest_;
  std::optional<Thresholding> thresholding_;
  BestBlock best_;
};

}  // namespace extrema::descent
