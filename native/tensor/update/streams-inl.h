// Loops over arrays that are updated side by side, in place. Included once per target.

#if defined(EXTREMA_UPDATE_STREAMS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EXTREMA_UPDATE_STREAMS_INL_H_
#undef EXTREMA_UPDATE_STREAMS_INL_H_
#else
#define EXTREMA_UPDATE_STREAMS_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"
#include "simd/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace tensor {
namespace HWY_NAMESPACE {

// f(d, g, x, …) changes the vectors after g, which go back to where they came from. Lanes past the end are 0.

template <class T, class F>
HWY_INLINE void Update(const T* g, T* x, size_t n, const F& f) {
  namespace hn = hwy::HWY_NAMESPACE;
  namespace ours = extrema::HWY_NAMESPACE;
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    auto xv = hn::LoadU(d, x + i);
    f(d, hn::LoadU(d, g + i), xv);
    hn::StoreU(xv, d, x + i);
  }
  if (i == n) return;
  const size_t rest = n - i;
  auto xv = ours::LoadN(d, x + i, rest);
  f(d, ours::LoadN(d, g + i, rest), xv);
  ours::StoreN(xv, d, x + i, rest);
}

template <class T, class F>
HWY_INLINE void Update(const T* g, T* x, T* a, size_t n, const F& f) {
  namespace hn = hwy::HWY_NAMESPACE;
  namespace ours = extrema::HWY_NAMESPACE;
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    auto xv = hn::LoadU(d, x + i);
    auto av = hn::LoadU(d, a + i);
    f(d, hn::LoadU(d, g + i), xv, av);
    hn::StoreU(xv, d, x + i);
    hn::StoreU(av, d, a + i);
  }
  if (i == n) return;
  const size_t rest = n - i;
  auto xv = ours::LoadN(d, x + i, rest);
  auto av = ours::LoadN(d, a + i, rest);
  f(d, ours::LoadN(d, g + i, rest), xv, av);
  ours::StoreN(xv, d, x + i, rest);
  ours::StoreN(av, d, a + i, rest);
}

template <class T, class F>
HWY_INLINE void Update(const T* g, T* x, T* a, T* b, size_t n, const F& f) {
  namespace hn = hwy::HWY_NAMESPACE;
  namespace ours = extrema::HWY_NAMESPACE;
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    auto xv = hn::LoadU(d, x + i);
    auto av = hn::LoadU(d, a + i);
    auto bv = hn::LoadU(d, b + i);
    f(d, hn::LoadU(d, g + i), xv, av, bv);
    hn::StoreU(xv, d, x + i);
    hn::StoreU(av, d, a + i);
    hn::StoreU(bv, d, b + i);
  }
  if (i == n) return;
  const size_t rest = n - i;
  auto xv = ours::LoadN(d, x + i, rest);
  auto av = ours::LoadN(d, a + i, rest);
  auto bv = ours::LoadN(d, b + i, rest);
  f(d, ours::LoadN(d, g + i, rest), xv, av, bv);
  ours::StoreN(xv, d, x + i, rest);
  ours::StoreN(av, d, a + i, rest);
  ours::StoreN(bv, d, b + i, rest);
}

template <class T, class F>
HWY_INLINE void Update(const T* g, T* x, T* a, T* b, T* c, size_t n, const F& f) {
  namespace hn = hwy::HWY_NAMESPACE;
  namespace ours = extrema::HWY_NAMESPACE;
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    auto xv = hn::LoadU(d, x + i);
    auto av = hn::LoadU(d, a + i);
    auto bv = hn::LoadU(d, b + i);
    auto cv = hn::LoadU(d, c + i);
    f(d, hn::LoadU(d, g + i), xv, av, bv, cv);
    hn::StoreU(xv, d, x + i);
    hn::StoreU(av, d, a + i);
    hn::StoreU(bv, d, b + i);
    hn::StoreU(cv, d, c + i);
  }
  if (i == n) return;
  const size_t rest = n - i;
  auto xv = ours::LoadN(d, x + i, rest);
  auto av = ours::LoadN(d, a + i, rest);
  auto bv = ours::LoadN(d, b + i, rest);
  auto cv = ours::LoadN(d, c + i, rest);
  f(d, ours::LoadN(d, g + i, rest), xv, av, bv, cv);
  ours::StoreN(xv, d, x + i, rest);
  ours::StoreN(av, d, a + i, rest);
  ours::StoreN(bv, d, b + i, rest);
  ours::StoreN(cv, d, c + i, rest);
}

// a x + b y without a fused step, so that portable code gets the same bits.
template <class V>
HWY_INLINE V Mix(V a, V x, V b, V y) {
  namespace hn = hwy::HWY_NAMESPACE;
  return hn::Add(hn::Mul(a, x), hn::Mul(b, y));
}

}  // namespace HWY_NAMESPACE
}  // namespace tensor
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#endif  // EXTREMA_UPDATE_STREAMS_INL_H_
