#pragma once

#include <vector>

#include "descent/state.h"

namespace extrema::descent {

// The coordinates that sweeps visit while the others rest where their terms hold them: those that are free,
// and as many more, at least, of those that their proximal step would move furthest.
class WorkingSet {
 public:
  explicit WorkingSet(State& state) : s_(state), steps_(state.n) {}
  // Makes it the pool. The gradient is to be up to date.
  void choose();

 private:
  State& s_;
  std::vector<double> steps_;
  std::vector<int32_t> others_;
};

}  // namespace extrema::descent
