#pragma once

#include <vector>

#include "descent/state.h"

namespace extrema::descent {

// Iterative hard thresholding of the quadratic model, from the diagonal step of the block: a variable block
// for which the model falls far.
class Thresholding {
 public:
  explicit Thresholding(State& state);
  // Replaces the block. D_i of its diagonal step are `weights`; `scores` are spoilt.
  void choose(const std::vector<double>& weights, std::vector<double>& scores);

 private:
  void startAnew(std::vector<double>& scores);
  void findNorm(bool current, int steps);

  State& s_;
  std::vector<double> wide_, product_, eigenvector_, diagonal_;
  std::vector<int32_t> before_;
  double curvature_ = 1;
};

}  // namespace extrema::descent
