#pragma once

#include "transport/solve.h"

namespace extrema::transport {

// Entropic transport of weights onto themselves, n = m, a = b, C symmetric: P = exp((f ⊕ f - C) / epsilon). f
// holds the start and receives the result. ERR_SHAPE, naming `name`, for a matrix that is not symmetric.
void symmetricSinkhorn(const Problem& problem, const Options& options, const char* name, double* f,
                       Report& report, Monitor& monitor);

}  // namespace extrema::transport
