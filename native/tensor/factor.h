#pragma once

#include <cstddef>
#include <cstdint>

namespace extrema {
namespace tensor {

// Factorizations of batches of row-major matrices, as lib/backend/tensor-factor.ts describes them. T is
// double or float. Results of ptrdiff_t are the place of the first pivot that fails, matrix * n + row, or -1.

template <class T>
ptrdiff_t cholesky(T* out, const T* a, size_t batch, size_t n);

struct TriangularSizes {
  size_t batch, n, columns;
  bool lower, transpose, unit;
  size_t strideA, strideB;
};
template <class T>
ptrdiff_t triangularSolve(T* out, const T* a, const T* b, const TriangularSizes& sizes);

template <class T>
ptrdiff_t luFactor(T* factors, int32_t* permutation, const T* a, size_t batch, size_t n);

struct SolveSizes {
  size_t batch, n, columns;
  bool transpose;
  size_t strideA, strideB;
};
template <class T>
void luSolve(T* out, const T* factors, const int32_t* permutation, const T* b, const SolveSizes& sizes);

template <class T>
void symmetricEigen(T* values, T* vectors, const T* a, size_t batch, size_t n);
template <class T>
void qr(T* q, T* r, const T* a, size_t batch, size_t m, size_t n);
template <class T>
void svd(T* u, T* s, T* vt, const T* a, size_t batch, size_t m, size_t n);

struct BandedSizes {
  size_t batch, n, columns, lower, upper;
};
template <class T>
void bandedProduct(T* out, const T* bands, const T* x, const BandedSizes& sizes, bool transpose);
template <class T>
void bandedOuter(T* out, const T* g, const T* x, const BandedSizes& sizes);

}  // namespace tensor
}  // namespace extrema
