#pragma once

#include "transport/solve.h"
#include "transport/weighted-pass.h"

namespace extrema::transport {

// out_i <- -epsilon log sum_j exp((potential_j - C_ij) / epsilon), or transposed the same over the columns.
void softTransform(const Problem& problem, unsigned threads, bool transpose, const double* potential,
                   double* out, Monitor& monitor);

// A matrix G of the plan's shape: dense, row-major, or left · right^T of `rank` columns; or, with neither,
// none.
struct PlanWeight {
  const double *dense = nullptr, *left = nullptr, *right = nullptr;
  size_t rank = 0;
};

// Points: out (n × d) <- sum_j W_ij d C_ij / d x_i with W = P, or (P ∘ (alpha ⊕ beta - G)) / epsilon where
// alpha and beta are given.
void pointGradient(const Problem& problem, unsigned threads, const double* f, const double* g,
                   const double* alpha, const double* beta, const PlanWeight& weight, double* out,
                   Monitor& monitor);

struct VjpReport {
  Status status = Status::iterationLimit;
  double iterations = 0;
  double residual = 0;  // of the linear system, relative, in the L1 norm
};

// The derivative of l(P) at an entropic plan, given G = dl/dP, by the implicit function theorem: solves
//   [ diag(P1) + bendA    P                ] [u]   [ (G ∘ P) 1   ]
//   [ P^T                 diag(P^T 1) + bendB ] [v] = [ (G ∘ P)^T 1 ]
// by conjugate gradients on a Schur complement; dl/dC = P ∘ (u ⊕ v - G) / epsilon, which is written where
// costGradient points. bendA and bendB (0 where a marginal is kept) are the derivatives of what relaxed
// potentials ask for, times -epsilon. u and v of nodes without weight, f = -Infinity, are those of a little
// weight.
void planVjp(const Problem& problem, const Options& options, const double* f, const double* g,
             const double* bendA, const double* bendB, const PlanWeight& weight, double* u, double* v,
             double* costGradient, VjpReport& report, Monitor& monitor);

}  // namespace extrema::transport
