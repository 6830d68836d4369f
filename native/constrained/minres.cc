#include "constrained/minres.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace extrema::constrained {

namespace {
constexpr double kWork = 1 << 15;
constexpr int kCheckInterval = 20;
}  // namespace

void minres(const System& a, const double* b, const double* scale, double threshold, double maxIterations,
            double* z, MinresReport& report, Monitor& monitor) {
  const size_t n = a.rows;
  const double length = static_cast<double>(n), product = 2 * static_cast<double>(a.entries());
  std::fill_n(z, n, 0.0);
  std::vector<double> before(n), v(b, b + n), y(n), w0(n), w1(n), w2(n), r(n);
  for (size_t i = 0; i < n; i++) y[i] = scale[i] * v[i];
  const auto residual = [&] {
    a.residual(z, b, r.data());
    return std::sqrt(dot(r.data(), r.data(), n));
  };
  double beta = std::sqrt(dot(v.data(), y.data(), n)), oldBeta = 0, phi = beta, dbar = 0, epsilon = 0,
         cosine = -1, sine = 0, work = 0;
  report.flops = 4 * length;
  report.ended = std::sqrt(dot(b, b, n)) <= threshold ? Ended::converged : Ended::iterationLimit;
  while (report.ended != Ended::converged && report.iterations < maxIterations && beta > 0) {
    // Lanczos
    std::vector<double>& direction = w0;
    for (size_t i = 0; i < n; i++) direction[i] = y[i] / beta;
    a.multiply(direction.data(), y.data());
    if (report.iterations > 0) {
      for (size_t i = 0; i < n; i++) y[i] -= (beta / oldBeta) * before[i];
    }
    const double alpha = dot(direction.data(), y.data(), n);
    for (size_t i = 0; i < n; i++) y[i] -= (alpha / beta) * v[i];
    before.swap(v);
    v.swap(y);
    for (size_t i = 0; i < n; i++) y[i] = scale[i] * v[i];
    oldBeta = beta;
    beta = std::sqrt(std::max(0.0, dot(v.data(), y.data(), n)));
    // Rotations
    const double oldEpsilon = epsilon, delta = cosine * dbar + sine * alpha,
                 gbar = sine * dbar - cosine * alpha;
    epsilon = sine * beta;
    dbar = -cosine * beta;
    const double gamma =
        std::max(std::sqrt(gbar * gbar + beta * beta), std::numeric_limits<double>::denorm_min());
    cosine = gbar / gamma;
    sine = beta / gamma;
    const double step = cosine * phi;
    phi *= sine;
    for (size_t i = 0; i < n; i++) {
      const double value = (direction[i] - oldEpsilon * w1[i] - delta * w2[i]) / gamma;
      direction[i] = value;
      z[i] += step * value;
    }
    // w0 w1 w2 <- w1 w2 direction
    w0.swap(w1);
    w1.swap(w2);
    report.iterations++;
    report.flops += product + 22 * length;
    work += product + 22 * length;
    if (static_cast<int64_t>(report.iterations) % kCheckInterval == 0 || beta == 0 ||
        report.iterations == maxIterations) {
      const double size = residual();
      report.flops += product + 3 * length;
      if (size <= threshold) report.ended = Ended::converged;
      monitor.progress(report.iterations, size);
    }
    if (work < kWork) continue;
    work = 0;
    if (monitor.cancelled()) return;
    if (monitor.expired()) {
      report.ended = Ended::timeLimit;
      break;
    }
  }
  report.residual = residual();
}

}  // namespace extrema::constrained
