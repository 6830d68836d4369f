#pragma once

#include "constrained/system.h"
#include "core/monitor.h"

namespace extrema::constrained {

struct MinresReport {
  Ended ended = Ended::converged;
  double iterations = 0;
  double residual = 0;
  double flops = 0;
};

// Paige, Saunders 1975, for a symmetric matrix, with the preconditioner diag(1 / scale), from z = 0. Ends
// when |A z - b| <= threshold.
void minres(const System& a, const double* b, const double* scale, double threshold, double maxIterations,
            double* z, MinresReport& report, Monitor& monitor);

}  // namespace extrema::constrained
