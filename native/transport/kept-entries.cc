#include "transport/kept-entries.h"

#include <algorithm>
#include <cmath>

namespace extrema::transport {

namespace {

constexpr double kLargestTheta = 0.1, kLeastTheta = 1e-12;
constexpr double kKeptFraction = 0.1;          // more kept entries than this make a sparse matrix no cheaper,
constexpr size_t kKeptPerLine = 64;            // unless they are few;
constexpr size_t kMostKept = size_t{1} << 26;  // and that is as much as memory should take
constexpr double kLeastShare = 1e-20;          // of the mass, in the threshold of a row or column

}  // namespace

void KeptEntries::reset() { leastTheta_ = kLeastTheta; }

bool KeptEntries::select(Context& context, const DualPoint& point, double epsilon) {
  const size_t n = rowLog_.size(), m = columnLog_.size();
  // Sums may vanish: such rows have nothing worth keeping.
  const double least = kLeastShare * point.mass;
  for (size_t i = 0; i < n; i++)
    rowLog_[i] = std::log(std::max(point.rowSum[i], least) / static_cast<double>(m));
  for (size_t j = 0; j < m; j++)
    columnLog_[j] = std::log(std::max(point.columnSum[j], least) / static_cast<double>(n));
  ThresholdPass pass;
  pass.epsilon = epsilon;
  pass.f = point.f.data();
  pass.g = point.g.data();
  pass.rowLog = rowLog_.data();
  pass.columnLog = columnLog_.data();
  const double some = kKeptFraction * static_cast<double>(n) * static_cast<double>(m);
  pass.most = std::min(std::max(static_cast<size_t>(some), kKeptPerLine * (n + m)), kMostKept);
  for (double theta = std::min(kLargestTheta, std::max(point.error, leastTheta_));; theta *= 100) {
    theta = std::min(theta, kLargestTheta);
    pass.logTheta = std::log(theta);
    thresholdPass(context.team, context.geometry, context.workspace, pass, entries);
    if (!pass.overflow || theta == kLargestTheta || context.monitor.cancelled()) return !pass.overflow;
    leastTheta_ = std::min(100 * theta, kLargestTheta);
  }
}

}  // namespace extrema::transport
