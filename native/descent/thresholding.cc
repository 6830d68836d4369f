#include "descent/thresholding.h"

#include <algorithm>
#include <cmath>

#include "descent/largest.h"

namespace extrema::descent {

namespace {
constexpr int kRounds = 10;
// Of the power method: from anywhere, and from where it ended for a Hessian a step ago.
constexpr int kFirst = 30, kAgain = 10;
constexpr double kLeastPart = 1e-6;

double norm(const std::vector<double>& v) {
  double sum = 0;
  for (const double value : v) sum += value * value;
  return std::sqrt(sum);
}
}  // namespace

Thresholding::Thresholding(State& state)
    : s_(state), wide_(state.n), product_(state.n), eigenvector_(state.n) {
  for (double& value : eigenvector_) value = 1 + s_.stream.uniform();
  findNorm(false, kFirst);
}

void Thresholding::choose(const std::vector<double>& weights, std::vector<double>& scores) {
  const bool current = s_.rules.selection == Selection::gsn && !s_.model.quadratic;
  if (current) {
    findNorm(true, kAgain);
    startAnew(scores);
  }
  const std::vector<double>& diagonal = current ? diagonal_ : weights;
  const double* gradient = s_.model.gradient.data();
  std::fill(wide_.begin(), wide_.end(), 0.0);
  for (size_t a = 0; a < s_.size; a++) wide_[s_.block[a]] = -gradient[s_.block[a]] / diagonal[s_.block[a]];
  for (int round = 0; round < kRounds && !s_.monitor.cancelled(); round++) {
    s_.model.product(wide_.data(), current, product_.data());
    for (const int32_t i : s_.live) {
      wide_[i] -= (gradient[i] + product_[i]) / curvature_;
      scores[i] = std::fabs(wide_[i]);
    }
    before_ = s_.block;
    takeLargest(s_, scores);
    s_.enter();
    for (const int32_t i : s_.live) {
      if (s_.place[i] < 0) wide_[i] = 0;
    }
    s_.leave();
    if (round > 0 && before_ == s_.block) break;
  }
}

// The block of the diagonal step by the current Hessian: D_i = τ H_ii, not too small a part of its bound.
void Thresholding::startAnew(std::vector<double>& scores) {
  diagonal_.resize(s_.n);
  for (const int32_t i : s_.live) {
    double own = 0;
    s_.model.hessian(&i, 1, true, &own);
    diagonal_[i] = static_cast<double>(s_.capacity) * std::max(own, kLeastPart * s_.model.lipschitz[i]);
    scores[i] = s_.model.gradient[i] * s_.model.gradient[i] / diagonal_[i];
  }
  takeLargest(s_, scores);
}

// ‖H‖ by the power method, a little enlarged: the steps are its inverse.
void Thresholding::findNorm(bool current, int steps) {
  double value = 0;
  for (int k = 0; k < steps && !s_.monitor.cancelled(); k++) {
    const double length = norm(eigenvector_);
    for (double& entry : eigenvector_) entry /= length;
    s_.model.product(eigenvector_.data(), current, product_.data());
    value = norm(product_);
    if (value == 0) break;
    eigenvector_ = product_;
  }
  // A Hessian that vanished leaves the norm of the last one.
  if (value > 0) curvature_ = 1.05 * value;
}

}  // namespace extrema::descent
