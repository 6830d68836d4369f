#pragma once

#include <string>
#include <vector>

#include "linear/operator.h"

namespace extrema::linear {

// A = D + L + U by rows: where the diagonal of each row is, and its inverse.
class Split {
 public:
  // Throws ERR_NOT_POSITIVE naming a row without a diagonal > 0, or ERR_SINGULAR naming one without diagonal
  // at all if negative ones may pass.
  Split(const Csr& matrix, bool positive);

  // out_i = (r_i - factor sum_{j<i} a_ij out_j) times inverse_i, in ascending order
  void forward(const double* r, double factor, double* out) const;
  // out_i = r_i - factor inverse_i sum_{j>i} a_ij out_j, in descending order; r may be out
  void backward(const double* r, double factor, double* out) const;

  Csr matrix;
  std::vector<int32_t> diagonal;
  std::vector<double> inverse;
};

}  // namespace extrema::linear
