#pragma once

#include "core/aligned.h"
#include "core/team.h"
#include "linear/view.h"

namespace extrema::dense {

// Products with A^T A that read A once, in chunks of rows; sums over rows are added in the order of the
// chunks.
class NormalProducts {
 public:
  NormalProducts(Team& team, const MatrixView& a);

  // out = A^T (A x)
  void apply(const double* x, double* out);
  // r = b - A x and out = A^T r. Returns |r|^2.
  double residual(const double* b, const double* x, double* r, double* out);

 private:
  template <class F>
  void accumulate(double* out, F&& block);
  // sum += A^T y for some rows.
  void addTransposed(size_t row, size_t count, const double* y, double* sum) const;

  Team& team_;
  const MatrixView& a_;
  size_t rowsPerChunk_, block_;
  uint32_t chunks_;
  Aligned<double> sums_, scratch_;
};

}  // namespace extrema::dense
