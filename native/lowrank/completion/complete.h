#pragma once

#include "core/monitor.h"
#include "lowrank/completion/observations.h"
#include "lowrank/completion/regression.h"

namespace extrema::lowrank {

enum class Ended { converged, iterationLimit, timeLimit, stalled };

struct Completion {
  Entries entries, held;  // held.count == 0: none
  size_t rank = 0;
  double regularization = 0, confidence = 0;
  double incoherence = 0;  // > 0: clip the spectral start
  double tolerance = 0, innerTolerance = -1;
  size_t maxIterations = 0, innerIterations = 0, sketchRows = 0, repeats = 1, patience = 0;
  bool biases = false, nonNegative = false, reuse = true, spectral = true,
       single = false;  // sums over the observations of a line in float32
  Solver solver = Solver::exact;
  Inner inner = Inner::cg;
  Sketch sketch = Sketch::sparseSign;
  unsigned threads = 1;
  uint32_t key[2] = {0, 0};
  // Results
  double *u = nullptr, *v = nullptr, *rowBias = nullptr, *columnBias = nullptr;
  int32_t *rowCounts = nullptr, *columnCounts = nullptr;
  double* history = nullptr;  // residual, training RMSE, held-out RMSE, objective of each iteration
  double* report = nullptr;
};

void complete(const Completion& problem, Monitor& monitor);

}  // namespace extrema::lowrank
