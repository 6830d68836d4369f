#include "tensor/factor.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/aligned.h"
#include "core/monitor.h"
#include "linear/dense.h"
#include "linear/lapack.h"

namespace extrema {
namespace tensor {

namespace {

constexpr size_t kTile = 32;

// visit(i0, i1, j0, j1) over square tiles of an n x n matrix, so that both sides stay in the cache where one
// is read across.
template <class F>
void eachTile(size_t n, const F& visit) {
  for (size_t i = 0; i < n; i += kTile) {
    for (size_t j = 0; j < n; j += kTile) visit(i, std::min(n, i + kTile), j, std::min(n, j + kTile));
  }
}

template <class Out, class T>
void transposeSquare(Out* out, const T* a, size_t n) {
  eachTile(n, [&](size_t i0, size_t i1, size_t j0, size_t j1) {
    for (size_t i = i0; i < i1; i++) {
      for (size_t j = j0; j < j1; j++) out[i * n + j] = static_cast<Out>(a[j * n + i]);
    }
  });
}

// (A + A^T) / 2, or with `lowerOnly` its lower triangle and zeros.
template <class Out, class T>
void symmetricPart(Out* out, const T* a, size_t n, bool lowerOnly) {
  eachTile(n, [&](size_t i0, size_t i1, size_t j0, size_t j1) {
    for (size_t i = i0; i < i1; i++) {
      for (size_t j = j0; j < j1; j++) {
        const Out x = static_cast<Out>(a[i * n + j]), y = static_cast<Out>(a[j * n + i]);
        out[i * n + j] = lowerOnly && j > i ? Out(0) : Out(0.5) * (x + y);
      }
    }
  });
}

void potrf(int n, double* a, int* info) { dpotrf_("U", &n, a, &n, info, 1); }
void potrf(int n, float* a, int* info) { spotrf_("U", &n, a, &n, info, 1); }
void getrf(int n, double* a, int* pivots, int* info) { dgetrf_(&n, &n, a, &n, pivots, info); }
void getrf(int n, float* a, int* pivots, int* info) { sgetrf_(&n, &n, a, &n, pivots, info); }

void trsm(CBLAS_UPLO uplo, CBLAS_TRANSPOSE transpose, CBLAS_DIAG diagonal, int n, int columns,
          const double* a, double* b) {
  cblas_dtrsm(CblasRowMajor, CblasLeft, uplo, transpose, diagonal, n, columns, 1, a, n, b, columns);
}
void trsm(CBLAS_UPLO uplo, CBLAS_TRANSPOSE transpose, CBLAS_DIAG diagonal, int n, int columns, const float* a,
          float* b) {
  cblas_strsm(CblasRowMajor, CblasLeft, uplo, transpose, diagonal, n, columns, 1, a, n, b, columns);
}

// A triangle and its right-hand sides in place.
template <class T>
void substitute(bool lower, bool transpose, bool unit, size_t n, size_t columns, const T* a, T* b) {
  trsm(lower ? CblasLower : CblasUpper, transpose ? CblasTrans : CblasNoTrans,
       unit ? CblasUnit : CblasNonUnit, static_cast<int>(n), static_cast<int>(columns), a, b);
}

template <class T>
void toDouble(double* out, const T* x, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = static_cast<double>(x[i]);
}
template <class T>
void fromDouble(T* out, const double* x, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = static_cast<T>(x[i]);
}

}  // namespace

template <class T>
ptrdiff_t cholesky(T* out, const T* a, size_t batch, size_t n) {
  for (size_t p = 0; p < batch; p++) {
    T* factor = out + p * n * n;
    symmetricPart(factor, a + p * n * n, n, true);
    // The lower triangle by rows is the upper one by columns.
    int info = 0;
    potrf(static_cast<int>(n), factor, &info);
    size_t row = info > 0 ? static_cast<size_t>(info) - 1 : 0;
    if (info == 0) {
      while (row < n && factor[row * (n + 1)] > 0) row++;
    }
    if (row < n) return static_cast<ptrdiff_t>(p * n + row);
  }
  return -1;
}

template <class T>
ptrdiff_t triangularSolve(T* out, const T* a, const T* b, const TriangularSizes& s) {
  for (size_t p = 0; p < s.batch; p++) {
    const T* matrix = a + p * s.strideA;
    for (size_t i = 0; i < s.n && !s.unit; i++) {
      if (matrix[i * (s.n + 1)] == 0) return static_cast<ptrdiff_t>(p * s.n + i);
    }
    T* x = out + p * s.n * s.columns;
    std::copy_n(b + p * s.strideB, s.n * s.columns, x);
    substitute(s.lower, s.transpose, s.unit, s.n, s.columns, matrix, x);
  }
  return -1;
}

template <class T>
ptrdiff_t luFactor(T* factors, int32_t* permutation, const T* a, size_t batch, size_t n) {
  std::vector<int> pivots(n);
  Aligned<T> columns(n * n);
  ptrdiff_t failed = -1;
  for (size_t p = 0; p < batch; p++) {
    transposeSquare(columns.data(), a + p * n * n, n);
    int info = 0;
    getrf(static_cast<int>(n), columns.data(), pivots.data(), &info);
    if (info > 0 && failed < 0) failed = static_cast<ptrdiff_t>(p * n) + info - 1;
    transposeSquare(factors + p * n * n, columns.data(), n);
    int32_t* order = permutation + p * n;
    for (size_t i = 0; i < n; i++) order[i] = static_cast<int32_t>(i);
    for (size_t i = 0; i < n; i++) {
      if (pivots[i] >= 1 && pivots[i] <= static_cast<int>(n)) std::swap(order[i], order[pivots[i] - 1]);
    }
  }
  return failed;
}

template <class T>
void luSolve(T* out, const T* factors, const int32_t* permutation, const T* b, const SolveSizes& s) {
  const size_t n = s.n, columns = s.columns;
  Aligned<T> rows(s.transpose ? n * columns : 0);
  for (size_t p = 0; p < s.batch; p++) {
    const T* matrix = factors + p * s.strideA;
    const int32_t* order = permutation + (s.strideA == 0 ? 0 : p * n);
    const T* right = b + p * s.strideB;
    T* x = out + p * n * columns;
    if (!s.transpose) {
      for (size_t i = 0; i < n; i++) {
        std::copy_n(right + static_cast<size_t>(order[i]) * columns, columns, x + i * columns);
      }
      substitute(true, false, true, n, columns, matrix, x);
      substitute(false, false, false, n, columns, matrix, x);
      continue;
    }
    // A^T = U^T L^T P
    std::copy_n(right, n * columns, rows.data());
    substitute(false, true, false, n, columns, matrix, rows.data());
    substitute(true, true, true, n, columns, matrix, rows.data());
    for (size_t i = 0; i < n; i++) {
      std::copy_n(rows.data() + i * columns, columns, x + static_cast<size_t>(order[i]) * columns);
    }
  }
}

template <class T>
void symmetricEigen(T* values, T* vectors, const T* a, size_t batch, size_t n) {
  Aligned<double> matrix(n * n), found(n), columns(n * n);
  Monitor monitor;
  for (size_t p = 0; p < batch; p++) {
    symmetricPart(matrix.data(), a + p * n * n, n, false);
    dense::symmetricEigen(matrix.data(), n, found.data(), columns.data(), 1, monitor);
    fromDouble(values + p * n, found.data(), n);
    fromDouble(vectors + p * n * n, columns.data(), n * n);
  }
}

template <class T>
void qr(T* q, T* r, const T* a, size_t batch, size_t m, size_t n) {
  Aligned<double> matrix(m * n), reflectors(m * n), tau(n), triangle(n * n), columns(m * n);
  std::vector<int32_t> permutation(n);
  Monitor monitor;
  for (size_t p = 0; p < batch; p++) {
    toDouble(matrix.data(), a + p * m * n, m * n);
    dense::QrJob job;
    job.m = m;
    job.n = n;
    job.a = matrix.data();
    job.reflectors = reflectors.data();
    job.tau = tau.data();
    job.permutation = permutation.data();
    job.r = triangle.data();
    job.q = columns.data();
    dense::qr(job, monitor);
    for (size_t j = 0; j < n; j++) {
      if (!(triangle[j * (n + 1)] < 0)) continue;
      for (size_t k = j; k < n; k++) triangle[j * n + k] = -triangle[j * n + k];
      for (size_t i = 0; i < m; i++) columns[i * n + j] = -columns[i * n + j];
    }
    fromDouble(q + p * m * n, columns.data(), m * n);
    fromDouble(r + p * n * n, triangle.data(), n * n);
  }
}

template <class T>
void svd(T* u, T* s, T* vt, const T* a, size_t batch, size_t m, size_t n) {
  const size_t k = std::min(m, n);
  Aligned<double> matrix(m * n), left(m * k), values(k), right(k * n);
  Monitor monitor;
  for (size_t p = 0; p < batch; p++) {
    toDouble(matrix.data(), a + p * m * n, m * n);
    dense::svd(matrix.data(), m, n, values.data(), left.data(), right.data(), 1, monitor);
    fromDouble(u + p * m * k, left.data(), m * k);
    fromDouble(s + p * k, values.data(), k);
    fromDouble(vt + p * k * n, right.data(), k * n);
  }
}

#define INSTANTIATE(T)                                                                \
  template ptrdiff_t cholesky(T*, const T*, size_t, size_t);                          \
  template ptrdiff_t triangularSolve(T*, const T*, const T*, const TriangularSizes&); \
  template ptrdiff_t luFactor(T*, int32_t*, const T*, size_t, size_t);                \
  template void luSolve(T*, const T*, const int32_t*, const T*, const SolveSizes&);   \
  template void symmetricEigen(T*, T*, const T*, size_t, size_t);                     \
  template void qr(T*, T*, const T*, size_t, size_t, size_t);                         \
  template void svd(T*, T*, T*, const T*, size_t, size_t, size_t)
INSTANTIATE(double);
INSTANTIATE(float);
#undef INSTANTIATE

}  // namespace tensor
}  // namespace extrema
