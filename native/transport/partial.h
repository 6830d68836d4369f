#pragma once

#include "transport/solve.h"

namespace extrema::transport {

struct PartialReport : Report {
  double mass = 0;  // sum P
};

// Moves `mass` of the weights a and b, which need not have the same total: min <C,P> + epsilon sum P (log P -
// 1) over P >= 0 with P1 + s = a, P^T 1 + t = b, sum P = mass, and epsilon sum s (log s - 1), the same of t,
// added for what stays. Potentials: P = exp((f ⊕ g + price - C) / epsilon), s = exp(f / epsilon), t = exp(g /
// epsilon). f (n), g (m) and price hold the start and receive the result; rowSum (n) and columnSum (m)
// receive P1 and P^T 1.
void partial(const Problem& problem, double mass, const Options& options, double* f, double* g, double* price,
             double* rowSum, double* columnSum, PartialReport& report, History& history, Monitor& monitor);

}  // namespace extrema::transport
