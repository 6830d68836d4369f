#pragma once

#include <cstddef>

#include "core/aligned.h"
#include "core/team.h"

namespace extrema::dense {

// Q = H_1 H_2 … H_k, H_j = I - tau_j v_j v_j^T, with v_j stored below row j + `below` of column j
// (column-major, pitch `pitch`, m rows), an unstored one at that row and zeros above it. Applied panel by
// panel as I - V T V^T.
class BlockReflectors {
 public:
  BlockReflectors(const double* v, size_t pitch, size_t m, size_t k, size_t below = 0);
  // From tau; `triangles` may also be filled in by who factors.
  void build(Team& team, const double* tau);
  double* triangle(size_t panel) { return triangles_.data() + panel * size_; }

  // c <- Q c or Q^T c for `columns` columns (column-major, pitch), of which rows below `live` only are not
  // zero at first when Q is applied to unit vectors: panels from `firstPanel` down count.
  void apply(bool transpose, double* c, size_t columns, size_t pitch, double* work) const;
  void applyFrom(size_t panels, double* c, size_t columns, size_t pitch, double* work) const;
  // Scratch for so many columns.
  static size_t workSize(size_t columns);
  // The same in chunks of columns by the team.
  void apply(Team& team, bool transpose, double* c, size_t columns, size_t pitch) const;
  // The first `columns` columns of Q, row-major m x columns.
  void form(Team& team, size_t columns, double* q) const;

 private:
  void applyPanel(size_t panel, bool transpose, double* c, size_t columns, size_t pitch, double* work) const;

  const double* v_;
  size_t pitch_, m_, k_, below_, size_;
  Aligned<double> triangles_;
};

}  // namespace extrema::dense
