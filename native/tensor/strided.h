#pragma once

#include <cstring>

#include "tensor/plan.h"

namespace extrema {
namespace tensor {

// The last two axes of a plan whose last one has a stride: a transposed matrix. Small squares at a time, so
// that both sides stay in the cache. copy(dense offset, strided offset)
template <class Copy>
void walkTiles(const Plan& plan, size_t total, const Copy& copy) {
  constexpr size_t kTile = 16;
  const int last = plan.rank - 1;
  const size_t rows = static_cast<size_t>(plan.sizes[last - 1]),
               columns = static_cast<size_t>(plan.sizes[last]);
  const ptrdiff_t down = plan.first[last - 1], across = plan.first[last];
  int32_t index[kMaxRank] = {};
  ptrdiff_t start = plan.offset;
  for (size_t dense = 0; dense < total; dense += rows * columns) {
    for (size_t i0 = 0; i0 < rows; i0 += kTile) {
      for (size_t j0 = 0; j0 < columns; j0 += kTile) {
        const size_t i1 = i0 + kTile < rows ? i0 + kTile : rows;
        const size_t j1 = j0 + kTile < columns ? j0 + kTile : columns;
        for (size_t i = i0; i < i1; i++) {
          for (size_t j = j0; j < j1; j++) {
            copy(dense + i * columns + j,
                 start + static_cast<ptrdiff_t>(i) * down + static_cast<ptrdiff_t>(j) * across);
          }
        }
      }
    }
    for (int axis = last - 2; axis >= 0; axis--) {
      start += plan.first[axis];
      if (++index[axis] < plan.sizes[axis]) break;
      start -= static_cast<ptrdiff_t>(plan.first[axis]) * plan.sizes[axis];
      index[axis] = 0;
    }
  }
}

// out_i = x at the plan's places.
template <class T>
void read(T* out, const T* x, size_t n, const int32_t* planData) {
  if (n == 0) return;
  const Plan plan(planData);
  const ptrdiff_t step = lastFirst(plan);
  if (plan.rank >= 2 && step != 0 && step != 1) {
    walkTiles(plan, n, [=](size_t dense, ptrdiff_t strided) { out[dense] = x[strided]; });
    return;
  }
  walk(plan, n, [=](size_t o, ptrdiff_t i, ptrdiff_t, size_t length) {
    if (step == 1) {
      std::memcpy(out + o, x + i, length * sizeof(T));
    } else {
      for (size_t k = 0; k < length; k++) out[o + k] = x[i + static_cast<ptrdiff_t>(k) * step];
    }
  });
}

// out at the plan's places = x_i.
template <class T>
void write(T* out, const T* x, size_t n, const int32_t* planData) {
  if (n == 0) return;
  const Plan plan(planData);
  const ptrdiff_t step = lastFirst(plan);
  if (plan.rank >= 2 && step != 1) {
    walkTiles(plan, n, [=](size_t dense, ptrdiff_t strided) { out[strided] = x[dense]; });
    return;
  }
  walk(plan, n, [=](size_t i, ptrdiff_t o, ptrdiff_t, size_t length) {
    if (step == 1) {
      std::memcpy(out + o, x + i, length * sizeof(T));
    } else {
      for (size_t k = 0; k < length; k++) out[o + static_cast<ptrdiff_t>(k) * step] = x[i + k];
    }
  });
}

}  // namespace tensor
}  // namespace extrema
