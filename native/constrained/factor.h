#pragma once

#include <cstdint>

#include "constrained/system.h"
#include "core/monitor.h"

namespace extrema::constrained {

struct FactorReport {
  Ended ended = Ended::converged;
  double positive = 0, negative = 0;  // pivots: the inertia
  double residual = 0;                // |b - A z|
  double flops = 0;
  double replaced = 0;  // pivots that vanished
};

struct FactorSettings {
  const int32_t* order = nullptr;  // sparse: position k is row order[k]
  size_t positive = 0;  // sparse: so many first rows expect positive pivots, the others negative ones
  double floor = 0;     // sparse: least pivot, as a part of the largest entry
};

// L D Lᵀ of a symmetric matrix, for its inertia and, if b is given, for A z = b with refinement. Dense: with
// Bunch and Kaufman's pivoting; sparse: within the envelope of the order, without pivoting.
void factor(const System& a, const FactorSettings& settings, const double* b, double* z, FactorReport& report,
            Monitor& monitor);

}  // namespace extrema::constrained
