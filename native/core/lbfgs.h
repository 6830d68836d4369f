#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "core/aligned.h"

namespace extrema {

// A point that `lbfgs` asks to be evaluated. The caller fills in all but x and iteration.
struct LbfgsTrial {
  Aligned<double> x, gradient;
  double value = 0;
  double residual = 0;   // what the tolerance bounds, of this point
  double roundoff = 0;   // how far the value may be off by rounding
  double iteration = 0;  // done so far
};

struct LbfgsOptions {
  double tolerance = 1e-9;
  double maxIterations = 500;
  double firstStep = 1;  // the first step changes no variable by more
  size_t memory = 10;    // pairs of steps and gradient differences
};

enum class LbfgsStatus { converged, iterationLimit, stalled, stopped };

struct LbfgsResult {
  LbfgsStatus status;
  double iterations;
  double value, residual;
};

namespace lbfgs_detail {

// Four partial sums, the same as the portable twin's.
inline double dot(const Aligned<double>& x, const Aligned<double>& y) {
  double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  const size_t whole = x.size() & ~size_t{3};
  for (size_t i = 0; i < whole; i += 4) {
    s0 += x[i] * y[i];
    s1 += x[i + 1] * y[i + 1];
    s2 += x[i + 2] * y[i + 2];
    s3 += x[i + 3] * y[i + 3];
  }
  for (size_t i = whole; i < x.size(); i++) s0 += x[i] * y[i];
  return s0 + s1 + (s2 + s3);
}

inline void addScaled(Aligned<double>& out, double factor, const Aligned<double>& vector) {
  for (size_t i = 0; i < out.size(); i++) out[i] += factor * vector[i];
}

inline void assign(Aligned<double>& out, const Aligned<double>& from) {
  std::copy(from.begin(), from.end(), out.begin());
}

// The last steps s and gradient differences y, and the inverse Hessian that they make.
class Pairs {
 public:
  Pairs(size_t n, size_t memory) : inverse_(memory), weights_(memory) {
    for (size_t q = 0; q < memory; q++) {
      steps_.emplace_back(n);
      changes_.emplace_back(n);
    }
  }

  size_t count() const { return count_; }
  void clear() { count_ = 0; }

  // Keeps a step unless it has no positive curvature, as can be beyond a kink or at rounding.
  void add(const Aligned<double>& x, const Aligned<double>& gradient, const Aligned<double>& xNext,
           const Aligned<double>& gradientNext) {
    const size_t memory = steps_.size(), next = (newest_ + 1) % memory;
    Aligned<double>&s = steps_[next], &y = changes_[next];
    for (size_t i = 0; i < x.size(); i++) {
      s[i] = xNext[i] - x[i];
      y[i] = gradientNext[i] - gradient[i];
    }
    const double product = dot(s, y);
    if (product > 1e-16 * std::sqrt(dot(s, s) * dot(y, y))) {
      inverse_[next] = 1 / product;
      newest_ = next;
      count_ = std::min(count_ + 1, memory);
    } else if (count_ == memory) {
      count_--;  // the oldest was in that place
    }
  }

  // out = -H gradient by the two-loop recursion (algorithm 7.4).
  void direction(const Aligned<double>& gradient, Aligned<double>& out) {
    const size_t memory = steps_.size();
    for (size_t i = 0; i < out.size(); i++) out[i] = -gradient[i];
    for (size_t age = 0; age < count_; age++) {
      const size_t q = (newest_ + memory - age) % memory;
      weights_[q] = inverse_[q] * dot(steps_[q], out);
      addScaled(out, -weights_[q], changes_[q]);
    }
    if (count_ > 0) {
      const double scale = 1 / (inverse_[newest_] * dot(changes_[newest_], changes_[newest_]));
      for (double& value : out) value *= scale;
    }
    for (size_t age = count_; age-- > 0;) {
      const size_t q = (newest_ + memory - age) % memory;
      addScaled(out, weights_[q] - inverse_[q] * dot(changes_[q], out), steps_[q]);
    }
  }

