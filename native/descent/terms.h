#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "descent/problem.h"

namespace extrema::descent {

// The separable rest of the objective: l1_i |x_i| within lower_i <= x_i <= upper_i.
struct Terms {
  const double *l1, *lower, *upper;
  bool composite = false;

  Terms(const Problem& problem, size_t n) : l1(problem.l1), lower(problem.lower), upper(problem.upper) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < n; i++)
      composite = composite || l1[i] > 0 || lower[i] > -infinity || upper[i] < infinity;
  }

  double clip(size_t i, double x) const { return std::min(upper[i], std::max(lower[i], x)); }

  // argmin over z of ½ weight (z - x)² + l1_i |z| within the bounds.
  double prox(size_t i, double x, double weight) const {
    const double level = l1[i] / weight;
    return clip(i, x > level ? x - level : x < -level ? x + level : 0);
  }

  // The proximal step from x_i: argmin over d of g d + ½ weight d² + what the rest changes.
  double step(size_t i, double x, double g, double weight) const {
    return composite ? prox(i, x - g / weight, weight) - x : -g / weight;
  }

  // l1_i (|x + d| - |x|), without cancellation where the sign stays.
  double change(size_t i, double x, double d) const {
    if (l1[i] == 0) return 0;
    const double next = x + d;
    if (x > 0 && next >= 0) return l1[i] * d;
    return x < 0 && next <= 0 ? -l1[i] * d : l1[i] * (std::fabs(next) - std::fabs(x));
  }

  // How much the proximal step d lowers its model.
  double decrease(size_t i, double x, double g, double weight, double d) const {
    return -(g * d + 0.5 * weight * d * d + change(i, x, d));
  }

  double value(const double* x, size_t n) const {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
      if (l1[i] > 0) sum += l1[i] * std::fabs(x[i]);
    }
    return sum;
  }

  // At a bound, or 0 under an L1 term.
  bool isActive(size_t i, double x) const { return (l1[i] > 0 && x == 0) || x == lower[i] || x == upper[i]; }

  // For an active coordinate: how far -g is from the border of the subdifferential of the rest at x.
  double distance(size_t i, double x, double g) const {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const bool atZero = l1[i] > 0 && x == 0;
    const double slope = x > 0 ? l1[i] : x < 0 ? -l1[i] : 0;
    const double low = x == lower[i] ? -infinity : atZero ? -l1[i] : slope;
    const double high = x == upper[i] ? infinity : atZero ? l1[i] : slope;
    return std::max(0.0, std::min(high + g, -g - low));
  }
};

}  // namespace extrema::descent
