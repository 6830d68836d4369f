#pragma once

#include "transport/anderson.h"
#include "transport/solve.h"

namespace extrema::transport {

// Anderson acceleration of Sinkhorn's iteration as a map of g to itself. With the f of its sweep, g has the
// semi-dual value H(g) = a·f + b·g, and the sweep's own step to (f, g') the dual value D = a·f + b·g' <=
// H(g'). An extrapolated g is kept if its H is at least the D of the step it replaced, so that values never
// fall below those of plain steps; else that step is taken after all, and twice as many plain ones as the
// last time.
class SinkhornAcceleration {
 public:
  // `unit`: the relative rounding error of potentials.
  SinkhornAcceleration(const Problem& problem, double unit, const double* g);

  // The state after a sweep, and the column error of the g it began with: whether that g was worth keeping.
  bool sound(const double* f, const double* g, double error);
  // The g to go on from, in place of the sweep's. After a sweep that was not sound: that of the last plain
  // step.
  void advance(Team& team, bool sound, double* g);
  // Goes on from g itself.
  void keep(const double* g);

 private:
  const Problem& problem_;
  double unit_, least_;
  Anderson anderson_;
  Aligned<double> x_, image_, products_;
  bool extrapolated_ = false;
  int wait_ = 0, penalty_ = 1, streak_ = 0;
  double value_ = 0, dual_ = 0, best_, error_ = 0;
};

}  // namespace extrema::transport
