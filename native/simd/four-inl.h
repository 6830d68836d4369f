// Four vectors side by side. Included once per target.

#if defined(EXTREMA_SIMD_FOUR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EXTREMA_SIMD_FOUR_INL_H_
#undef EXTREMA_SIMD_FOUR_INL_H_
#else
#define EXTREMA_SIMD_FOUR_INL_H_
#endif

#include "hwy/highway.h"
#include "simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace HWY_NAMESPACE {

// Four vectors and what is done to each of them. Written so that steps of four independent chains stand side
// by side: one chain alone leaves most of the pipelines idle, and a processor looks ahead by less than four.
template <class V>
struct Four {
  V a, b, c, d;
};
template <class V, class F>
HWY_INLINE Four<V> Each(const Four<V>& x, const F& f) {
  return {f(x.a), f(x.b), f(x.c), f(x.d)};
}
template <class V, class F>
HWY_INLINE Four<V> Each(const Four<V>& x, const Four<V>& y, const F& f) {
  return {f(x.a, y.a), f(x.b, y.b), f(x.c, y.c), f(x.d, y.d)};
}

// Exp2 of each, to the last bit.
template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
HWY_INLINE Four<V> Exp2(D d, Four<V> x) {
  namespace hn = hwy::HWY_NAMESPACE;
  using T = hn::TFromD<D>;
  using C = math::ExpConstants<T>;
  static constexpr math::Exp2Polynomial<T> kSlope;
  constexpr size_t kTop = math::Exp2Polynomial<T>::kCount - 1, kOdd = kTop - 1 + kTop % 2;
  const hn::RebindToUnsigned<D> du;
  x = Each(x,
           [&](V z) HWY_ATTR { return math::NotAbove(d, math::NotBelow(d, z, C::kLowest2), C::kHighest2); });
  const auto rounded = Each(x, [&](V z) HWY_ATTR { return hn::Add(z, hn::Set(d, C::kRound)); });
  const auto r =
      Each(x, rounded, [&](V z, V k) HWY_ATTR { return hn::Sub(z, hn::Sub(k, hn::Set(d, C::kRound))); });
  const auto r2 = Each(r, [&](V z) HWY_ATTR { return hn::Mul(z, z); });
  const auto times = [&](const Four<V>& sum, size_t i) HWY_ATTR {
    const V next = hn::Set(d, kSlope.c[i]);
    return Each(sum, r2, [&](V s, V square) HWY_ATTR { return hn::MulAdd(s, square, next); });
  };
  const V even0 = hn::Set(d, kSlope.c[kTop - kTop % 2]), odd0 = hn::Set(d, kSlope.c[kOdd]);
  Four<V> even = {even0, even0, even0, even0}, odd = {odd0, odd0, odd0, odd0};
  if constexpr (kTop - kTop % 2 > kOdd) even = times(even, kTop - kTop % 2 - 2);
  for (size_t i = kOdd; i >= 3; i -= 2) {
    odd = times(odd, i - 2);
    even = times(even, i - 3);
  }
  const auto slope = Each(Four<V>{hn::MulAdd(odd.a, r.a, even.a), hn::MulAdd(odd.b, r.b, even.b),
                                  hn::MulAdd(odd.c, r.c, even.c), hn::MulAdd(odd.d, r.d, even.d)},
                          r, [&](V p, V z) HWY_ATTR { return hn::MulAdd(p, z, hn::Set(d, T(2))); });
  return Each(slope, rounded, [&](V twice, V k) HWY_ATTR {
    const V scale = hn::BitCast(d, hn::ShiftLeft<C::kMantissaBits>(hn::BitCast(du, k)));  // 2^(k-1)
    return hn::Mul(twice, scale);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#endif  // EXTREMA_SIMD_FOUR_INL_H_
