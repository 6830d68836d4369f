#include "descent/updates.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "descent/line-search.h"

namespace extrema::descent {

Updates::Updates(State& state, BlockSolver& solver)
    : s_(state),
      solver_(solver),
      twoMetric_(state, solver, *this),
      memory_(state.fixed ? state.blocks.count() : 1) {}

double Updates::tryStep() {
  double change = s_.model.trial(s_.block.data(), s_.size, s_.g.data(), s_.d.data());
  if (!s_.terms.composite) return change;
  for (size_t a = 0; a < s_.size; a++) {
    const size_t i = static_cast<size_t>(s_.block[a]);
    change += s_.terms.change(i, s_.x[i], s_.d[a]);
  }
  return change;
}

double Updates::propose() {
  switch (s_.rules.update) {
    case Update::gradient: {
      const double bound = !s_.norms.empty() && s_.number >= 0 ? s_.norms[s_.number] : solver_.norm();
      for (size_t a = 0; a < s_.size; a++) {
        const size_t i = static_cast<size_t>(s_.block[a]);
        s_.d[a] = s_.terms.step(i, s_.x[i], s_.g[a], bound);
      }
      return tryStep();
    }
    case Update::lipschitzApproximation:
      return approximate();
    case Update::twoMetric:
      return twoMetric_.propose();
    case Update::newton:
      return newton();
    case Update::messagePassing:
      if (!s_.model.quadratic) return newton();
      break;
    default:
      break;
  }
  solver_.minimize(false);
  return tryStep();
}

double Updates::approximate() {
  double& bound = memory_[s_.fixed ? static_cast<size_t>(s_.number) : 0];
  for (size_t a = 0; a < s_.size; a++) bound = std::max(bound, s_.model.lipschitz[s_.block[a]]);
  for (;;) {
    double promised = 0, rest = 0;
    for (size_t a = 0; a < s_.size; a++) {
      const size_t i = static_cast<size_t>(s_.block[a]);
      s_.d[a] = s_.terms.step(i, s_.x[i], s_.g[a], bound);
      promised += s_.d[a] * (s_.g[a] + 0.5 * bound * s_.d[a]);
      rest += s_.terms.change(i, s_.x[i], s_.d[a]);
    }
    const double change = s_.model.trial(s_.block.data(), s_.size, s_.g.data(), s_.d.data());
    if (change <= promised + 1e-12 * std::fabs(promised) + noise()) return change + rest;
    bound *= 2;
    if (!std::isfinite(bound)) solver_.refuse(0);
  }
}

double Updates::newton() {
  solver_.minimize(true);
  double slope = 0;
  for (size_t a = 0; a < s_.size; a++) {
    const size_t i = static_cast<size_t>(s_.block[a]);
    slope += s_.g[a] * s_.d[a] + s_.terms.change(i, s_.x[i], s_.d[a]);
  }
  if (slope == 0) return tryStep();
  direction_ = s_.d;
  BackTracking search(slope);
  for (;;) {
    const double change = tryStep();
    if (change <= kArmijo * search.step * slope + noise()) return change;
    const bool goesOn = search.shorten(change);
    for (size_t a = 0; a < s_.size; a++) s_.d[a] = goesOn ? search.step * direction_[a] : 0;
    if (!goesOn) return tryStep();
  }
}

}  // namespace extrema::descent
