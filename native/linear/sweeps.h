#pragma once

#include <string>
#include <vector>

#include "linear/operator.h"
#include "linear/triangular.h"

namespace extrema::linear {

// A = D + L + U by rows: where the diagonal of each row is, and its inverse.
class Split {
 public:
  // Throws ERR_NOT_POSITIVE naming a row without a diagonal > 0, or ERR_SINGULAR naming one without diagonal
  // at all if negative ones may pass.
  Split(const Csr& matrix, bool positive);

  Split(const Split&) = delete;

  // out_i = (scale r_i - factor sum_{j<i} a_ij out_j) inverse_i, in ascending order
  void forward(const double* r, double scale, double factor, double* out, Team& team) {
    lower_.scaled(r, scale, factor, inverse.data(), out, team);
  }
  // out_i = r_i - factor inverse_i sum_{j>i} a_ij out_j, in descending order; r may be out
  void backward(const double* r, double factor, double* out, Team& team) {
    upper_.unit(r, factor, inverse.data(), out, team);
  }

  Csr matrix;
  std::vector<int32_t> diagonal;
  std::vector<double> inverse;

 private:
  std::vector<int32_t> after_;
  TriangularSweep lower_, upper_;
};

}  // namespace extrema::linear
