#pragma once

#include "transport/problem.h"

namespace extrema::transport {

// out_i (n × columns) = sum_j w_ij v_j with w_i the softmax over j of (g_j - C_ij) / epsilon: the barycentric
// projection of a plan with potential g, at any source. g_j = -infinity leaves j out.
struct Projection {
  Problem problem;  // without weights
  const double* g = nullptr;
  const double* values = nullptr;  // m × columns
  size_t columns = 0;
  unsigned threads = 1;
  double* out = nullptr;
};
void project(const Projection& projection, Monitor& monitor);

}  // namespace extrema::transport
