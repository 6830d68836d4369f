#pragma once

#include <cstddef>

namespace extrema {
namespace tensor {

// Over the middle axis of outer x length x inner, sums kept in float64 and in an order that depends on the
// sizes alone. T is double or float; the numbers of the operations are those of reduceOps in
// lib/backend/tensor.ts.
template <class T>
void reduce(int op, T* out, const T* x, size_t outer, size_t length, size_t inner);

}  // namespace tensor
}  // namespace extrema
