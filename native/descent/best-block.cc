#include "descent/best-block.h"

#include <cmath>
#include <limits>
#include <numeric>

#include "descent/dense.h"

namespace extrema::descent {

namespace {
double norm(const std::vector<double>& v, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += v[i] * v[i];
  return std::sqrt(sum);
}
}  // namespace

void BestBlock::byModel() {
  const bool current = s_.rules.selection == Selection::gsn;
  size_t best = 0;
  double most = -1;
  for (size_t b = 0; b < s_.blocks.count() && !s_.monitor.cancelled(); b++) {
    s_.take(b);
    s_.model.blockGradient(s_.block.data(), s_.size, s_.g.data());
    const double decrease = modelDecrease(current);
    if (decrease <= most) continue;
    most = decrease;
    best = b;
  }
  s_.take(best);
}

double BestBlock::modelDecrease(bool current) {
  double sum = 0;
  if (s_.rules.cubic > 0 && current) return cubicDecrease();
  solver_.minimize(current);
  if (solver_.hasProgram()) {
    const double* h = solver_.hessian();
    for (size_t a = 0; a < s_.size; a++) {
      double row = 0;
      for (size_t b = 0; b < s_.size; b++) row += h[a * s_.size + b] * s_.d[b];
      const size_t i = static_cast<size_t>(s_.block[a]);
      sum -= s_.d[a] * (s_.g[a] + 0.5 * row) + s_.terms.change(i, s_.x[i], s_.d[a]);
    }
    return sum;
  }
  for (size_t a = 0; a < s_.size; a++) sum -= 0.5 * s_.g[a] * s_.d[a];
  return sum;
}

// -min of g·d + ½ dᵀH d + cubic/6 |d|³ : the root r = |d(r)| with (H + cubic r / 2 I) d = -g.
double BestBlock::cubicDecrease() {
  cubicH_.resize(s_.capacity * s_.capacity);
  s_.model.hessian(s_.block.data(), s_.size, true, cubicH_.data());
  double low = 0, high = std::sqrt(2 * norm(s_.g, s_.size) / s_.rules.cubic), length = 0;
  for (int k = 0; k < 100 && high - low > 1e-14 * high; k++) {
    const double r = 0.5 * (low + high);
    shifted_ = cubicH_;
    for (size_t a = 0; a < s_.size; a++) shifted_[a * s_.size + a] += 0.5 * s_.rules.cubic * r;
    if (factorize(shifted_.data(), s_.size, true) >= 0) {
      low = r;
      continue;
    }
    for (size_t a = 0; a < s_.size; a++) s_.d[a] = -s_.g[a];
    forward(shifted_.data(), s_.size, s_.d.data());
    backward(shifted_.data(), s_.size, s_.d.data());
    length = norm(s_.d, s_.size);
    (length > r ? low : high) = r;
  }
  double sum = s_.rules.cubic / 6 * length * length * length;
  for (size_t a = 0; a < s_.size; a++) {
    double row = 0;
    for (size_t b = 0; b < s_.size; b++) row += cubicH_[a * s_.size + b] * s_.d[b];
    sum += s_.d[a] * (s_.g[a] + 0.5 * row);
  }
  return -sum;
}

void BestBlock::byTrial() {
  size_t bestSize = 0;
  int32_t bestNumber = -1;
  double least = std::numeric_limits<double>::infinity();
  places_.resize(s_.capacity);
  std::iota(places_.begin(), places_.end(), size_t{0});
  for (size_t b = 0; !s_.monitor.cancelled(); b++) {
    if (s_.fixed) {
      if (b >= s_.blocks.count()) break;
      s_.take(b);
    } else {
      s_.size = s_.capacity;
      for (size_t a = 0; a < s_.capacity; a++) s_.block[a] = s_.live[places_[a]];
    }
    s_.model.blockGradient(s_.block.data(), s_.size, s_.g.data());
    const double change = updates_.propose();
    if (change < least) {
      least = change;
      bestSize = s_.size;
      bestNumber = static_cast<int32_t>(b);
      best_ = s_.block;
    }
    if (s_.fixed) continue;
    // The next set of places in lexicographic order.
    size_t a = s_.capacity;
    while (a > 0 && places_[a - 1] == s_.live.size() - s_.capacity + a - 1) a--;
    if (a == 0) break;
    places_[a - 1]++;
    for (size_t q = a; q < s_.capacity; q++) places_[q] = places_[q - 1] + 1;
  }
  s_.size = bestSize;
  s_.number = s_.fixed ? bestNumber : -1;
  s_.block = best_;
}

}  // namespace extrema::descent
