#include <cmath>

#include "simd/dispatch.h"
#include "tensor/elementwise.h"
#include "tensor/plan.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/binary.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace tensor {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace ours = extrema::HWY_NAMESPACE;

// A run of n entries; an operand of step 0 is one number, repeated. Lanes past the end compute f(1, 1).
template <bool kRepeatX, bool kRepeatY, class T, class F>
HWY_INLINE void Run(T* out, const T* x, const T* y, size_t n, const F& f) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  const auto oneX = hn::Set(d, *x);
  const auto oneY = hn::Set(d, *y);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto xv = kRepeatX ? oneX : hn::LoadU(d, x + i);
    const auto yv = kRepeatY ? oneY : hn::LoadU(d, y + i);
    hn::StoreU(f(d, xv, yv), d, out + i);
  }
  if (i == n) return;
  const auto xv = kRepeatX ? oneX : ours::LoadN(d, x + i, n - i, T(1));
  const auto yv = kRepeatY ? oneY : ours::LoadN(d, y + i, n - i, T(1));
  ours::StoreN(f(d, xv, yv), d, out + i, n - i);
}

template <class T, class F>
HWY_INLINE void Pairs(T* out, const T* x, const T* y, size_t n, const int32_t* planData, const F& f) {
  if (n == 0) return;
  if (planData == nullptr) return Run<false, false>(out, x, y, n, f);
  const Plan plan(planData);
  const bool repeatX = lastFirst(plan) == 0, repeatY = lastSecond(plan) == 0;
  walk(plan, n, [&](size_t o, ptrdiff_t i, ptrdiff_t j, size_t length) {
    if (repeatX && repeatY) {
      Run<true, true>(out + o, x + i, y + j, length, f);
    } else if (repeatX) {
      Run<true, false>(out + o, x + i, y + j, length, f);
    } else if (repeatY) {
      Run<false, true>(out + o, x + i, y + j, length, f);
    } else {
      Run<false, false>(out + o, x + i, y + j, length, f);
    }
  });
}

// In the order of binaryOps in lib/backend/tensor.ts. NaN in, NaN out.
template <class T>
HWY_INLINE void Binary(int op, T* out, const T* x, const T* y, size_t n, const int32_t* plan) {
  switch (op) {
    case 0:
      return Pairs(out, x, y, n, plan, [](auto, auto a, auto b) { return hn::Add(a, b); });
    case 1:
      return Pairs(out, x, y, n, plan, [](auto, auto a, auto b) { return hn::Sub(a, b); });
    case 2:
      return Pairs(out, x, y, n, plan, [](auto, auto a, auto b) { return hn::Mul(a, b); });
    case 3:
      return Pairs(out, x, y, n, plan, [](auto, auto a, auto b) { return hn::Div(a, b); });
    case 4: {
      const auto power = [](T a, T b) { return static_cast<T>(std::pow(a, b)); };
      if (plan == nullptr) {
        for (size_t i = 0; i < n; i++) out[i] = power(x[i], y[i]);
        return;
      }
      const Plan steps(plan);
      const ptrdiff_t stepX = lastFirst(steps), stepY = lastSecond(steps);
      walk(steps, n, [&](size_t o, ptrdiff_t i, ptrdiff_t j, size_t length) {
        for (size_t k = 0; k < length; k++) {
          const ptrdiff_t at = static_cast<ptrdiff_t>(k);
          out[o + k] = power(x[i + at * stepX], y[j + at * stepY]);
        }
      });
      return;
    }
    case 5:
      return Pairs(out, x, y, n, plan, [](auto, auto a, auto b) {
        return hn::IfThenElse(hn::IsNaN(a), a, hn::IfThenElse(hn::Lt(a, b), a, b));
      });
    case 6:
      return Pairs(out, x, y, n, plan, [](auto, auto a, auto b) {
        return hn::IfThenElse(hn::IsNaN(a), a, hn::IfThenElse(hn::Gt(a, b), a, b));
      });
  }
}

