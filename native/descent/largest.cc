#include "descent/largest.h"

#include <algorithm>

namespace extrema::descent {

// A heap with the least of those kept on top.
void takeLargest(State& state, const std::vector<double>& scores) {
  const auto better = [&](int32_t i, int32_t j) {
    return scores[i] > scores[j] || (scores[i] == scores[j] && i < j);
  };
  state.size = 0;
  const auto begin = state.block.begin(), end = begin + static_cast<ptrdiff_t>(state.capacity);
  for (const int32_t i : state.live) {
    if (state.size < state.capacity) {
      state.block[state.size++] = i;
      if (state.size == state.capacity) std::make_heap(begin, end, better);
    } else if (better(i, state.block[0])) {
      std::pop_heap(begin, end, better);
      state.block[state.capacity - 1] = i;
      std::push_heap(begin, end, better);
    }
  }
  state.number = -1;
  state.sortBlock();
}

}  // namespace extrema::descent
