#include <algorithm>
#include <cmath>
#include <limits>

#include "simd/dispatch.h"
#include "tensor/update/update.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/update/lion.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/math-inl.h"
#include "simd/special-inl.h"
#include "tensor/update/streams-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace tensor {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace ours = extrema::HWY_NAMESPACE;

// 1, -1, or c where it is 0 or NaN.
template <class D, class V>
HWY_INLINE V Sign(D d, V c) {
  const V zero = hn::Zero(d);
  const V one = hn::Set(d, hn::TFromD<D>(1));
  return hn::IfThenElse(hn::Or(hn::Lt(c, zero), hn::Gt(c, zero)), hn::CopySign(one, c), c);
}

// One pass over x, g and m (eqs. of Lion-K: double mix with the old m, decoupled decay).
template <class T, class F>
HWY_INLINE void Sweep(T* x, const T* g, T* m, size_t n, const LionStep& s, const F& slope) {
  const hn::ScalableTag<T> d0;
  const auto mixM = hn::Set(d0, T(s.mixM)), mixG = hn::Set(d0, T(s.mixG));
  const auto keep = hn::Set(d0, T(s.keep)), add = hn::Set(d0, T(s.add));
  const auto step = hn::Set(d0, T(s.step)), shrink = hn::Set(d0, T(s.shrink));
  Update(g, x, m, n, [=](auto d, auto gv, auto& xv, auto& mv) {
    const auto c = Mix(mixM, mv, mixG, gv);
    mv = Mix(keep, mv, add, gv);
    xv = Mix(shrink, xv, step, slope(d, c));
  });
}

// In the order of lionSlopes in lib/backend/tensor-update.ts.
template <class T>
HWY_INLINE void Lion(int slope, T* x, const T* g, T* m, size_t n, const LionStep& s) {
  const hn::ScalableTag<T> d0;
  // A parameter that rounds to 0 would divide by it.
  const auto e = hn::Set(d0, static_cast<T>(std::clamp<double>(s.parameter, std::numeric_limits<T>::min(),
                                                               std::numeric_limits<T>::max())));
  const auto one = hn::Set(d0, T(1));
  switch (slope) {
    case 0:
      return Sweep(x, g, m, n, s, [](auto d, auto c) { return Sign(d, c); });
    case 1:
      return Sweep(x, g, m, n, s, [](auto, auto c) { return c; });
    case 2:
      return Sweep(x, g, m, n, s, [=](auto, auto c) {
        return hn::IfThenElse(hn::Gt(hn::Abs(c), e), hn::CopySign(one, c), hn::Div(c, e));
      });
    case 3:  // squares of quotients do not leave the range
      return Sweep(x, g, m, n, s, [=](auto, auto c) {
        const auto most = hn::Max(hn::Abs(c), e);
        const auto a = hn::Div(c, most), b = hn::Div(e, most);
        return hn::Div(a, hn::Sqrt(hn::MulAdd(a, a, hn::Mul(b, b))));
      });
    case 4:
      return Sweep(x, g, m, n, s, [=](auto d, auto c) {
        return hn::IfThenElse(hn::Le(hn::Abs(c), e), hn::Zero(d), Sign(d, c));
      });
    case 5:
      return Sweep(x, g, m, n, s, [=](auto d, auto c) { return ours::Tanh(d, hn::Div(c, e)); });
    case 6:
      for (size_t i = 0; i < n; i++) {
        const double c = s.mixM * m[i] + s.mixG * g[i];
        m[i] = static_cast<T>(s.keep * m[i] + s.add * g[i]);
        const double u = std::copysign(std::pow(std::fabs(c), s.parameter - 1), c);
        x[i] = static_cast<T>(s.shrink * x[i] + s.step * u);
      }
      return;
  }
}

void Lion64(int slope, double* x, const double* g, double* m, size_t n, const LionStep& s) {
  Lion(slope, x, g, m, n, s);
}
void Lion32(int slope, float* x, const float* g, float* m, size_t n, const LionStep& s) {
  Lion(slope, x, g, m, n, s);
}

}  // namespace HWY_NAMESPACE
}  // namespace tensor
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema {
namespace tensor {

EXTREMA_EXPORT(Lion64);
EXTREMA_EXPORT(Lion32);

template <>
void lion(int slope, double* x, const double* g, double* m, size_t n, const LionStep& step) {
  EXTREMA_DISPATCH(Lion64)(slope, x, g, m, n, step);
}
template <>
void lion(int slope, float* x, const float* g, float* m, size_t n, const LionStep& step) {
  EXTREMA_DISPATCH(Lion32)(slope, x, g, m, n, step);
}

}  // namespace tensor
}  // namespace extrema
#endif
