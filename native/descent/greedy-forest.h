#pragma once

#include <vector>

#include "descent/forest.h"
#include "descent/state.h"

namespace extrema::descent {

// A maximal forest, greedily in the order: a node joins unless two of its neighbours are in one tree.
class GreedyForest {
 public:
  explicit GreedyForest(State& state) : s_(state), sets_(state.n), roots_(state.n) {}
  // Makes it the block.
  void grow(const std::vector<int32_t>& order);

 private:
  State& s_;
  UnionFind sets_;
  std::vector<char> roots_;
};

}  // namespace extrema::descent
