#include "descent/two-metric.h"

#include <algorithm>
#include <cmath>

#include "descent/line-search.h"
#include "descent/updates.h"

namespace extrema::descent {

namespace {
// A coordinate this near a bound that its gradient points at counts as active.
constexpr double kNearBound = 1e-10;
}  // namespace

TwoMetric::TwoMetric(State& state, BlockSolver& solver, Updates& updates)
    : s_(state), solver_(solver), updates_(updates) {
  if (state.rules.update != Update::twoMetric) return;
  for (std::vector<double>* v : {&slopes_, &low_, &high_, &direction_, &freeG_, &freeD_})
    v->resize(state.capacity);
  free_.resize(state.capacity);
  isFree_.resize(state.capacity);
  freeBlock_.resize(state.capacity);
}

double TwoMetric::propose() {
  size_t count = 0;
  for (size_t a = 0; a < s_.size; a++) {
    const size_t i = static_cast<size_t>(s_.block[a]);
    const double l1 = s_.terms.l1[i], x = s_.x[i];
    low_[a] = s_.terms.lower[i];
    high_[a] = s_.terms.upper[i];
    slopes_[a] = s_.g[a];
    bool active = false;
    if (l1 > 0) {
      const int sign = x > 0 ? 1 : x < 0 ? -1 : s_.g[a] < -l1 ? 1 : s_.g[a] > l1 ? -1 : 0;
      if (sign == 0) {
        active = true;
      } else if (sign > 0) {
        low_[a] = std::max(0.0, low_[a]);
      } else {
        high_[a] = std::min(0.0, high_[a]);
      }
      slopes_[a] = sign == 0 ? 0 : s_.g[a] + sign * l1;
    }
    if (x - low_[a] <= kNearBound && slopes_[a] > 0) active = true;
    if (high_[a] - x <= kNearBound && slopes_[a] < 0) active = true;
    isFree_[a] = !active;
    if (!active) free_[count++] = a;
  }
  for (size_t a = 0; a < s_.size; a++) direction_[a] = -slopes_[a] / s_.model.lipschitz[s_.block[a]];
  if (count > 0) solveFree(count);
  double slope = 0;
  for (size_t c = 0; c < count; c++) slope += slopes_[free_[c]] * direction_[free_[c]];
  BackTracking search(slope);
  for (;;) {
    double promised = search.step * slope;
    for (size_t a = 0; a < s_.size; a++) {
      const double at = s_.x[s_.block[a]];
      s_.d[a] = std::min(high_[a], std::max(low_[a], at + search.step * direction_[a])) - at;
      if (!isFree_[a]) promised += slopes_[a] * s_.d[a];
    }
    const double change = updates_.tryStep();
    if (change <= kArmijo * promised + updates_.noise()) return change;
    if (search.shorten(change)) continue;
    // No step along the projected path helps: a proximal gradient step does.
    return updates_.approximate();
  }
}

// direction_F = -H_FF⁻¹ slopes_F: the free part is a block of its own for the time of the solve.
void TwoMetric::solveFree(size_t count) {
  for (size_t c = 0; c < count; c++) {
    freeBlock_[c] = s_.block[free_[c]];
    freeG_[c] = slopes_[free_[c]];
  }
  const auto exchange = [&] {
    s_.block.swap(freeBlock_);
    s_.g.swap(freeG_);
    s_.d.swap(freeD_);
    std::swap(s_.size, count);
  };
  exchange();
  solver_.solvePart(true);
  exchange();
  for (size_t c = 0; c < count; c++) direction_[free_[c]] = freeD_[c];
}

}  // namespace extrema::descent