 private:
  std::vector<Aligned<double>> steps_, changes_;
  std::vector<double> inverse_, weights_;
  size_t count_ = 0, newest_ = 0;
};

struct Sample {
  double step, value, slope;
};

// Where between two samples a cubic through them has its minimum, kept away from their ends; the middle if
// nowhere.
inline double between(const Sample& low, const Sample& high, bool hidden) {
  double part;
  if (hidden) {
    part = low.slope / (low.slope - high.slope);
  } else {
    const double width = high.step - low.step;
    const double d1 = low.slope + high.slope - 3 * (high.value - low.value) / width;
    const double root = std::sqrt(d1 * d1 - low.slope * high.slope);
    const double d2 = width < 0 ? -root : root;
    part = 1 - (high.slope + d2 - d1) / (high.slope - low.slope + 2 * d2);
  }
  if (std::isnan(part)) return 0.5;
  return std::min(0.9, std::max(0.1, part));
}

}  // namespace lbfgs_detail

// Minimises a function of x by limited-memory BFGS with a strong Wolfe line search (Nocedal and Wright, 2nd
// edition, algorithms 3.5, 3.6 and 7.5). `evaluate(trial)` fills in the value and gradient of trial.x and
// returns whether to go on. x is the start and receives the best point.
//
// Where values differ by less than their rounding, slopes decide (Hager and Zhang's approximate Wolfe
// conditions): on smooth functions gradients get about as small as their own rounding.
template <class Evaluate>
LbfgsResult lbfgs(Aligned<double>& x, const LbfgsOptions& options, Evaluate&& evaluate) {
  using namespace lbfgs_detail;
  constexpr double kDecrease = 1e-4, kCurvature = 0.9;
  constexpr int kMostTrials = 20;
  // After so many trials a kink is likely, where no step has a small slope: a decrease beyond the kink will
  // do.
  constexpr int kPatience = 4;

  const size_t n = x.size();
  Aligned<double> gradient(n), direction(n), bestX(n), bestGradient(n);
  LbfgsTrial trial;
  trial.x = Aligned<double>(n);
  trial.gradient = Aligned<double>(n);
  assign(trial.x, x);
  Pairs pairs(n, options.memory);
  if (!evaluate(trial)) return {LbfgsStatus::stopped, 0, trial.value, trial.residual};
  assign(gradient, trial.gradient);
  double value = trial.value, residual = trial.residual;

  for (double iterations = 0;; iterations++) {
    if (residual <= options.tolerance) return {LbfgsStatus::converged, iterations, value, residual};
    if (iterations >= options.maxIterations)
      return {LbfgsStatus::iterationLimit, iterations, value, residual};
    trial.iteration = iterations;
    pairs.direction(gradient, direction);
    double slope = dot(gradient, direction);
    if (!(slope < 0)) {
      pairs.clear();
      pairs.direction(gradient, direction);
      slope = dot(gradient, direction);
    }
    if (!(slope < 0 && std::isfinite(slope))) return {LbfgsStatus::stalled, iterations, value, residual};

    // [low, high] holds a step that meets the conditions once `bracketed`; low is the best so far.
    double step = 1;
    if (pairs.count() == 0) {
      double largest = 0;
      for (const double d : direction) largest = std::max(largest, std::fabs(d));
      step = options.firstStep / largest;
    }
    Sample low{0, value, slope}, high = low;
    bool bracketed = false, accepted = false, found = false;
    double bestValue = 0, bestResidual = 0;
    for (int count = 0; count < kMostTrials; count++) {
      for (size_t i = 0; i < n; i++) trial.x[i] = x[i] + step * direction[i];
      if (!evaluate(trial)) return {LbfgsStatus::stopped, iterations, value, residual};
      const Sample here{step, trial.value, dot(trial.gradient, direction)};
      const double roundoff = trial.roundoff;
      const bool hidden = here.value <= value + roundoff && -step * slope <= 1e3 * roundoff;
      const bool lower = here.value <= value + kDecrease * step * slope;
      if (lower || (hidden && here.slope <= (2 * kDecrease - 1) * slope)) {
        accepted = std::fabs(here.slope) <= -kCurvature * slope ||
                   (count >= kPatience && here.slope >= kCurvature * slope);
        if (accepted || !found || here.value < bestValue) {
          found = true;
          assign(bestX, trial.x);
          assign(bestGradient, trial.gradient);
          bestValue = trial.value;
          bestResidual = trial.residual;
        }
      }
      if (accepted) break;
      const bool numbers = std::isfinite(here.value) && std::isfinite(here.slope);
      if (!numbers || (!hidden && (!lower || here.value >= low.value))) {
        high = here;
        bracketed = true;
      } else {
        if (bracketed ? here.slope * (high.step - low.step) >= 0 : here.slope >= 0) {
          high = low;
          bracketed = true;
        }
        low = here;
      }
      if (!bracketed) {
        step *= count == 0 ? 2 : 4;
      } else {
        double part = count % 3 == 2 ? 0.5 : between(low, high, hidden);
        // Where there are no numbers nothing says how far it is to the first.
        if (!numbers) part = 0.1;
        step = low.step + (high.step - low.step) * part;
      }
    }
    if (!found) {
      // A direction from old pairs may be a bad one: once more from the gradient alone.
      if (pairs.count() == 0) return {LbfgsStatus::stalled, iterations, value, residual};
      pairs.clear();
      continue;
    }
    pairs.add(x, gradient, bestX, bestGradient);
    assign(x, bestX);
    assign(gradient, bestGradient);
    value = bestValue;
    residual = bestResidual;
  }
}

}  // namespace extrema
