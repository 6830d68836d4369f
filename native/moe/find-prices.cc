#include <algorithm>
#include <cmath>
#include <limits>

#include "moe/demand.h"

namespace extrema::moe {

namespace {

// Coordinate steps on a function that is not smooth may come to a halt above its minimum.
constexpr int kPatience = 10;

}  // namespace

void findPrices(const Routing& routing, bool subgradient, double maxIterations, int32_t* choices,
                double* prices, RoutingReport& report, Monitor& monitor) {
  Demand demand(routing, monitor);
  std::copy_n(prices, routing.experts, demand.prices.begin());
  demand.evaluate();
  double best = std::numeric_limits<double>::infinity();
  const double step = demand.spread() / 2;
  int idle = 0;
  report.ended = Ended::iterationLimit;
  for (;;) {
    if (monitor.cancelled()) return;
    const double imbalance = demand.imbalance(), bound = demand.bound();
    if (bound < best) {
      idle = bound < best - 1e-12 * std::fabs(best) ? 0 : idle + 1;
      best = bound;
      std::copy(demand.prices.begin(), demand.prices.end(), prices);
    } else {
      idle++;
    }
    monitor.progress(report.sweeps, imbalance);
    if (imbalance == 0) {  // complementary slackness: the prices are optimal
      report.ended = Ended::converged;
      break;
    }
    if (!subgradient && idle >= kPatience) {
      report.ended = Ended::stalled;
      break;
    }
    if (report.sweeps >= maxIterations) break;
    if (monitor.expired()) {
      report.ended = Ended::timeLimit;
      break;
    }
    report.sweeps++;
    if (subgradient) {
      const double length = step / std::sqrt(report.sweeps);
      for (size_t e = 0; e < routing.experts; e++) {
        const double capacity = std::max(1, routing.capacity[e]);
        const double over = std::min(1.0, (demand.load[e] - routing.capacity[e]) / capacity);
        demand.prices[e] = std::max(0.0, demand.prices[e] + length * over);
      }
      demand.evaluate();
    } else {
      for (size_t e = 0; e < routing.experts && !monitor.cancelled(); e++) demand.balance(e);
    }
  }
  std::copy_n(prices, routing.experts, demand.prices.begin());
  demand.evaluate();
  const int32_t* taken;
  for (size_t t = 0; t < routing.tokens; t++) {
    const size_t count = demand.taken(t, &taken);
    for (size_t r = 0; r < routing.k; r++) {
      choices[t * routing.k + r] = r < count ? taken[r] : -1;
      if (r < count) report.value += routing.scores[t * routing.experts + static_cast<size_t>(taken[r])];
    }
  }
  report.bound = demand.bound();
}

}  // namespace extrema::moe
