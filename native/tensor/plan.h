#pragma once

#include <cstddef>
#include <cstdint>

namespace extrema {
namespace tensor {

// Where the entries of one or two operands lie: [rank, offset, sizes…, strides…, strides of the second…], as
// lib/tensor/broadcast.ts writes it. Axes of length 1 are left out and neighbours joined.
struct Plan {
  explicit Plan(const int32_t* plan)
      : rank(plan[0]), offset(plan[1]), sizes(plan + 2), first(sizes + rank), second(first + rank) {}

  int rank;
  ptrdiff_t offset;
  const int32_t* sizes;
  const int32_t* first;
  const int32_t* second;
};

constexpr int kMaxRank = 32;

// Calls run(out, first, second, length) for each run along the last axis; `out` counts on in order.
template <class Run>
void walk(const Plan& plan, size_t total, const Run& run) {
  if (total == 0) return;
  if (plan.rank == 0) {
    run(size_t{0}, plan.offset, ptrdiff_t{0}, size_t{1});
    return;
  }
  const int last = plan.rank - 1;
  const size_t length = static_cast<size_t>(plan.sizes[last]);
  int32_t index[kMaxRank] = {};
  ptrdiff_t first = plan.offset, second = 0;
  for (size_t out = 0; out < total; out += length) {
    run(out, first, second, length);
    for (int axis = last - 1; axis >= 0; axis--) {
      first += plan.first[axis];
      second += plan.second[axis];
      if (++index[axis] < plan.sizes[axis]) break;
      first -= static_cast<ptrdiff_t>(plan.first[axis]) * plan.sizes[axis];
      second -= static_cast<ptrdiff_t>(plan.second[axis]) * plan.sizes[axis];
      index[axis] = 0;
    }
  }
}

inline ptrdiff_t lastFirst(const Plan& plan) { return plan.rank == 0 ? 0 : plan.first[plan.rank - 1]; }
inline ptrdiff_t lastSecond(const Plan& plan) { return plan.rank == 0 ? 0 : plan.second[plan.rank - 1]; }

}  // namespace tensor
}  // namespace extrema
