#include <cmath>
#include <string>

#include "core/error.h"
#include "simd/dispatch.h"
#include "transport/chunk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/cost-range.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "transport/rows-inl.h"

namespace extrema::transport {
#ifndef EXTREMA_TRANSPORT_EXTENT
#define EXTREMA_TRANSPORT_EXTENT
struct Extent {
  double least = std::numeric_limits<double>::infinity();
  double most = -std::numeric_limits<double>::infinity();
  bool bad = false, forbids = false;
};
#endif
}  // namespace extrema::transport

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

void ExtentChunk64(const Chunk<double>& chunk, Extent& extent) {
  const hn::ScalableTag<double> d;
  const auto infinity = hn::Set(d, std::numeric_limits<double>::infinity());
  auto least = infinity, most = hn::Neg(infinity);
  auto bad = hn::FirstN(d, 0), forbids = bad;
  const size_t m = chunk.geometry->coreM, N = hn::Lanes(d);
  ForRows(chunk, [&](size_t i, const auto& cost) HWY_ATTR {
    if (i >= chunk.geometry->coreN) return;
    ForColumns(d, cost, m, [&](size_t j, auto c) HWY_ATTR {
      forbids = hn::Or(forbids, hn::And(hn::FirstN(d, std::min(N, m - j)), hn::Ge(c, infinity)));
      const auto finite = hn::Lt(c, infinity);  // false for NaN too
      bad = hn::Or(bad, hn::Or(hn::IsNaN(c), hn::Le(c, hn::Neg(infinity))));
      least = hn::Min(least, hn::IfThenElse(finite, c, infinity));
      most = hn::Max(most, hn::IfThenElse(finite, c, hn::Neg(infinity)));
    });
  });
  extent.least = hn::GetLane(hn::MinOfLanes(d, least));
  extent.most = hn::GetLane(hn::MaxOfLanes(d, most));
  extent.bad = !hn::AllFalse(d, bad);
  extent.forbids = !hn::AllFalse(d, forbids);
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport {

EXTREMA_EXPORT(ExtentChunk64);

namespace {

[[noreturn]] void reportBadCost(const Geometry<double>& geometry) {
  for (size_t i = 0; i < geometry.coreN; i++) {
    for (size_t j = 0; j < geometry.coreM; j++) {
      const size_t k = i * geometry.coreM + j;
      const double c = geometry.cost64 != nullptr ? geometry.cost64[k] : geometry.cost32[k];
      if (c > -std::numeric_limits<double>::infinity()) continue;
      throw Error("ERR_NOT_FINITE",
                  "cost[" + std::to_string(i) + "][" + std::to_string(j) +
                      "]: expected a finite number (or Infinity for a forbidden arc), got " +
                      (std::isnan(c) ? "NaN" : "-Infinity"));
    }
  }
  throw Error("ERR_NOT_FINITE", "cost: changed while it was being read");
}

}  // namespace

CostRange costRange(Team& team, const Geometry<double>& geometry, Workspace<double>& ws) {
  if (geometry.metric != Metric::dense) {
    if (!std::isfinite(geometry.diameter)) {
      throw Error("ERR_NOT_FINITE",
                  "cost: the distances between the points overflow; rescale the coordinates");
    }
    return {0, geometry.diameter, false};
  }
  std::vector<Extent> extents(ws.chunks);
  team.run(ws.chunks, [&](uint32_t c, unsigned worker) {
    EXTREMA_DISPATCH(ExtentChunk64)(makeChunk(team, geometry, ws, c, worker), extents[c]);
  });
  Extent all;
  for (const Extent& extent : extents) {
    all.least = std::min(all.least, extent.least);
    all.most = std::max(all.most, extent.most);
    all.bad |= extent.bad;
    all.forbids |= extent.forbids;
  }
  if (all.bad) reportBadCost(geometry);
  return {all.least, all.most, all.forbids};
}

}  // namespace extrema::transport
#endif
