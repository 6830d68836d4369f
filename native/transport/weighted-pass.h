#pragma once

#include "transport/passes.h"

namespace extrema::transport {

// A sweep over the rows of a weighted plan,
//   W_ij = P_ij,   or, `weighted`,   W_ij = scale P_ij (alpha_i + beta_j + sign (G_ij + left_i · right_j)),
// for derivatives of values and plans. Where the cost has a border, G has none, and neither has what is
// stored.
struct WeightedPass {
  double epsilon = 1;
  const double *f = nullptr, *g = nullptr;
  bool weighted = false;
  double scale = 1, sign = 1;
  const double *alpha = nullptr, *beta = nullptr;            // n, m; null: 0
  const double* dense = nullptr;                             // G, row-major
  const double *left = nullptr, *rightTransposed = nullptr;  // n × rank, rank × m
  size_t rank = 0;

  double* rowSum = nullptr;     // n
  double* columnSum = nullptr;  // m
  double* store = nullptr;      // W, row-major
  double* gradient = nullptr;  // points, n × d: sum_j W_ij times the derivative of C_ij with respect to x_i.
                               // 0 where that does not exist.
};
void weightedPass(Team& team, const Geometry<double>& geometry, Workspace<double>& workspace,
                  WeightedPass& pass);

}  // namespace extrema::transport
