#pragma once

#include <cstddef>
#include <cstdint>

#include "core/monitor.h"

namespace extrema::moe {

// Every token takes `k` different experts (at most k, if `partial`), expert e at most capacity_e tokens; the
// sum of the scores taken is to be greatest. By strong duality that is the least, over prices p >= 0 of the
// experts, of
//   phi(p) = sum_t (sum of the k greatest s_te - p_e, none below 0 if `partial`) + sum_e capacity_e p_e.
struct Routing {
  size_t tokens = 0, experts = 0, k = 0;
  bool partial = false;
  const double* scores = nullptr;  // tokens × experts, finite
  const int32_t* capacity =
      nullptr;  // their sum, each cut to `tokens`, is at least tokens × k unless `partial`
};

enum class Ended : int { converged = 0, iterationLimit = 1, timeLimit = 2, stalled = 3 };

struct RoutingReport {
  Ended ended = Ended::converged;
  double sweeps = 0;         // over all scores, for the prices
  double augmentations = 0;  // paths along which tokens were moved
  double value = 0;          // of `choices`
  double bound = 0;          // phi(prices)
};

// Exact: `choices` (tokens × k, -1 for none) and prices with phi(prices) = value. Out of time, `choices` may
// exceed capacities.
void route(const Routing& routing, int32_t* choices, double* prices, RoutingReport& report, Monitor& monitor);

// Prices only, by coordinate steps or by the projected subgradient method: the best found, and what tokens
// choose at them, which may exceed capacities a little.
void findPrices(const Routing& routing, bool subgradient, double maxIterations, int32_t* choices,
                double* prices, RoutingReport& report, Monitor& monitor);

}  // namespace extrema::moe
