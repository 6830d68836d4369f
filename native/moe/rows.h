#pragma once

#include <cstddef>
#include <cstdint>

// What routing does with a token's row of scores.
namespace extrema::moe {

// The `count` greatest of s_e - p_e in descending order, the lower expert first where they tie; -infinity and
// -1 where there are fewer experts. `scratch` has room for the experts and a vector more.
void greatest(const double* s, const double* p, size_t experts, size_t count, double* scratch, double* value,
              int32_t* expert);

// loss_e = min(loss_e, own - s_e), unit_e = unit where it changed.
void lowerLosses(const double* s, double own, int64_t unit, double* loss, int64_t* units, size_t experts);

}  // namespace extrema::moe
