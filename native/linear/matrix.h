#pragma once

#include <cblas.h>

#include <cstddef>
#include <string>

#include "core/team.h"

namespace extrema::dense {

// What one pass over a row-major m x n matrix finds.
struct MatrixScan {
  double largest = 0;  // entry, in magnitude
  double rowSum = 0;   // of magnitudes, the largest
};
// ERR_NOT_FINITE, naming the entry, for NaN and infinities.
MatrixScan scanMatrix(Team& team, const char* name, const double* a, size_t m, size_t n);
// ERR_SHAPE unless a is symmetric to 1e-8 of its largest entry.
void checkSymmetric(Team& team, const char* name, const double* a, size_t n, double largest);

// out (n x m) = a^T (m x n), both row-major.
void transpose(Team& team, const double* a, size_t m, size_t n, double* out);

// a <- a^T for a square one.
void transposeSquare(Team& team, double* a, size_t n);

// y = T x, or T^T x, for a triangle of a row-major n x n matrix.
void multiplyTriangle(Team& team, const double* a, size_t n, CBLAS_UPLO triangle, CBLAS_TRANSPOSE transpose,
                      CBLAS_DIAG diagonal, const double* x, double* y);
// y = A x for a row-major m x n matrix, and y = A^T x.
void multiply(Team& team, const double* a, size_t m, size_t n, const double* x, double* y);
void multiplyTransposed(Team& team, const double* a, size_t m, size_t n, const double* x, double* y);

// c (m x n) = alpha op(a) op(b) + beta c, row-major with these pitches, in tiles of c.
struct Product {
  size_t m = 0, n = 0, k = 0;
  const double *a = nullptr, *b = nullptr;
  double* c = nullptr;
  size_t pitchA = 0, pitchB = 0, pitchC = 0;
  bool transposeA = false, transposeB = false;
  double alpha = 1, beta = 0;
};
void multiply(Team& team, const Product& product);

// The signs +1, -1, -1, +1, … of Thue and Morse: a vector that no structure of a matrix favours.
inline double probe(size_t i) {
  unsigned parity = 0;
  for (; i > 0; i &= i - 1) parity ^= 1;
  return parity == 0 ? 1 : -1;
}

// max |x_i| over `scale`, 0 for a zero scale.
double relativeLargest(const double* x, size_t n, double scale);

}  // namespace extrema::dense