// Plain loops: the compiler makes vectors of them.
template <class T, class F>
HWY_INLINE void Comparison(int32_t* out, const T* x, const T* y, size_t n, const int32_t* planData,
                           const F& f) {
  if (planData == nullptr) {
    for (size_t i = 0; i < n; i++) out[i] = f(x[i], y[i]) ? 1 : 0;
    return;
  }
  const Plan plan(planData);
  const ptrdiff_t stepX = lastFirst(plan), stepY = lastSecond(plan);
  walk(plan, n, [&](size_t o, ptrdiff_t i, ptrdiff_t j, size_t length) {
    if (stepX == 1 && stepY == 0) {
      const T b = y[j];
      for (size_t k = 0; k < length; k++) out[o + k] = f(x[i + static_cast<ptrdiff_t>(k)], b) ? 1 : 0;
      return;
    }
    for (size_t k = 0; k < length; k++) {
      const ptrdiff_t at = static_cast<ptrdiff_t>(k);
      out[o + k] = f(x[i + at * stepX], y[j + at * stepY]) ? 1 : 0;
    }
  });
}

template <class T>
HWY_INLINE void Compare(int op, int32_t* out, const T* x, const T* y, size_t n, const int32_t* plan) {
  switch (op) {
    case 0:
      return Comparison(out, x, y, n, plan, [](T a, T b) { return a == b; });
    case 1:
      return Comparison(out, x, y, n, plan, [](T a, T b) { return a != b; });
    case 2:
      return Comparison(out, x, y, n, plan, [](T a, T b) { return a < b; });
    case 3:
      return Comparison(out, x, y, n, plan, [](T a, T b) { return a <= b; });
    case 4:
      return Comparison(out, x, y, n, plan, [](T a, T b) { return a > b; });
    case 5:
      return Comparison(out, x, y, n, plan, [](T a, T b) { return a >= b; });
  }
}

template <class T>
HWY_INLINE void Where(T* out, const int32_t* condition, const T* x, const T* y, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = condition[i] != 0 ? x[i] : y[i];
}

void Binary64(int op, double* out, const double* x, const double* y, size_t n, const int32_t* plan) {
  Binary(op, out, x, y, n, plan);
}
void Binary32(int op, float* out, const float* x, const float* y, size_t n, const int32_t* plan) {
  Binary(op, out, x, y, n, plan);
}
void Compare64(int op, int32_t* out, const double* x, const double* y, size_t n, const int32_t* plan) {
  Compare(op, out, x, y, n, plan);
}
void Compare32(int op, int32_t* out, const float* x, const float* y, size_t n, const int32_t* plan) {
  Compare(op, out, x, y, n, plan);
}
void Where64(double* out, const int32_t* c, const double* x, const double* y, size_t n) {
  Where(out, c, x, y, n);
}
void Where32(float* out, const int32_t* c, const float* x, const float* y, size_t n) {
  Where(out, c, x, y, n);
}

}  // namespace HWY_NAMESPACE
}  // namespace tensor
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema {
namespace tensor {

EXTREMA_EXPORT(Binary64);
EXTREMA_EXPORT(Binary32);
EXTREMA_EXPORT(Compare64);
EXTREMA_EXPORT(Compare32);
EXTREMA_EXPORT(Where64);
EXTREMA_EXPORT(Where32);

template <>
void binary(int op, double* out, const double* x, const double* y, size_t n, const int32_t* plan) {
  EXTREMA_DISPATCH(Binary64)(op, out, x, y, n, plan);
}
template <>
void binary(int op, float* out, const float* x, const float* y, size_t n, const int32_t* plan) {
  EXTREMA_DISPATCH(Binary32)(op, out, x, y, n, plan);
}
template <>
void compare(int op, int32_t* out, const double* x, const double* y, size_t n, const int32_t* plan) {
  EXTREMA_DISPATCH(Compare64)(op, out, x, y, n, plan);
}
template <>
void compare(int op, int32_t* out, const float* x, const float* y, size_t n, const int32_t* plan) {
  EXTREMA_DISPATCH(Compare32)(op, out, x, y, n, plan);
}
template <>
void where(double* out, const int32_t* condition, const double* x, const double* y, size_t n) {
  EXTREMA_DISPATCH(Where64)(out, condition, x, y, n);
}
template <>
void where(float* out, const int32_t* condition, const float* x, const float* y, size_t n) {
  EXTREMA_DISPATCH(Where32)(out, condition, x, y, n);
}

}  // namespace tensor
}  // namespace extrema
#endif
