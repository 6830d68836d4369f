#include "moe/rows.h"

#include <limits>

#include "simd/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "moe/rows.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::moe {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void Greatest(const double* s, const double* p, size_t experts, size_t count, double* scratch, double* value,
              int32_t* expert) {
  const hn::ScalableTag<double> d;
  const size_t N = hn::Lanes(d);
  const double least = -std::numeric_limits<double>::infinity();
  size_t e = 0;
  for (; e + N <= experts; e += N)
    hn::StoreU(hn::Sub(hn::LoadU(d, s + e), hn::LoadU(d, p + e)), d, scratch + e);
  for (; e < experts; e++) scratch[e] = s[e] - p[e];
  const size_t end = (experts + N - 1) / N * N;
  for (; e < end; e++) scratch[e] = least;
  for (size_t r = 0; r < count; r++) {
    auto best = hn::Set(d, least);
    for (size_t k = 0; k < end; k += N) best = hn::Max(best, hn::LoadU(d, scratch + k));
    const double most = hn::GetLane(hn::MaxOfLanes(d, best));
    value[r] = most;
    expert[r] = -1;
    if (most == least) continue;
    const auto wanted = hn::Set(d, most);
    for (size_t k = 0; k < end; k += N) {
      const intptr_t found = hn::FindFirstTrue(d, hn::Eq(hn::LoadU(d, scratch + k), wanted));
      if (found < 0) continue;
      expert[r] = static_cast<int32_t>(k + static_cast<size_t>(found));
      scratch[expert[r]] = least;
      break;
    }
  }
}

void LowerLosses(const double* s, double own, int64_t unit, double* loss, int64_t* units, size_t experts) {
  const hn::ScalableTag<double> d;
  const hn::ScalableTag<int64_t> di;
  const size_t N = hn::Lanes(d);
  const auto mine = hn::Set(d, own);
  const auto index = hn::Set(di, unit);
  size_t e = 0;
  for (; e + N <= experts; e += N) {
    const auto x = hn::Sub(mine, hn::LoadU(d, s + e)), old = hn::LoadU(d, loss + e);
    const auto lower = hn::Lt(x, old);
    if (hn::AllFalse(d, lower)) continue;
    hn::StoreU(hn::Min(x, old), d, loss + e);
    hn::BlendedStore(index, hn::RebindMask(di, lower), di, units + e);
  }
  for (; e < experts; e++) {
    if (own - s[e] >= loss[e]) continue;
    loss[e] = own - s[e];
    units[e] = unit;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::moe
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::moe {

EXTREMA_EXPORT(Greatest);
EXTREMA_EXPORT(LowerLosses);

void greatest(const double* s, const double* p, size_t experts, size_t count, double* scratch, double* value,
              int32_t* expert) {
  EXTREMA_DISPATCH(Greatest)(s, p, experts, count, scratch, value, expert);
}

void lowerLosses(const double* s, double own, int64_t unit, double* loss, int64_t* units, size_t experts) {
  EXTREMA_DISPATCH(LowerLosses)(s, own, unit, loss, units, experts);
}

}  // namespace extrema::moe
#endif
