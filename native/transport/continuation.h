#pragma once

#include <algorithm>
#include <cmath>

#include "transport/solve.h"

namespace extrema::transport {

// The epsilons of a continuation: from a twentieth of the range of the costs down to the problem's own,
// halved about from stage to stage.
class Continuation {
 public:
  explicit Continuation(const Context& context) : epsilon_(context.problem.epsilon) {
    // Costs further above the least than this many epsilon count as forbidden.
    constexpr double kWidestRange = 1e9;
    constexpr double kStartDivisor = 20, kStageFactor = 2;
    range = std::min(context.range.most - context.range.least, kWidestRange * epsilon_);
    const double first = std::max(range / kStartDivisor, epsilon_);
    last = static_cast<int>(std::round(std::log(first / epsilon_) / std::log(kStageFactor)));
    if (first > epsilon_) last = std::max(last, 1);
    ratio_ = last == 0 ? 1 : std::pow(epsilon_ / first, 1.0 / last);
  }

  double epsilonOf(int stage) const {
    return stage == last ? epsilon_ : epsilon_ * std::pow(ratio_, stage - last);
  }

  double range;  // of the costs
  int last;      // stage

 private:
  double epsilon_, ratio_;
};

}  // namespace extrema::transport
