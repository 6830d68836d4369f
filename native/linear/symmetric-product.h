#pragma once

#include "core/aligned.h"
#include "core/team.h"

namespace extrema::dense {

// y = A x for a symmetric column-major A by its lower triangle, of which every entry is read once.
class SymmetricProduct {
 public:
  SymmetricProduct(Team& team, size_t largest);
  void run(const double* a, size_t pitch, size_t n, const double* x, double* y);

 private:
  Team& team_;
  Aligned<double> parts_;
  size_t largest_;
};

}  // namespace extrema::dense
