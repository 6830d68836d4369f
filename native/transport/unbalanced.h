#pragma once

#include "transport/solve.h"

namespace extrema::transport {

struct UnbalancedReport : Report {
  double dualValue = 0;  // sum rho a (1 - exp(-f / rho)) + … - epsilon sum P
  double gap = 0;        // of the entropic problem: primal less dual value
  double mass = 0;       // sum P
  double translation = 0;
};

// min <C,P> + epsilon sum P (log P - 1) + penaltyA KL(P1 | a) + penaltyB KL(P^T 1 | b) over P >= 0, with
// another divergence in place of KL, and epsilon KL(P | a b^T) in place of the entropic term where the
// problem says so. f (n) and g (m) hold the start and receive the result, as P = exp((f ⊕ g - C) / epsilon);
// rowSum (n) and columnSum (m) receive P1 and P^T 1.
void unbalanced(const Problem& problem, const Options& options, double* f, double* g, double* rowSum,
                double* columnSum, UnbalancedReport& report, History& history, Monitor& monitor);

// The same for the divergences other than KL.
void penalised(Context& context, const Options& options, double* f, double* g, double* rowSum,
               double* columnSum, UnbalancedReport& report, History& history);

}  // namespace extrema::transport
