#pragma once

#include <cstdint>

namespace extrema {
namespace tensor {

// The largest entry of each window and its place in x, see TensorKernels in lib/backend/tensor.ts. T is
// double or float.
template <class T>
void maxPool(T* out, int32_t* places, const T* x, const int32_t* geometry);

}  // namespace tensor
}  // namespace extrema
