#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "core/aligned.h"
#include "core/team.h"
#include "transport/problem.h"

namespace extrema::transport {

// Anderson acceleration of a fixed-point iteration x <- g(x): the next x is the combination of the last steps
// whose residual g - x is least, in a norm that weighs entry j of each of `arrays` arrays by weight_j.
class Anderson {
 public:
  Anderson(size_t arrays, size_t n);
  void clear() noexcept { steps_ = 0; }
  // Clears, and takes the first `arrays` of them into account from now on.
  void restart(size_t arrays) noexcept {
    arrays_ = arrays;
    steps_ = 0;
  }
  // Remembers the step from x to g and puts the next x in its place. Entries with a weight of at most
  // `least`, which the combination does not know, go to g. False: there is nothing to combine, or no way to;
  // all go to g.
  bool advance(Team& team, double* x, const double* g, const double* weight, double least);

 private:
  static constexpr size_t kDepth = 5;
  using Columns = std::array<double, kDepth>;

  bool combination(Team& team, const double* residual, const double* weight, Columns& gamma) const;

  size_t arrays_, n_;
  size_t steps_ = 0;  // remembered since the last clear
  Aligned<double> lastResidual_, lastG_;
  std::vector<Aligned<double>> residuals_,
      images_;  // differences of successive residuals and of successive g
};

}  // namespace extrema::transport
