#include "tensor/matmul.h"

#include <cblas.h>

namespace extrema {
namespace tensor {

namespace {

void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const double* a, int lda,
          const double* b, int ldb, double* c) {
  cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, lda, b, ldb, 0, c, n);
}
void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const float* a, int lda,
          const float* b, int ldb, float* c) {
  cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, lda, b, ldb, 0, c, n);
}

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
