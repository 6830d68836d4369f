#pragma once

#include "transport/passes.h"

// What is read off a solution: P_ij = exp((f_i + g_j - C_ij) / epsilon), never formed unless asked for.
// Potentials of nodes without weight are -Infinity.
namespace extrema::transport {

// out (n × m) <- P
void formPlan(const Problem& problem, unsigned threads, const double* f, const double* g, double* out,
              Monitor& monitor);
// out <- P v (n), or P^T v (m)
void applyPlan(const Problem& problem, unsigned threads, bool transpose, const double* f, const double* g,
               const double* v, double* out, Monitor& monitor);
// Entries of P that are >= threshold.
Sparse sparsePlan(const Problem& problem, unsigned threads, double threshold, const double* f,
                  const double* g, Monitor& monitor);
// out_i <- min_j (C_ij - potential_j), or transposed out_j <- min_i (C_ij - potential_i)
void costTransform(const Problem& problem, unsigned threads, bool transpose, const double* potential,
                   double* out, Monitor& monitor);

}  // namespace extrema::transport
