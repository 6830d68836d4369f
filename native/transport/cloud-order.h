#pragma once

#include <cstddef>
#include <cstdint>

#include "core/monitor.h"

namespace extrema::transport {

// A kd-tree of n points (n × d) by its order alone: aligned runs of 8, 16, 32, ... points are its cells. A
// range is split along the longer side of its box, so that the left part is the largest power of two below
// its size; ranges of at most 8 are in the order of their numbers. Ties go by number, so that the order
// depends on nothing but the points.
void cloudOrder(const double* points, size_t n, size_t d, int32_t* order, const Monitor& monitor);

}  // namespace extrema::transport
