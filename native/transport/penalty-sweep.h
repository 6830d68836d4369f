#pragma once

#include "transport/passes.h"
#include "transport/penalty.h"

namespace extrema::transport {

// A full iteration of the scaling algorithm (Chizat, Peyré, Schmitzer, Vialard 2018, arXiv 1607.05816,
// Algorithm 1) in the log domain: f, then g, to where the penalties ask for the sums of the plan; then the
// best translation of both.
class PenaltySweep {
 public:
  PenaltySweep(size_t n, size_t m);

  // Returns the number of passes.
  int run(Team& team, const Geometry<double>& geometry, Workspace<double>& workspace, const Penalty& a,
          const Penalty& b, double epsilon, double* f, double* g);

  double error = 0;  // sum |P1 - what f asked for| of the state before

 private:
  Aligned<double> shift_, scale_, rowSum_, columnSum_, columnMin_;
};

// (f + t, g - t) with the best t.
void translate(const Penalty& a, const Penalty& b, double epsilon, double* f, double* g);

}  // namespace extrema::transport
