#pragma once

#include "transport/dual.h"

namespace extrema::transport {

// The large entries S of a plan, which stand for it in the Newton system: those with
// P_ij >= theta min(rowSum_i / m, columnSum_j / n), so that no row and no column loses more than its theta-th
// part; theta falls with the error of the plan.
class KeptEntries {
 public:
  KeptEntries(size_t n, size_t m) : rowLog_(n), columnLog_(m) {}

  // At the beginning of a stage.
  void reset();
  // False if there are too many even for the largest theta. Compares exponents: no pass over the plan.
  bool select(Context& context, const DualPoint& point, double epsilon);

  Sparse entries;

 private:
  Aligned<double> rowLog_, columnLog_;
  double leastTheta_ = 0;
};

}  // namespace extrema::transport
