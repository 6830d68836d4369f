#pragma once

#include "transport/marginals.h"
#include "transport/passes.h"

namespace extrema::transport {

// A full Sinkhorn iteration of relaxed marginals in the log domain, both updates with their best translation.
class RelaxedSweep {
 public:
  RelaxedSweep(size_t n, size_t m);

  // Updates f, g and the translation. `thorough`: also columns that neither have mass nor are asked for any;
  // two passes more where there are such. Returns the number of passes.
  int run(Team& team, const Geometry<double>& geometry, Workspace<double>& workspace, Marginals& marginals,
          double epsilon, double* f, double* g, bool thorough = false);

  double error = 0;  // sum |P1 - what f asked for| of the state before

 private:
  Aligned<double> shift_, scale_, rowSum_, demand_, columnSum_, columnMin_;
};

}  // namespace extrema::transport
