#pragma once

#include "core/monitor.h"
#include "curvature/fisher.h"

namespace extrema::curvature {

// X <- scale M + numerator / (offset + slope s) y y^T for a symmetric n x n matrix X, in place, with M = keep
// X + identity I, y = M v and s = v^T y. X stays symmetric to the last bit.
struct RankOneJob {
  Results x;
  size_t n = 0;
  const double* v = nullptr;
  double keep = 1, identity = 0, scale = 1, numerator = 0, offset = 1, slope = 0;
  unsigned threads = 1;
};
struct RankOneReport {
  double largest = 0;  // |entry|, NaN if one is not finite
  double s = 0, denominator = 0;
};
// Leaves X as it is if the denominator is not positive, and reports that.
void rankOne(const RankOneJob& job, RankOneReport& report, Monitor& monitor);

}  // namespace extrema::curvature
