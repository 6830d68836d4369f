#include "transport/column-math.h"

#include <limits>

#include "simd/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/column-math.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Calls visit with all of s; past its end with -Infinity.
template <class F>
HWY_INLINE void ForAll(const double* HWY_RESTRICT s, size_t count, F visit) {
  const hn::ScalableTag<double> d;
  const size_t N = hn::Lanes(d);
  size_t i = 0;
  for (; i + N <= count; i += N) visit(hn::LoadU(d, s + i));
  if (i < count) {
    visit(extrema::HWY_NAMESPACE::LoadN(d, s + i, count - i, -std::numeric_limits<double>::infinity()));
  }
}

double LargestOf(const double* s, size_t count) {
  const hn::ScalableTag<double> d;
  auto largest = hn::Set(d, -std::numeric_limits<double>::infinity());
  ForAll(s, count, [&](auto v) HWY_ATTR { largest = hn::Max(largest, v); });
  return hn::GetLane(hn::MaxOfLanes(d, largest));
}

Above SumAbove(const double* s, size_t count, double largest, double level) {
  const hn::ScalableTag<double> d;
  const auto top = hn::Set(d, largest), least = hn::Set(d, level), one = hn::Set(d, 1.0);
  auto sum = hn::Zero(d), number = hn::Zero(d);
  ForAll(s, count, [&](auto v) HWY_ATTR {
    const auto value = hn::Sub(v, top);
    const auto above = hn::Gt(value, least);
    sum = hn::Add(sum, hn::IfThenElseZero(above, value));
    number = hn::Add(number, hn::IfThenElseZero(above, one));
  });
  return {static_cast<size_t>(hn::GetLane(hn::SumOfLanes(d, number))), hn::GetLane(hn::SumOfLanes(d, sum))};
}

Classes Classify(const double* s, size_t count, double largest, double level, double upper, double lower) {
  const hn::ScalableTag<double> d;
  const auto top = hn::Set(d, largest), base = hn::Set(d, level), one = hn::Set(d, 1.0);
  const auto high = hn::Set(d, upper), low = hn::Set(d, lower);
  auto whole = hn::Zero(d), parts = whole, wholeSum = whole, partsSum = whole;
  ForAll(s, count, [&](auto v) HWY_ATTR {
    const auto w = hn::Sub(hn::Sub(v, top), base);
    const auto isWhole = hn::Ge(w, high);
    const auto isPart = hn::AndNot(isWhole, hn::Gt(w, low));
    whole = hn::Add(whole, hn::IfThenElseZero(isWhole, one));
    parts = hn::Add(parts, hn::IfThenElseZero(isPart, one));
    wholeSum = hn::Add(wholeSum, hn::IfThenElseZero(isWhole, w));
    partsSum = hn::Add(partsSum, hn::IfThenElseZero(isPart, w));
  });
  return {static_cast<size_t>(hn::GetLane(hn::SumOfLanes(d, whole))),
          static_cast<size_t>(hn::GetLane(hn::SumOfLanes(d, parts))),
          hn::GetLane(hn::SumOfLanes(d, wholeSum)), hn::GetLane(hn::SumOfLanes(d, partsSum))};
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport {

EXTREMA_EXPORT(LargestOf);
EXTREMA_EXPORT(SumAbove);
EXTREMA_EXPORT(Classify);

double largestOf(const double* s, size_t count) { return EXTREMA_DISPATCH(LargestOf)(s, count); }
Above sumAbove(const double* s, size_t count, double largest, double level) {
  return EXTREMA_DISPATCH(SumAbove)(s, count, largest, level);
}
Classes classify(const double* s, size_t count, double largest, double level, double upper, double lower) {
  return EXTREMA_DISPATCH(Classify)(s, count, largest, level, upper, lower);
}

}  // namespace extrema::transport
#endif
