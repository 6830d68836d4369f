#include "tensor/matmul.h"

#include "core/gemm.h"

namespace extrema {
namespace tensor {

namespace {

template <class T>
void products(T* out, const T* a, const T* b, const MatmulSizes& s) {
  const auto ta = s.transposeA ? CblasTrans : CblasNoTrans, tb = s.transposeB ? CblasTrans : CblasNoTrans;
  const int m = static_cast<int>(s.m), n = static_cast<int>(s.n), k = static_cast<int>(s.k);
  const int lda = s.transposeA ? m : k, ldb = s.transposeB ? k : n;
  for (size_t p = 0; p < s.batch; p++) {
    gemm(ta, tb, m, n, k, a + p * s.strideA, lda, b + p * s.strideB, ldb, out + p * s.m * s.n);
  }
}

}  // namespace

void matmul(double* out, const double* a, const double* b, const MatmulSizes& sizes) {
  products(out, a, b, sizes);
}
void matmul(float* out, const float* a, const float* b, const MatmulSizes& sizes) {
  products(out, a, b, sizes);
}

}  // namespace tensor
}  // namespace extrema
