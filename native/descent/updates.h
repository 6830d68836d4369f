#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "descent/block-solver.h"
#include "descent/two-metric.h"

namespace extrema::descent {

// The update rules.
class Updates {
 public:
  Updates(State& state, BlockSolver& solver);
  // Writes the step of the block to d; returns what it changes the objective by.
  double propose();
  // What the step d changes the objective by.
  double tryStep();
  // A proximal gradient step, from the last bound of L, doubled until f(x + d) <= f + g·d + ½ L |d|².
  double approximate();
  // What rounding may make of a change of the objective.
  double noise() const { return s_.model.quadratic ? 0 : 1e-14 * std::max(1.0, std::fabs(s_.value)); }

 private:
  // Newton's step with back-tracking; with other terms the minimum of its model in place of the step.
  double newton();

  State& s_;
  BlockSolver& solver_;
  TwoMetric twoMetric_;
  std::vector<double> memory_, direction_;
};

}  // namespace extrema::descent
