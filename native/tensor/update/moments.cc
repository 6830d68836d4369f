#include <algorithm>
#include <cmath>
#include <limits>

#include "simd/dispatch.h"
#include "tensor/update/update.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/update/moments.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tensor/update/streams-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace tensor {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace ours = extrema::HWY_NAMESPACE;

// An epsilon that rounds to 0 would leave 0 / 0.
template <class T>
T NotZero(double epsilon) {
  return static_cast<T>(std::max<double>(epsilon, std::numeric_limits<T>::min()));
}

template <class T>
HWY_INLINE void Sgd(T* x, const T* g, T* m, size_t n, const SgdStep& s) {
  const hn::ScalableTag<T> d0;
  const auto rate = hn::Set(d0, T(s.rate)), momentum = hn::Set(d0, T(s.momentum));
  const auto decay = hn::Set(d0, T(s.weightDecay)), scale = hn::Set(d0, T(s.scale));
  if (m == nullptr) {
    Update(g, x, n,
           [=](auto, auto gv, auto& xv) { xv = hn::Sub(xv, hn::Mul(rate, Mix(scale, gv, decay, xv))); });
  } else if (s.nesterov) {
    Update(g, x, m, n, [=](auto, auto gv, auto& xv, auto& mv) {
      const auto slope = Mix(scale, gv, decay, xv);
      mv = hn::Add(hn::Mul(momentum, mv), slope);
      xv = hn::Sub(xv, hn::Mul(rate, hn::Add(slope, hn::Mul(momentum, mv))));
    });
  } else {
    Update(g, x, m, n, [=](auto, auto gv, auto& xv, auto& mv) {
      mv = hn::Add(hn::Mul(momentum, mv), Mix(scale, gv, decay, xv));
      xv = hn::Sub(xv, hn::Mul(rate, mv));
    });
  }
}

template <class T>
HWY_INLINE void Adam(T* x, const T* g, T* m, T* v, size_t n, const AdamStep& s) {
  const hn::ScalableTag<T> d0;
  const auto beta1 = hn::Set(d0, T(s.beta1)), rest1 = hn::Set(d0, T(1 - s.beta1));
  const auto beta2 = hn::Set(d0, T(s.beta2)), rest2 = hn::Set(d0, T(1 - s.beta2));
  const auto rate = hn::Set(d0, T(s.rate)), correction = hn::Set(d0, T(s.correction));
  const auto epsilon = hn::Set(d0, NotZero<T>(s.epsilon)), shrink = hn::Set(d0, T(s.shrink));
  const auto decay = hn::Set(d0, T(s.weightDecay)), scale = hn::Set(d0, T(s.scale));
  Update(g, x, m, v, n, [=](auto, auto gv, auto& xv, auto& mv, auto& vv) {
    const auto slope = Mix(scale, gv, decay, xv);
    mv = Mix(beta1, mv, rest1, slope);
    vv = Mix(beta2, vv, rest2, hn::Mul(slope, slope));
    const auto size = hn::Add(hn::Mul(correction, hn::Sqrt(vv)), epsilon);
    xv = hn::Sub(hn::Mul(shrink, xv), hn::Mul(rate, hn::Div(mv, size)));
  });
}

