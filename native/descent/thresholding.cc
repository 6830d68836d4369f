#include "descent/thresholding.h"

#include <algorithm>
#include <cmath>

#include "descent/largest.h"

namespace extrema::descent {

namespace {
constexpr int kRounds = 10;

double norm(const std::vector<double>& v) {
  double sum = 0;
  for (const double value : v) sum += value * value;
  return std::sqrt(sum);
}
}  // namespace

Thresholding::Thresholding(State& state) : s_(state), wide_(state.n), product_(state.n) {
  curvature_ = hessianNorm();
}

void Thresholding::choose(const std::vector<double>& weights, std::vector<double>& scores) {
  const bool current = s_.rules.selection == Selection::gsn && !s_.model.quadratic;
  const double* gradient = s_.model.gradient.data();
  std::fill(wide_.begin(), wide_.end(), 0.0);
  for (size_t a = 0; a < s_.size; a++) wide_[s_.block[a]] = -gradient[s_.block[a]] / weights[s_.block[a]];
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

// ‖H‖ by the power method, a little enlarged.
double Thresholding::hessianNorm() {
  for (size_t i = 0; i < s_.n; i++) wide_[i] = 1 + s_.stream.uniform();
  double value = 0;
  for (int k = 0; k < 30 && !s_.monitor.cancelled(); k++) {
    const double length = norm(wide_);
    for (size_t i = 0; i < s_.n; i++) wide_[i] /= length;
    s_.model.product(wide_.data(), false, product_.data());
    value = norm(product_);
    wide_ = product_;
    if (value == 0) break;
  }
  return 1.05 * value;
}

}  // namespace extrema::descent
