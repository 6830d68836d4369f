#pragma once

#include <cstddef>

#include "core/aligned.h"
#include "core/team.h"

namespace extrema::lowrank {

// Eigenvalues, descending, and eigenvectors of a symmetric n × n matrix, row-major; row k of `vectors` is the
// k-th.
void symmetricEigen(const double* matrix, size_t n, double* values, double* vectors);

// The least-squares solution of least norm of a x = c, for `count` <= rank rows of a, by elimination with
// pivoting. `work` holds (2 count + 1) × rank + count. Returns the numerical rank.
size_t minimumNorm(const double* a, size_t count, size_t pitch, size_t rank, const double* c, double* x,
                   double* work);

// min xᵀ G x / 2 - h·x with x_i >= 0 from `free` on, by active sets from the start x; G is n × n. `work`
// holds n² + 4 n.
void nonNegativeQuadratic(const double* g, const double* h, size_t n, size_t free, double* x, double* work);
// Sweeps over the coordinates instead, until none moves by more than `tolerance` of the largest.
size_t coordinateSweeps(const double* g, const double* h, size_t n, size_t free, double tolerance,
                        size_t most, double* x);

// A tall matrix: `count` rows, `width` columns from `offset` on, in rows of `pitch`.
struct Tall {
  double* data;
  size_t count, pitch, offset, width;
  double* row(size_t i) const { return data + i * pitch + offset; }
};

// width × width, row-major: the Gram matrix of x.
void gramOf(Team& team, const Tall& x, double* gram);
// x <- x B, B width × width row-major.
void timesSquare(Team& team, const Tall& x, const double* b);

enum class Missing { refill, zero };
// x = Q R: x becomes Q, orthonormal, R (upper, width × width, row-major) is written. Columns that depend on
// others are filled with random ones or zeros; their part in R is what there was of them.
void orthonormalize(Team& team, const Tall& x, double* r, Missing missing, const unsigned key[2]);

}  // namespace extrema::lowrank
