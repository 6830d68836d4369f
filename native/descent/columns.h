#pragma once

#include <vector>

#include "descent/model.h"

namespace extrema::descent {

// A matrix by its columns: compressed, or dense with each column contiguous.
class Columns {
 public:
  Columns(const Matrix& matrix, Team& team);

  // Σ_r A_rj w[r · stride]
  double dot(size_t j, const double* w, size_t stride) const;
  // out[r · stride] += factor A_rj
  void add(size_t j, double factor, double* out, size_t stride) const;
  size_t length(size_t j) const { return dense_ ? rows_ : static_cast<size_t>(start_[j + 1] - start_[j]); }
  size_t entries() const { return values_.size(); }

  // f(r, A_rj) over the entries of column j; not those that are 0 where it is dense.
  template <class F>
  void each(size_t j, F&& f) const {
    if (dense_) {
      const double* column = &values_[j * rows_];
      for (size_t r = 0; r < rows_; r++) {
        if (column[r] != 0) f(r, column[r]);
      }
      return;
    }
    for (int32_t e = start_[j]; e < start_[j + 1]; e++) f(static_cast<size_t>(where_[e]), values_[e]);
  }

 private:
  void takeDense(const Matrix& matrix, Team& team);
  void takeSparse(const Matrix& matrix);

  size_t rows_;
  bool dense_;
  std::vector<int32_t> start_, where_;
  std::vector<double> values_;
};

}  // namespace extrema::descent
