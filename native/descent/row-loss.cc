#include "descent/row-loss.h"

#include <algorithm>
#include <cmath>

namespace extrema::descent {

namespace {

// log(1 + exp(z))
double softplus(double z) { return std::max(z, 0.0) + std::log1p(std::exp(-std::fabs(z))); }

}  // namespace

double RowLoss::evaluate(size_t r, const double* margins, double* slopes) const {
  const double target = target_[r];
  if (loss_ == Loss::leastSquares) {
    const double residual = margins[0] - target;
    slopes[0] = residual;
    return 0.5 * residual * residual;
  }
  if (loss_ == Loss::logistic) {
    const double z = -target * margins[0];
    slopes[0] = -target / (1 + std::exp(-z));
    return softplus(z);
  }
  double largest = margins[0], sum = 0;
  for (size_t c = 1; c < classes_; c++) largest = std::max(largest, margins[c]);
  for (size_t c = 0; c < classes_; c++) {
    slopes[c] = std::exp(margins[c] - largest);
    sum += slopes[c];
  }
  const size_t own = static_cast<size_t>(target);
  for (size_t c = 0; c < classes_; c++) slopes[c] = slopes[c] / sum - (c == own ? 1 : 0);
  return largest - margins[own] + std::log(sum);
}

double RowLoss::second(size_t r, const double* slopes, size_t c, size_t d) const {
  if (loss_ == Loss::leastSquares) return 1;
  if (loss_ == Loss::logistic) {
    const double p = std::fabs(slopes[0]);
    return p * (1 - p);
  }
  const size_t own = static_cast<size_t>(target_[r]);
  const double p = slopes[c] + (own == c ? 1 : 0), q = slopes[d] + (own == d ? 1 : 0);
  return c == d ? p * (1 - p) : -p * q;
}

}  // namespace extrema::descent
