#pragma once

#include "descent/problem.h"

namespace extrema::descent {

// φ_r of a row with one margin a_rᵀ x: squares and the logistic loss; or with one for each class: softmax.
class RowLoss {
 public:
  explicit RowLoss(const Problem& problem)
      : loss_(problem.loss), classes_(problem.classes), target_(problem.target) {}

  // φ_r and its slopes at these margins.
  double evaluate(size_t r, const double* margins, double* slopes) const;
  // Bound of the second derivative in the margins c and d: 1, ¼, ½ (δ - 1/k) (Böhning).
  double bound(size_t c, size_t d) const {
    if (loss_ == Loss::leastSquares) return 1;
    if (loss_ == Loss::logistic) return 0.25;
    return 0.5 * ((c == d ? 1.0 : 0.0) - 1 / static_cast<double>(classes_));
  }
  // The second derivative itself, from the slopes of row r.
  double second(size_t r, const double* slopes, size_t c, size_t d) const;

 private:
  Loss loss_;
  size_t classes_;
  const double* target_;
};

}  // namespace extrema::descent
