#pragma once

#include <cstddef>

#include "core/monitor.h"

namespace extrema::transport {

// min <C, Q diag(1/g) R^T> + epsilon sum over Q, R, g of x (log x - 1)  over Q >= 0 (n × rank) with row sums
// a, R >= 0 (m × rank) with row sums b, both with column sums g. Weights sum to 1. The cost is a matrix, or U
// W^T.
struct LowRank {
  size_t n = 0, m = 0, rank = 0, factors = 0;
  const double* cost = nullptr;  // n × m, or null
  const double* u = nullptr;     // n × factors
  const double* w = nullptr;     // m × factors
  const double *a = nullptr, *b = nullptr;
  double scale = 1;  // size of the cost
  double epsilon = 0, tolerance = 0, maxIterations = 0;
  unsigned threads = 1;
  // Start and result: Q and R with exact row sums on entry, all marginals exact on return.
  double *q = nullptr, *r = nullptr, *g = nullptr;
  double* report = nullptr;  // status, iterations, residual, <C, Q diag(1/g) R^T>, inner iterations
};
void lowRankSinkhorn(const LowRank& problem, Monitor& monitor);

}  // namespace extrema::transport
