#pragma once

#include <cstddef>

namespace extrema {
namespace tensor {

// out = op(A) op(B) for `batch` pairs of row-major matrices; op(A) is m x k, op(B) k x n. The matrices of a
// batch are strideA and strideB numbers apart, 0 for one that serves all.
struct MatmulSizes {
  size_t batch, m, n, k;
  bool transposeA, transposeB;
  size_t strideA, strideB;
};

void matmul(double* out, const double* a, const double* b, const MatmulSizes& sizes);
void matmul(float* out, const float* a, const float* b, const MatmulSizes& sizes);

}  // namespace tensor
}  // namespace extrema
