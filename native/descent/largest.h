#pragma once

#include <vector>

#include "descent/state.h"

namespace extrema::descent {

// Makes the coordinates of the largest scores the block; of equal ones the lower index.
void takeLargest(State& state, const std::vector<double>& scores);

}  // namespace extrema::descent
