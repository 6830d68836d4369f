// Loads and stores of the first lanes of a vector, for the tails of arrays. Included once per target.

#if defined(EXTREMA_SIMD_PARTIAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EXTREMA_SIMD_PARTIAL_INL_H_
#undef EXTREMA_SIMD_PARTIAL_INL_H_
#else
#define EXTREMA_SIMD_PARTIAL_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace HWY_NAMESPACE {

/// The first `count` elements at `p` (at most a vector's worth), `fill` in the other lanes. Reads nothing
/// more.
template <class D, class T = hwy::HWY_NAMESPACE::TFromD<D>>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> LoadN(D d, const T* HWY_RESTRICT p, size_t count, T fill = T(0)) {
  namespace hn = hwy::HWY_NAMESPACE;
#if HWY_CAP_GE256
  const auto mask = hn::FirstN(d, count);
  const auto v = hn::MaskedLoad(mask, d, p);
  return fill == T(0) ? v : hn::IfThenElse(mask, v, hn::Set(d, fill));
#else
  HWY_ALIGN T lanes[HWY_MAX_BYTES / sizeof(T)];
  for (size_t i = 0; i < hn::Lanes(d); ++i) lanes[i] = i < count ? p[i] : fill;
  return hn::Load(d, lanes);
#endif
}

/// Stores the first `count` lanes of `v` to `p`. Writes nothing more.
template <class D, class T = hwy::HWY_NAMESPACE::TFromD<D>>
HWY_INLINE void StoreN(hwy::HWY_NAMESPACE::Vec<D> v, D d, T* HWY_RESTRICT p, size_t count) {
  namespace hn = hwy::HWY_NAMESPACE;
#if HWY_CAP_GE256
  hn::BlendedStore(v, hn::FirstN(d, count), d, p);
#else
  HWY_ALIGN T lanes[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(v, d, lanes);
  for (size_t i = 0; i < count; ++i) p[i] = lanes[i];
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#endif  // EXTREMA_SIMD_PARTIAL_INL_H_
