#pragma once

#include "transport/newton.h"
#include "transport/penalty.h"

namespace extrema::transport {

// Maximises the dual of entropic transport under the penalties: continuation in epsilon, scaling iterations,
// and sparse Newton steps as those of sinkhornNewtonAdaptive. Potentials at a bound of total variation that
// the gradient holds there stay out of a step, the others are projected on the bounds (Bertsekas 1982,
// "Projected Newton Methods for Optimization Problems with Simple Constraints").
void penaltyNewton(Context& context, const Options& options, Penalty& a, Penalty& b, double* f, double* g,
                   Report& report, History& history);

}  // namespace extrema::transport
