#pragma once

#include "core/monitor.h"
#include "linear/operator.h"

namespace extrema::linear {

// P A Pᵀ = L D Lᵀ, L unit lower triangular by columns, the diagonal left out.
struct Factor {
  size_t n = 0;
  int32_t* order = nullptr;   // order[k]: the row of A that comes k-th
  int32_t* parent = nullptr;  // in the elimination tree, -1 for a root
  int32_t* indptr = nullptr;  // n + 1
  int32_t* indices = nullptr;
  double* data = nullptr;
  double* diagonal = nullptr;
};

// Fills order (unless `natural`), parent and indptr of a matrix with a symmetric pattern. Throws ERR_MEMORY
// if L has more entries than indices can count.
void analyze(const Csr& matrix, bool natural, Factor& factor, Monitor& monitor);
// Fills the rest. Throws ERR_NOT_POSITIVE at a pivot <= 0, or ERR_SINGULAR at one of 0 if negative ones may
// pass.
void factorize(const Csr& matrix, bool positive, Factor& factor, Monitor& monitor);
// x = A⁻¹ b for `count` columns of row-major b and x.
void solveFactor(const Factor& factor, const double* b, double* x, size_t count, Monitor& monitor);

// L of A ≈ L Lᵀ on the pattern of A's lower triangle, the diagonal at the end of each row. Adds to the
// diagonal, from `shift` times itself on, until all pivots are positive; returns the factor of the last
// shift.
double incompleteCholesky(const Csr& matrix, const Csr& pattern, double* data, double shift,
                          Monitor& monitor);

}  // namespace extrema::linear
