#pragma once

#include <vector>

#include "descent/columns.h"
#include "descent/model.h"
#include "descent/row-loss.h"

namespace extrema::descent {

// Which coordinates meet in rows of A, and what the Hessian of a sum over rows has there.
class Pairs {
 public:
  Pairs(const Problem& problem, const Columns& columns, const RowLoss& loss, const Monitor& monitor);
  const Graph& graph();
  // Σ_j |H_ij| of the bound.
  void rowSums(double* out) const;
  // Of the Hessian at these slopes, or of the bound where they are null.
  void block(const int32_t* block, size_t size, const int32_t* place, const double* slopes, SparseBlock& out);

 private:
  // f(r, A_rj, other feature, A_r,other) over the rows of feature j.
  template <class F>
  void each(size_t j, F&& f) const;

  const Problem& p_;
  const Matrix& a_;
  const Columns& columns_;
  const RowLoss& loss_;
  const Monitor& monitor_;
  size_t k_, n_;
  Graph graph_;
  std::vector<int32_t> list_;
  std::vector<char> seen_;
  std::vector<double> sums_;
};

}  // namespace extrema::descent
