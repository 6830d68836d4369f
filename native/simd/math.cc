#include "simd/math.h"

#include "simd/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/math.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/math-inl.h"
#include "simd/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// y[i] = f(x[i]). Lanes past the end compute f(1), so that they cost no special cases.
template <typename T, class F>
HWY_INLINE void Map(const T* x, T* y, size_t n, const F& f) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const auto first = f(d, hn::LoadU(d, x + i));
    const auto second = f(d, hn::LoadU(d, x + i + lanes));
    hn::StoreU(first, d, y + i);
    hn::StoreU(second, d, y + i + lanes);
  }
  for (; i + lanes <= n; i += lanes) hn::StoreU(f(d, hn::LoadU(d, x + i)), d, y + i);
  if (i < n) StoreN(f(d, LoadN(d, x + i, n - i, T(1))), d, y + i, n - i);
}

struct ExpOf {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return Exp(d, x);
  }
};
struct Exp2Of {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return Exp2(d, x);
  }
};
struct LogOf {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return Log(d, x);
  }
};

void ExpArray64(const double* x, double* y, size_t n) { Map(x, y, n, ExpOf()); }
void ExpArray32(const float* x, float* y, size_t n) { Map(x, y, n, ExpOf()); }
void Exp2Array64(const double* x, double* y, size_t n) { Map(x, y, n, Exp2Of()); }
void Exp2Array32(const float* x, float* y, size_t n) { Map(x, y, n, Exp2Of()); }
void LogArray64(const double* x, double* y, size_t n) { Map(x, y, n, LogOf()); }
void LogArray32(const float* x, float* y, size_t n) { Map(x, y, n, LogOf()); }

}  // namespace HWY_NAMESPACE
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema {

EXTREMA_EXPORT(ExpArray64);
EXTREMA_EXPORT(ExpArray32);
EXTREMA_EXPORT(Exp2Array64);
EXTREMA_EXPORT(Exp2Array32);
EXTREMA_EXPORT(LogArray64);
EXTREMA_EXPORT(LogArray32);

void expArray(const double* x, double* y, size_t n) { EXTREMA_DISPATCH(ExpArray64)(x, y, n); }
void expArray(const float* x, float* y, size_t n) { EXTREMA_DISPATCH(ExpArray32)(x, y, n); }
void exp2Array(const double* x, double* y, size_t n) { EXTREMA_DISPATCH(Exp2Array64)(x, y, n); }
void exp2Array(const float* x, float* y, size_t n) { EXTREMA_DISPATCH(Exp2Array32)(x, y, n); }
void logArray(const double* x, double* y, size_t n) { EXTREMA_DISPATCH(LogArray64)(x, y, n); }
void logArray(const float* x, float* y, size_t n) { EXTREMA_DISPATCH(LogArray32)(x, y, n); }

}  // namespace extrema
#endif
