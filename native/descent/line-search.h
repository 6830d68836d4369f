#pragma once

#include <cmath>

namespace extrema::descent {

// Of the decrease that the slope promises, what a step must bring (Armijo).
constexpr double kArmijo = 1e-10;

// Back-tracking from step 1: quadratic, then cubic interpolation, kept within [0.1, 0.5] of the last step.
class BackTracking {
 public:
  explicit BackTracking(double slope) : slope_(slope) {}
  double step = 1;

  // The next shorter step after one that changed the value by `change`; false when it is too short.
  bool shorten(double change) {
    double next = 0.5 * step;
    if (std::isfinite(change)) {
      const double excess = change - slope_ * step;
      if (lastStep_ == 0) {
        next = (-slope_ * step * step) / (2 * excess);
      } else {
        const double lastExcess = lastChange_ - slope_ * lastStep_;
        const double p = excess / (step * step), q = lastExcess / (lastStep_ * lastStep_);
        const double a = (p - q) / (step - lastStep_), b = (-lastStep_ * p + step * q) / (step - lastStep_);
        const double root = b * b - 3 * a * slope_;
        next = a == 0 ? -slope_ / (2 * b) : (std::sqrt(std::fmax(0, root)) - b) / (3 * a);
      }
      lastStep_ = step;
      lastChange_ = change;
    }
    step = next >= 0.1 * step && next <= 0.5 * step ? next : next < 0.1 * step ? 0.1 * step : 0.5 * step;
    return ++trials_ < kTrials;
  }

 private:
  static constexpr int kTrials = 60;
  double slope_, lastStep_ = 0, lastChange_ = 0;
  int trials_ = 0;
};

}  // namespace extrema::descent
