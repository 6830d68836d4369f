#pragma once

#include <vector>

#include "descent/model.h"

namespace extrema::descent {

// Fixed blocks: block b is indices[start[b]] … indices[start[b + 1] - 1].
struct Blocks {
  std::vector<int32_t> start, indices;
  size_t count() const { return start.empty() ? 0 : start.size() - 1; }
};

// The live coordinates cut into blocks; none with variable blocks.
Blocks partition(const Rules& rules, Model& model, const std::vector<int32_t>& live);

}  // namespace extrema::descent
