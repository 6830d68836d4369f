#include "descent/selection.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "descent/largest.h"

namespace extrema::descent {

namespace {
constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Steps whose D_i |d_i| is at most this part of the gradient at 0 are rounding errors, and score 0.
constexpr double kNoStep = 1e-14;
}  // namespace

Selector::Selector(State& state, BlockSolver& solver, Updates& updates)
    : s_(state), scores_(state.n), order_(state.n), best_(state, solver, updates) {
  const Selection selection = s_.rules.selection;
  setWeights();
  restart();
  if (selection == Selection::lipschitz) urn_.emplace(s_.fixed ? s_.norms : s_.model.lipschitz);
  if (isTree(selection)) forest_.emplace(state);
  if (selection == Selection::iht || (selection == Selection::gsn && !s_.fixed)) thresholding_.emplace(state);
}

void Selector::restart() {
  const size_t count = s_.fixed ? s_.blocks.count() : s_.pool.size();
  if (s_.fixed) {
    std::iota(order_.begin(), order_.begin() + static_cast<ptrdiff_t>(count), 0);
  } else {
    std::copy(s_.pool.begin(), s_.pool.end(), order_.begin());
  }
  // A permutation begins with a shuffle.
  at_ = s_.rules.selection == Selection::permutation ? count : 0;
}

// D_i of the score g_i² / (2 D_i).
void Selector::setWeights() {
  const Selection s = s_.rules.selection;
  weights_.resize(s_.n);
  if (s == Selection::gsl && s_.fixed) {
    for (const int32_t i : s_.blocks.indices) weights_[i] = s_.norms[s_.out.blockOf[i]];
  } else if (s == Selection::gs || s == Selection::gsTree) {
    double most = 0;
    for (const int32_t i : s_.live) most = std::max(most, s_.model.lipschitz[i]);
    std::fill(weights_.begin(), weights_.end(), most);
  } else if (s_.rules.rowSums && (s == Selection::gsd || s == Selection::iht || s == Selection::gsn)) {
    s_.model.rowSums(weights_.data());
  } else {
    const double factor =
        s == Selection::gsl || s == Selection::gslTree ? 1 : static_cast<double>(s_.capacity);
    for (const int32_t i : s_.live) weights_[i] = factor * s_.model.lipschitz[i];
  }
}

// The next coordinates of the order.
void Selector::takeNext(size_t from) {
  s_.size = std::min(s_.rules.blockSize, s_.pool.size() - from);
  std::copy_n(order_.begin() + static_cast<ptrdiff_t>(from), s_.size, s_.block.begin());
  s_.sortBlock();
}

double Selector::select() {
  const size_t count = s_.fixed ? s_.blocks.count() : s_.pool.size();
  switch (s_.rules.selection) {
    case Selection::random:
      if (s_.fixed) {
        s_.take(s_.stream.below(count));
      } else {
        s_.stream.shuffle(order_.data(), std::min(s_.rules.blockSize, count), count);
        takeNext(0);
      }
      return kInfinity;
    case Selection::cyclic:
      if (s_.fixed) {
        s_.take(at_);
        at_ = (at_ + 1) % count;
      } else {
        s_.size = std::min(s_.rules.blockSize, count);
        for (size_t a = 0; a < s_.size; a++) s_.block[a] = s_.pool[(at_ + a) % count];
        at_ = (at_ + s_.size) % count;
        s_.sortBlock();
      }
      return kInfinity;
    case Selection::permutation:
      if (at_ >= count) {
        s_.stream.shuffle(order_.data(), count, count);
        at_ = 0;
      }
      if (s_.fixed) {
        s_.take(static_cast<size_t>(order_[at_++]));
      } else {
        takeNext(at_);
        at_ += s_.size;
      }
      return kInfinity;
    case Selection::lipschitz:
      if (s_.fixed) {
        s_.take(static_cast<size_t>(urn_->draw(s_.stream.uniform())));
        urn_->putBack(static_cast<size_t>(s_.number));
        return kInfinity;
      }
      for (s_.size = 0; s_.size < s_.capacity; s_.size++) {
        const int32_t i = urn_->draw(s_.stream.uniform());
        if (i < 0) break;
        s_.block[s_.size] = i;
      }
      for (size_t a = 0; a < s_.size; a++) urn_->putBack(static_cast<size_t>(s_.block[a]));
      s_.sortBlock();
      return kInfinity;
    case Selection::randomTree:
      s_.stream.shuffle(order_.data(), count, count);
      forest_->grow(order_);
      return kInfinity;
    default:
      return selectGreedily();
  }
}

double Selector::selectGreedily() {
  const double* gradient = s_.model.gradient.data();
  const double least = kNoStep * s_.scale;
  double bound = 0;
  for (const int32_t k : s_.live) {
    const size_t i = static_cast<size_t>(k);
    const double d = s_.terms.step(i, s_.x[i], gradient[i], weights_[i]);
    const double size = weights_[i] * std::fabs(d);
    if (!(size <= bound)) bound = size;
    if (size <= least) {
      scores_[i] = 0;
    } else {
      scores_[i] = s_.terms.composite ? s_.terms.decrease(i, s_.x[i], gradient[i], weights_[i], d)
                                      : 0.5 * size * std::fabs(d);
    }
  }
  isFlat_ = bound <= least;
  if (s_.rules.selection == Selection::mi) {
    best_.byTrial();
  } else if (s_.rules.selection == Selection::gsq || (s_.rules.selection == Selection::gsn && s_.fixed)) {
    best_.byModel();
  } else if (isTree(s_.rules.selection)) {
    std::copy(s_.live.begin(), s_.live.end(), order_.begin());
    std::sort(order_.begin(), order_.begin() + static_cast<ptrdiff_t>(s_.live.size()),
              [this](int32_t i, int32_t j) {
                return scores_[i] > scores_[j] || (scores_[i] == scores_[j] && i < j);
              });
    forest_->grow(order_);
  } else if (s_.fixed) {
    takeBestFixed();
  } else {
    takeLargest(s_, scores_);
    if (thresholding_) thresholding_->choose(weights_, scores_);
  }
  return bound;
}

// The fixed block with the largest sum of scores.
void Selector::takeBestFixed() {
  size_t best = 0;
  double most = -1;
  for (size_t b = 0; b < s_.blocks.count(); b++) {
    double sum = 0;
    for (int32_t k = s_.blocks.start[b]; k < s_.blocks.start[b + 1]; k++)
      sum += scores_[s_.blocks.indices[k]];
    if (sum <= most) continue;
    most = sum;
    best = b;
  }
  s_.take(best);
}

}  // namespace extrema::descent
