#include "descent/working-set.h"

#include <algorithm>
#include <cmath>

namespace extrema::descent {

namespace {
constexpr size_t kLeast = 100;
}

void WorkingSet::choose() {
  s_.pool.clear();
  others_.clear();
  for (const int32_t k : s_.live) {
    const size_t i = static_cast<size_t>(k);
    if (!s_.terms.isActive(i, s_.x[i])) {
      s_.pool.push_back(k);
      continue;
    }
    const double l = s_.model.lipschitz[i];
    steps_[i] = l * std::fabs(s_.terms.step(i, s_.x[i], s_.model.gradient[i], l));
    if (steps_[i] > 0) others_.push_back(k);
  }
  const size_t room = std::max(kLeast, 2 * s_.pool.size()) - s_.pool.size();
  if (others_.size() > room) {
    const auto last = others_.begin() + static_cast<ptrdiff_t>(room);
    std::nth_element(others_.begin(), last, others_.end(), [this](int32_t i, int32_t j) {
      return steps_[i] > steps_[j] || (steps_[i] == steps_[j] && i < j);
    });
    others_.erase(last, others_.end());
  }
  s_.pool.insert(s_.pool.end(), others_.begin(), others_.end());
  std::sort(s_.pool.begin(), s_.pool.end());
}

}  // namespace extrema::descent