template <class T>
HWY_INLINE void Rmsprop(T* x, const T* g, T* v, T* mean, T* m, size_t n, const RmspropStep& s) {
  const hn::ScalableTag<T> d0;
  const auto alpha = hn::Set(d0, T(s.alpha)), rest = hn::Set(d0, T(1 - s.alpha));
  const auto rate = hn::Set(d0, T(s.rate)), epsilon = hn::Set(d0, NotZero<T>(s.epsilon));
  const auto momentum = hn::Set(d0, T(s.momentum));
  const auto decay = hn::Set(d0, T(s.weightDecay)), scale = hn::Set(d0, T(s.scale));
  const auto square = [=](auto slope, auto& vv) { vv = Mix(alpha, vv, rest, hn::Mul(slope, slope)); };
  // Rounding may take the variance below 0.
  const auto variance = [=](auto slope, auto vv, auto& mv) {
    mv = Mix(alpha, mv, rest, slope);
    return hn::Max(hn::Sub(vv, hn::Mul(mv, mv)), hn::Zero(d0));
  };
  const auto quotient = [=](auto slope, auto w) { return hn::Div(slope, hn::Add(hn::Sqrt(w), epsilon)); };
  if (mean == nullptr && m == nullptr) {
    Update(g, x, v, n, [=](auto, auto gv, auto& xv, auto& vv) {
      const auto slope = Mix(scale, gv, decay, xv);
      square(slope, vv);
      xv = hn::Sub(xv, hn::Mul(rate, quotient(slope, vv)));
    });
  } else if (m == nullptr) {
    Update(g, x, v, mean, n, [=](auto, auto gv, auto& xv, auto& vv, auto& av) {
      const auto slope = Mix(scale, gv, decay, xv);
      square(slope, vv);
      xv = hn::Sub(xv, hn::Mul(rate, quotient(slope, variance(slope, vv, av))));
    });
  } else if (mean == nullptr) {
    Update(g, x, v, m, n, [=](auto, auto gv, auto& xv, auto& vv, auto& mv) {
      const auto slope = Mix(scale, gv, decay, xv);
      square(slope, vv);
      mv = hn::Add(hn::Mul(momentum, mv), quotient(slope, vv));
      xv = hn::Sub(xv, hn::Mul(rate, mv));
    });
  } else {
    Update(g, x, v, mean, m, n, [=](auto, auto gv, auto& xv, auto& vv, auto& av, auto& mv) {
      const auto slope = Mix(scale, gv, decay, xv);
      square(slope, vv);
      mv = hn::Add(hn::Mul(momentum, mv), quotient(slope, variance(slope, vv, av)));
      xv = hn::Sub(xv, hn::Mul(rate, mv));
    });
  }
}

// The norms are summed in float64, block by block, while a block is in the first cache.
constexpr size_t kBlock = 1024;

template <class T>
HWY_INLINE double Lamb(T* x, const T* g, T* m, T* v, size_t n, const LambStep& s) {
  const hn::ScalableTag<T> d0;
  const auto beta1 = hn::Set(d0, T(s.beta1)), rest1 = hn::Set(d0, T(1 - s.beta1));
  const auto beta2 = hn::Set(d0, T(s.beta2)), rest2 = hn::Set(d0, T(1 - s.beta2));
  const auto correction1 = hn::Set(d0, T(s.correction1)), correction2 = hn::Set(d0, T(s.correction2));
  const auto epsilon = hn::Set(d0, NotZero<T>(s.epsilon));
  const auto decay = hn::Set(d0, T(s.weightDecay)), scale = hn::Set(d0, T(s.scale));
  const auto direction = [=](auto xv, auto mv, auto vv) {
    const auto size = hn::Add(hn::Mul(correction2, hn::Sqrt(vv)), epsilon);
    return Mix(correction1, hn::Div(mv, size), decay, xv);
  };
  const size_t lanes = hn::Lanes(d0);
  // Whole vectors without masks.
  const auto load = [=](const T* p, size_t count) {
    return count == lanes ? hn::LoadU(d0, p) : ours::LoadN(d0, p, count);
  };
  const auto store = [=](auto values, T* p, size_t count) {
    if (count == lanes) {
      hn::StoreU(values, d0, p);
    } else {
      ours::StoreN(values, d0, p, count);
    }
  };
  HWY_ALIGN T r[kBlock];
  double sizes = 0, lengths = 0;
  for (size_t from = 0; from < n; from += kBlock) {
    const size_t count = n - from < kBlock ? n - from : kBlock;
    for (size_t i = 0; i < count; i += lanes) {
      const size_t rest = count - i < lanes ? count - i : lanes;
      const size_t at = from + i;
      const auto slope = hn::Mul(scale, load(g + at, rest));
      const auto mv = Mix(beta1, load(m + at, rest), rest1, slope);
      const auto vv = Mix(beta2, load(v + at, rest), rest2, hn::Mul(slope, slope));
      store(mv, m + at, rest);
      store(vv, v + at, rest);
      store(direction(load(x + at, rest), mv, vv), r + i, rest);
    }
    sizes += sumOfSquares(x + from, count);
    lengths += sumOfSquares(r, count);
  }
  const double ratio = sizes > 0 && lengths > 0 ? std::sqrt(sizes) / std::sqrt(lengths) : 1;
  const auto step = hn::Set(d0, static_cast<T>(s.rate * ratio));
  for (size_t i = 0; i < n; i += lanes) {
    const size_t rest = n - i < lanes ? n - i : lanes;
    const auto xv = load(x + i, rest);
    const auto rv = direction(xv, load(m + i, rest), load(v + i, rest));
    store(hn::Sub(xv, hn::Mul(step, rv)), x + i, rest);
  }
  return ratio;
}

