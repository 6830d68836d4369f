#pragma once

#include <cstddef>
#include <cstdint>

namespace extrema {
namespace tensor {

// The products of a convolution, see TensorKernels in lib/backend/tensor.ts. T is double or float.
template <class T>
void convolution(int op, T* out, const T* a, const T* b, const int32_t* geometry, T* workspace, size_t room);

}  // namespace tensor
}  // namespace extrema
