#include "transport/sinkhorn-acceleration.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace extrema::transport {

namespace {

// Targets with less than this part of the mean weight are left to the plain iteration: extrapolated, they
// explode.
constexpr double kNegligible = 1e-10;
// Where values agree to rounding, errors decide.
constexpr double kWorse = 2;
constexpr int kLongestWait = 1 << 20;
// Extrapolations kept in a row that halve the number of plain steps after the next refusal.
constexpr int kStreak = 16;

}  // namespace

SinkhornAcceleration::SinkhornAcceleration(const Problem& problem, double unit, const double* g)
    : problem_(problem),
      unit_(unit),
      least_(kNegligible * sum(problem.b, problem.m) / static_cast<double>(problem.m)),
      anderson_(1, problem.m),
      x_(problem.m),
      image_(problem.m),
      products_(std::max(problem.n, problem.m)),
      best_(std::numeric_limits<double>::infinity()) {
  std::copy_n(g, problem.m, x_.data());
}

bool SinkhornAcceleration::sound(const double* f, const double* g, double error) {
  const size_t n = problem_.n, m = problem_.m;
  double size = 0;
  for (size_t i = 0; i < n; i++) {
    products_[i] = problem_.a[i] * f[i];
    size += std::fabs(products_[i]);
  }
  const double rows = sum(products_.data(), n);
  for (size_t j = 0; j < m; j++) {
    products_[j] = problem_.b[j] * x_[j];
    size += std::fabs(products_[j]);
  }
  const double value = rows + sum(products_.data(), m), noise = 64 * unit_ * size;
  for (size_t j = 0; j < m; j++) products_[j] = problem_.b[j] * g[j];
  value_ = rows + sum(products_.data(), m);
  error_ = error;
  if (!extrapolated_) return true;
  return value - dual_ > noise || (value - dual_ >= -noise && error <= kWorse * best_);
}

void SinkhornAcceleration::advance(Team& team, bool sound, double* g) {
  const size_t m = problem_.m;
  if (!sound) {
    anderson_.clear();
    wait_ = penalty_;
    penalty_ = std::min(2 * penalty_, kLongestWait);
    streak_ = 0;
    std::copy_n(image_.data(), m, g);
    return keep(g);
  }
  if (extrapolated_ && ++streak_ % kStreak == 0) penalty_ = std::max(penalty_ / 2, 1);
  dual_ = value_;
  best_ = std::min(best_, error_);
  if (wait_ > 0) {
    wait_--;
    return keep(g);
  }
  std::copy_n(g, m, image_.data());
  extrapolated_ = anderson_.advance(team, x_.data(), image_.data(), problem_.b, least_);
  std::copy_n(x_.data(), m, g);
}

void SinkhornAcceleration::keep(const double* g) {
  std::copy_n(g, problem_.m, x_.data());
  extrapolated_ = false;
}

}  // namespace extrema::transport
