#include "descent/columns.h"

#include <cblas.h>

namespace extrema::descent {

Columns::Columns(const Matrix& matrix, Team& team) : rows_(matrix.rows), dense_(matrix.dense != nullptr) {
  if (dense_) {
    takeDense(matrix, team);
  } else {
    takeSparse(matrix);
  }
}

void Columns::takeDense(const Matrix& matrix, Team& team) {
  constexpr size_t kTile = 32;
  const size_t columns = matrix.columns;
  values_.resize(rows_ * columns);
  forEach(team, (columns + kTile - 1) / kTile, values_.size(), [&](size_t tile, unsigned) {
    const size_t j0 = tile * kTile, end = std::min(columns, j0 + kTile);
    for (size_t r0 = 0; r0 < rows_; r0 += kTile) {
      for (size_t r = r0; r < std::min(rows_, r0 + kTile); r++) {
        for (size_t j = j0; j < end; j++) values_[j * rows_ + r] = matrix.dense[r * columns + j];
      }
    }
  });
}

void Columns::takeSparse(const Matrix& matrix) {
  const size_t nonzeros = static_cast<size_t>(matrix.indptr[rows_]);
  start_.resize(matrix.columns + 1);
  where_.resize(nonzeros);
  values_.resize(nonzeros);
  for (size_t e = 0; e < nonzeros; e++) start_[matrix.indices[e] + 1]++;
  for (size_t j = 0; j < matrix.columns; j++) start_[j + 1] += start_[j];
  std::vector<int32_t> at(start_.begin(), start_.end() - 1);
  for (size_t r = 0; r < rows_; r++) {
    for (int32_t e = matrix.indptr[r]; e < matrix.indptr[r + 1]; e++) {
      const int32_t place = at[matrix.indices[e]]++;
      where_[place] = static_cast<int32_t>(r);
      values_[place] = matrix.data[e];
    }
  }
}

double Columns::dot(size_t j, const double* w, size_t stride) const {
  if (dense_) return cblas_ddot(static_cast<int>(rows_), &values_[j * rows_], 1, w, static_cast<int>(stride));
  const auto at = [&](int32_t e) { return values_[e] * w[static_cast<size_t>(where_[e]) * stride]; };
  // Four sums at once: one alone would wait for its own last addition.
  double sums[4] = {0, 0, 0, 0};
  int32_t e = start_[j];
  for (; e + 4 <= start_[j + 1]; e += 4) {
    for (int32_t q = 0; q < 4; q++) sums[q] += at(e + q);
  }
  for (; e < start_[j + 1]; e++) sums[0] += at(e);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

void Columns::add(size_t j, double factor, double* out, size_t stride) const {
  if (dense_) {
    cblas_daxpy(static_cast<int>(rows_), factor, &values_[j * rows_], 1, out, static_cast<int>(stride));
    return;
  }
  for (int32_t e = start_[j]; e < start_[j + 1]; e++)
    out[static_cast<size_t>(where_[e]) * stride] += factor * values_[e];
}

}  // namespace extrema::descent
