#pragma once

#include <cstddef>
#include <cstdint>

#include "core/monitor.h"

namespace extrema::dense {

// Dense factorizations. Input and results are row-major; `a` is left as it is. Work is cut into panels and
// tiles of fixed size, so that the number of threads changes nothing; inside a tile runs single-threaded
// BLAS.

// Relative backward errors are those on one vector of signs: |(A - product of the factors) z| / |A| in the
// largest entry and the largest sum of a row.

// A = L L^T; ERR_NOT_POSITIVE where there is none. Returns the backward error. factor: n x n, zero when it
// comes.
double cholesky(const double* a, size_t n, double* factor, unsigned threads, Monitor& monitor);

struct LuReport {
  double residual = 0, sign = 1, rank = 0;  // rank: pivots before the first zero
};
// Row permutation[i] of A is row i of L U, both in `factors`, L with a unit diagonal.
LuReport lu(const double* a, size_t n, double* factors, int32_t* permutation, unsigned threads,
            Monitor& monitor);

struct QrJob {
  size_t m = 0, n = 0;
  const double* a = nullptr;
  bool pivoting = false;
  double* reflectors = nullptr;    // n x m: column j of A became row j, with R above the diagonal
  double* tau = nullptr;           // min(m, n)
  int32_t* permutation = nullptr;  // n: column j of Q R is column permutation[j] of A
  double* r = nullptr;             // min(m, n) x n
  double* q = nullptr;             // m x min(m, n), or null
  unsigned threads = 1;
};
double qr(const QrJob& job, Monitor& monitor);

// b <- Q b or Q^T b for the m x columns matrix b.
void applyQ(const double* reflectors, const double* tau, size_t m, size_t k, bool transpose, double* b,
            size_t columns, unsigned threads, Monitor& monitor);

// b <- T^-1 b with T or its transpose, T the lower or upper triangle of the leading n x n of a (row pitch).
struct TriangularJob {
  size_t n = 0, pitch = 0, columns = 0;
  const double* a = nullptr;
  bool lower = true, transpose = false, unit = false;
  double* b = nullptr;
  unsigned threads = 1;
};
void triangularSolve(const TriangularJob& job, Monitor& monitor);

// values ascending; column k of vectors (n x n, or null) belongs to values[k].
double symmetricEigen(const double* a, size_t n, double* values, double* vectors, unsigned threads,
                      Monitor& monitor);

// a = u diag(s) vt with k = min(m, n) values, descending; u (m x k) and vt (k x n) both or neither.
double svd(const double* a, size_t m, size_t n, double* s, double* u, double* vt, unsigned threads,
           Monitor& monitor);

}  // namespace extrema::dense
