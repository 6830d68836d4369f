#pragma once

#include <cstddef>
#include <vector>

#include "core/monitor.h"
#include "transport/log-kernel.h"

namespace extrema::transport {

// The b that minimises sum_k lambda_k OT_epsilon(a_k, b), or with `debiased` the Sinkhorn divergences to the
// a_k.
struct Barycenter {
  std::vector<CostAxis> axes;
  size_t count = 0;                    // K
  const double* histograms = nullptr;  // K × N, >= 0, rows of the same sum
  const double* weights = nullptr;     // K, lambda, of sum 1
  double epsilon = 0;
  bool debiased = true;
  bool plain = false;  // the iteration as published
  double tolerance = 0, maxIterations = 0;
  unsigned threads = 1;
  // Results
  double* barycenter = nullptr;  // N
  double* f = nullptr;           // K × N: of the plans P_k = exp((f_k ⊕ g_k - C) / epsilon)
  double* g = nullptr;
  double* report = nullptr;  // status, iterations, residual, sum_k lambda_k OT_epsilon(a_k, b)
};
void barycenter(const Barycenter& problem, Monitor& monitor);

}  // namespace extrema::transport
