#include "constrained/factor.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "constrained/bunch-kaufman.h"
#include "constrained/envelope.h"

namespace extrema::constrained {

namespace {

constexpr int kRefinements = 3;

template <class Parts>
void run(Parts& parts, const System& a, const double* b, double* z, FactorReport& report, Monitor& monitor) {
  parts.factor(monitor);
  if (monitor.cancelled()) return;
  report.ended = monitor.expired() ? Ended::timeLimit : Ended::converged;
  report.positive = parts.positive;
  report.negative = parts.negative;
  report.replaced = parts.replaced;
  if (b != nullptr && report.ended == Ended::converged) {
    const size_t n = a.rows;
    std::vector<double> r(n), best(n);
    std::fill_n(z, n, 0.0);
    double least = std::numeric_limits<double>::infinity();
    const auto residual = [&] {
      for (size_t i = 0; i < n; i++) r[i] = b[i] - a.dot(i, z);
      parts.flops += 2 * static_cast<double>(a.entries());
      return std::sqrt(dot(r.data(), r.data(), n));
    };
    for (int k = 0; k <= kRefinements && !monitor.cancelled(); k++) {
      const double size = residual();
      if (!(size < least / 2)) break;
      least = size;
      std::copy_n(z, n, best.begin());
      if (size == 0 || !parts.solve(r.data())) break;
      for (size_t i = 0; i < n; i++) z[i] += r[i];
    }
    const double size = residual();
    if (!(size <= least)) std::copy_n(best.begin(), n, z);
    report.residual = size <= least ? size : least;
  }
  report.flops = parts.flops;
}

}  // namespace

void factor(const System& a, const FactorSettings& settings, const double* b, double* z, FactorReport& report,
            Monitor& monitor) {
  if (settings.order == nullptr) {
    BunchKaufman parts(a.data, a.rows);
    run(parts, a, b, z, report, monitor);
  } else {
    Envelope parts(a, settings.order, settings.positive, settings.floor);
    run(parts, a, b, z, report, monitor);
  }
}

}  // namespace extrema::constrained
