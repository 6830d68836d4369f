#pragma once

#include <algorithm>
#include <chrono>
#include <limits>

#include "core/team.h"

namespace extrema::transport {

// The least time of so many calls of `body`, in the unit `Period`. Its result is used, so that no compiler
// leaves it out.
template <class Period, class Body>
double leastTime(Team& team, int repetitions, const Body& body) {
  double best = std::numeric_limits<double>::infinity();
  volatile double sink = 0;
  for (int k = 0; k < repetitions && !team.monitor().cancelled(); k++) {
    const auto start = Monitor::Clock::now();
    const double result = body();
    best = std::min(best, std::chrono::duration<double, Period>(Monitor::Clock::now() - start).count());
    sink = sink + result;
  }
  return best;
}

}  // namespace extrema::transport
