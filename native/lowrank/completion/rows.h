#pragma once

#include <cstddef>
#include <cstdint>

namespace extrema::lowrank {

// Rows of factors: `pitch` doubles each, a multiple of 8 with room for one more number than the rank, zero
// beyond the rank. A "line" is a list of such rows by index. These functions are the inner loops of all
// regressions.

constexpr size_t kBlock = 64;  // rows at work at a time

inline size_t pitchOf(size_t rank) { return (rank + 1 + 7) / 8 * 8; }
// Rows of a Gram matrix: room for the targets as one more feature, in whole tiles of 4.
inline size_t gramRows(size_t rank) { return (rank + 4) / 4 * 4; }
// From this rank on Gram matrices are BLAS's business; below, it spends more time on packing.
constexpr size_t kBlasRank = 64;
// Rows that addGram gathers.
inline size_t gatheredRows(size_t rank) { return rank < kBlasRank ? kBlock : 4 * kBlock; }

// Floats of scratch memory for addGram in float32.
inline size_t gramScratch(size_t rank) {
  return (gatheredRows(rank) + (rank < kBlasRank ? 0 : gramRows(rank))) * pitchOf(rank);
}

// gram (gramRows × pitch) += the upper triangle of sum w a aᵀ, and in column `rank` sum w b a, over the rows
// a of a line with targets b and weights w (null: 1). `scratch` holds gatheredRows × pitch.
void addGram(const double* rows, size_t pitch, size_t rank, const int32_t* index, size_t count,
             const double* b, const double* w, double* gram, double* scratch);
// From rows in float32; all blocks of them are added up in float64.
void addGram(const float* rows, size_t pitch, size_t rank, const int32_t* index, size_t count,
             const double* b, const double* w, double* gram, float* scratch);

// Solves (G + diag(ridge)) x = h by Cholesky's method in place of `gram`, which holds h in column `rank`.
// False where a pivot falls below `least` of its diagonal entry.
bool solveGram(double* gram, size_t pitch, size_t rank, const double* ridge, double least, double* x);

// sum w t² with t = b - a·x (b null: 0), and out += sum w t a unless null.
double passRows(const double* rows, size_t pitch, const int32_t* index, size_t count, const double* b,
                const double* w, const double* x, double* out);
double passRows(const float* rows, size_t pitch, const int32_t* index, size_t count, const double* b,
                const double* w, const float* x, double* out);

// out += sum coefficient a
void combineRows(const double* rows, size_t pitch, const int32_t* index, size_t count,
                 const double* coefficients, double* out);

// out_k = left[rowIndex_k] · right[columnIndex_k]
void pairProducts(const double* left, const double* right, size_t pitch, const int32_t* rowIndex,
                  const int32_t* columnIndex, size_t count, double* out);

// y += factor x
void addScaled(double factor, const double* x, double* y, size_t count);

// Householder's triangularization of `count` rows in place: R in the first min(count, rank) rows, with the
// columns beyond the rank (a right-hand side) turned along. `scratch` holds one row.
void triangularize(double* a, size_t count, size_t pitch, size_t rank, double* scratch);

}  // namespace extrema::lowrank