void Sgd64(double* x, const double* g, double* m, size_t n, const SgdStep& s) { Sgd(x, g, m, n, s); }
void Sgd32(float* x, const float* g, float* m, size_t n, const SgdStep& s) { Sgd(x, g, m, n, s); }
void Adam64(double* x, const double* g, double* m, double* v, size_t n, const AdamStep& s) {
  Adam(x, g, m, v, n, s);
}
void Adam32(float* x, const float* g, float* m, float* v, size_t n, const AdamStep& s) {
  Adam(x, g, m, v, n, s);
}
void Rmsprop64(double* x, const double* g, double* v, double* mean, double* m, size_t n,
               const RmspropStep& s) {
  Rmsprop(x, g, v, mean, m, n, s);
}
void Rmsprop32(float* x, const float* g, float* v, float* mean, float* m, size_t n, const RmspropStep& s) {
  Rmsprop(x, g, v, mean, m, n, s);
}
double Lamb64(double* x, const double* g, double* m, double* v, size_t n, const LambStep& s) {
  return Lamb(x, g, m, v, n, s);
}
double Lamb32(float* x, const float* g, float* m, float* v, size_t n, const LambStep& s) {
  return Lamb(x, g, m, v, n, s);
}

}  // namespace HWY_NAMESPACE
}  // namespace tensor
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema {
namespace tensor {

EXTREMA_EXPORT(Sgd64);
EXTREMA_EXPORT(Sgd32);
EXTREMA_EXPORT(Adam64);
EXTREMA_EXPORT(Adam32);
EXTREMA_EXPORT(Rmsprop64);
EXTREMA_EXPORT(Rmsprop32);
EXTREMA_EXPORT(Lamb64);
EXTREMA_EXPORT(Lamb32);

template <>
void sgd(double* x, const double* g, double* m, size_t n, const SgdStep& step) {
  EXTREMA_DISPATCH(Sgd64)(x, g, m, n, step);
}
template <>
void sgd(float* x, const float* g, float* m, size_t n, const SgdStep& step) {
  EXTREMA_DISPATCH(Sgd32)(x, g, m, n, step);
}
template <>
void adam(double* x, const double* g, double* m, double* v, size_t n, const AdamStep& step) {
  EXTREMA_DISPATCH(Adam64)(x, g, m, v, n, step);
}
template <>
void adam(float* x, const float* g, float* m, float* v, size_t n, const AdamStep& step) {
  EXTREMA_DISPATCH(Adam32)(x, g, m, v, n, step);
}
template <>
void rmsprop(double* x, const double* g, double* v, double* mean, double* m, size_t n,
             const RmspropStep& step) {
  EXTREMA_DISPATCH(Rmsprop64)(x, g, v, mean, m, n, step);
}
template <>
void rmsprop(float* x, const float* g, float* v, float* mean, float* m, size_t n, const RmspropStep& step) {
  EXTREMA_DISPATCH(Rmsprop32)(x, g, v, mean, m, n, step);
}
template <>
double lamb(double* x, const double* g, double* m, double* v, size_t n, const LambStep& step) {
  return EXTREMA_DISPATCH(Lamb64)(x, g, m, v, n, step);
}
template <>
double lamb(float* x, const float* g, float* m, float* v, size_t n, const LambStep& step) {
  return EXTREMA_DISPATCH(Lamb32)(x, g, m, v, n, step);
}

}  // namespace tensor
}  // namespace extrema
#endif
