#pragma once

#include <cstddef>
#include <cstdint>

#include "core/aligned.h"
#include "core/team.h"

namespace extrema::dense {

// A borrowed matrix: row-major, or compressed sparse rows whose columns ascend.
struct MatrixView {
  size_t rows = 0, columns = 0;
  const double* data = nullptr;
  const int32_t *indptr = nullptr, *indices = nullptr;
  const double* values = nullptr;

  bool sparse() const { return data == nullptr; }
};

// Products with one vector at a time, in chunks of rows; sums over rows are added in the order of the chunks.
class Products {
 public:
  Products(Team& team, const MatrixView& a);

  void apply(const double* x, double* y);            // y = A x
  void applyTransposed(const double* y, double* x);  // x = A^T y
  void normal(const double* x, double* out);         // out = A^T (A x), reading A once
  // r = b - A x and out = A^T r, reading A once. Returns |r|^2.
  double residual(const double* b, const double* x, double* r, double* out);

 private:
  template <class F>
  void accumulate(double* out, F&& block);

  Team& team_;
  const MatrixView& a_;
  size_t rowsPerChunk_, block_;
  uint32_t chunks_;
  Aligned<double> sums_, scratch_;
};

// Y (rows x l) = A X and X (columns x l) = A^T Y for row-major blocks of vectors.
class BlockProducts {
 public:
  BlockProducts(Team& team, const MatrixView& a, size_t most);

  void apply(const double* x, size_t l, double* y);
  void applyTransposed(const double* y, size_t l, double* x);

 private:
  Team& team_;
  const MatrixView& a_;
  Aligned<double> parts_;
  // The transpose of a sparse matrix.
  Aligned<int32_t> start_, row_;
  Aligned<double> value_;
};

}  // namespace extrema::dense
