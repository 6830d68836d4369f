#include <cmath>

#include "simd/dispatch.h"
#include "tensor/elementwise.h"
#include "tensor/special.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/unary.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/math-inl.h"
#include "simd/partial-inl.h"
#include "simd/special-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace tensor {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace ours = extrema::HWY_NAMESPACE;

// out_i = f(x_i). Lanes past the end compute f(1).
template <class T, class F>
HWY_INLINE void Map(T* out, const T* x, size_t n, const F& f) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(f(d, hn::LoadU(d, x + i)), d, out + i);
  if (i < n) ours::StoreN(f(d, ours::LoadN(d, x + i, n - i, T(1))), d, out + i, n - i);
}

template <class T, class F>
HWY_INLINE void Map3(T* out, const T* g, const T* x, const T* y, size_t n, const F& f) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(f(d, hn::LoadU(d, g + i), hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, out + i);
  }
  if (i == n) return;
  const size_t rest = n - i;
  ours::StoreN(
      f(d, ours::LoadN(d, g + i, rest), ours::LoadN(d, x + i, rest, T(1)), ours::LoadN(d, y + i, rest, T(1))),
      d, out + i, rest);
}

template <class T, class F>
void MapScalar(T* out, const T* x, size_t n, const F& f) {
  for (size_t i = 0; i < n; i++) out[i] = static_cast<T>(f(x[i]));
}

template <class D, class V>
HWY_INLINE V Number(D d, V, double value) {
  return hn::Set(d, static_cast<hn::TFromD<D>>(value));
}

constexpr double kSqrtHalf = 0.70710678118654752440;
constexpr double kInverseSqrt2Pi = 0.39894228040143267794;

// Φ(x)
template <class D, class V>
HWY_INLINE V NormalCdf(D d, V x) {
  return hn::Mul(Number(d, x, 0.5), ours::Erfc(d, hn::Mul(Number(d, x, -kSqrtHalf), x)));
}

// In the order of unaryOps in lib/backend/tensor.ts.
template <class T>
HWY_INLINE void Unary(int op, T* out, const T* x, size_t n, double parameter) {
  switch (op) {
    case 0:  // neg
      return Map(out, x, n, [](auto, auto v) { return hn::Neg(v); });
    case 1:
      return Map(out, x, n, [](auto d, auto v) { return ours::Exp(d, v); });
    case 2:
      return Map(out, x, n, [](auto d, auto v) { return ours::Log(d, v); });
    case 3:
      return Map(out, x, n, [](auto d, auto v) { return ours::Log1p(d, v); });
    case 4:
      return Map(out, x, n, [](auto d, auto v) { return ours::Expm1(d, v); });
    case 5:
      return Map(out, x, n, [](auto, auto v) { return hn::Sqrt(v); });
    case 6:  // rsqrt
      return Map(out, x, n, [](auto d, auto v) { return hn::Div(Number(d, v, 1), hn::Sqrt(v)); });
    case 7:  // reciprocal
      return Map(out, x, n, [](auto d, auto v) { return hn::Div(Number(d, v, 1), v); });
    case 8:  // square
      return Map(out, x, n, [](auto, auto v) { return hn::Mul(v, v); });
    case 9:
      return Map(out, x, n, [](auto, auto v) { return hn::Abs(v); });
    case 10:  // sign; 0 and NaN stay
      return Map(out, x, n, [](auto d, auto v) {
        const auto moved = hn::Ne(v, hn::Zero(d));
        return hn::IfThenElse(hn::And(moved, hn::Eq(v, v)), hn::CopySign(Number(d, v, 1), v), v);
      });
    case 11:
      return Map(out, x, n, [](auto, auto v) { return hn::Floor(v); });
    case 12:
      return MapScalar(out, x, n, [](T v) { return std::sin(v); });
    case 13:
      return MapScalar(out, x, n, [](T v) { return std::cos(v); });
    case 14:
      return Map(out, x, n, [](auto d, auto v) { return ours::Tanh(d, v); });
    case 15:
      return Map(out, x, n, [](auto d, auto v) { return ours::Sigmoid(d, v); });
    case 16:
      return Map(out, x, n, [](auto d, auto v) { return ours::Softplus(d, v); });
    case 17:
      return Map(out, x, n, [](auto d, auto v) { return ours::Erf(d, v); });
    case 18:
      return Map(out, x, n, [](auto d, auto v) { return ours::Erfc(d, v); });
    case 19:
      return MapScalar(out, x, n, [](T v) { return logNdtr(v); });
    case 20:
      return MapScalar(out, x, n, [](T v) { return logGamma(v); });
    case 21: {
      const int order = static_cast<int>(parameter);
      return MapScalar(out, x, n, [order](T v) { return polygamma(order, v); });
    }
    case 22:  // power
      return MapScalar(out, x, n, [parameter](T v) { return std::pow(static_cast<double>(v), parameter); });
    case 23:  // relu
      return Map(out, x, n, [](auto d, auto v) { return hn::IfThenZeroElse(hn::Lt(v, hn::Zero(d)), v); });
    case 24:  // leakyRelu
      return Map(out, x, n, [parameter](auto d, auto v) {
        return hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Mul(Number(d, v, parameter), v), v);
      });
    case 25:  // gelu
      return Map(out, x, n, [](auto d, auto v) { return hn::Mul(v, NormalCdf(d, v)); });
    case 26:  // silu
      return Map(out, x, n, [](auto d, auto v) { return hn::Mul(v, ours::Sigmoid(d, v)); });
    case 27:
      return MapScalar(out, x, n, [](T v) { return inverseMills(v); });
  }
}

// In the order of derivativeOps.
template <class T>
HWY_INLINE void Derivative(int op, T* out, const T* g, const T* x, const T* y, size_t n, double parameter) {
  switch (op) {
    case 0:  // tanh: 1 - y^2
      return Map3(out, g, x, y, n, [](auto d, auto gv, auto, auto yv) {
        return hn::Mul(gv, hn::NegMulAdd(yv, yv, Number(d, yv, 1)));
      });
    case 1:  // sigmoid: y (1 - y)
      return Map3(out, g, x, y, n, [](auto d, auto gv, auto, auto yv) {
        return hn::Mul(hn::Mul(gv, yv), hn::Sub(Number(d, yv, 1), yv));
      });
    case 2:  // softplus
      return Map3(out, g, x, y, n,
                  [](auto d, auto gv, auto xv, auto) { return hn::Mul(gv, ours::Sigmoid(d, xv)); });
    case 3:  // relu
      return Map3(out, g, x, y, n, [](auto d, auto gv, auto xv, auto) {
        return hn::IfThenElseZero(hn::Gt(xv, hn::Zero(d)), gv);
      });
    case 4:  // leakyRelu
      return Map3(out, g, x, y, n, [parameter](auto d, auto gv, auto xv, auto) {
        return hn::IfThenElse(hn::Gt(xv, hn::Zero(d)), gv, hn::Mul(Number(d, gv, parameter), gv));
      });
    case 5:  // gelu: Φ(x) + x φ(x)
      return Map3(out, g, x, y, n, [](auto d, auto gv, auto xv, auto) {
        const auto e = ours::Exp(d, hn::Mul(Number(d, xv, -0.5), hn::Mul(xv, xv)));
        const auto density = hn::Mul(Number(d, xv, kInverseSqrt2Pi), e);
        return hn::Mul(gv, hn::MulAdd(xv, density, NormalCdf(d, xv)));
      });
    case 6:  // silu: s (1 + x (1 - s))
      return Map3(out, g, x, y, n, [](auto d, auto gv, auto xv, auto) {
        const auto one = Number(d, xv, 1);
        const auto s = ours::Sigmoid(d, xv);
        return hn::Mul(hn::Mul(gv, s), hn::MulAdd(xv, hn::Sub(one, s), one));
      });
  }
}

void Unary64(int op, double* out, const double* x, size_t n, double p) { Unary(op, out, x, n, p); }
void Unary32(int op, float* out, const float* x, size_t n, double p) { Unary(op, out, x, n, p); }
void Derivative64(int op, double* out, const double* g, const double* x, const double* y, size_t n,
                  double p) {
  Derivative(op, out, g, x, y, n, p);
}
void Derivative32(int op, float* out, const float* g, const float* x, const float* y, size_t n, double p) {
  Derivative(op, out, g, x, y, n, p);
}

}  // namespace HWY_NAMESPACE
}  // namespace tensor
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema {
namespace tensor {

EXTREMA_EXPORT(Unary64);
EXTREMA_EXPORT(Unary32);
EXTREMA_EXPORT(Derivative64);
EXTREMA_EXPORT(Derivative32);

template <>
void unary(int op, double* out, const double* x, size_t n, double parameter) {
  EXTREMA_DISPATCH(Unary64)(op, out, x, n, parameter);
}
template <>
void unary(int op, float* out, const float* x, size_t n, double parameter) {
  EXTREMA_DISPATCH(Unary32)(op, out, x, n, parameter);
}
template <>
void derivative(int op, double* out, const double* g, const double* x, const double* y, size_t n,
                double parameter) {
  EXTREMA_DISPATCH(Derivative64)(op, out, g, x, y, n, parameter);
}
template <>
void derivative(int op, float* out, const float* g, const float* x, const float* y, size_t n,
                double parameter) {
  EXTREMA_DISPATCH(Derivative32)(op, out, g, x, y, n, parameter);
}

}  // namespace tensor
}  // namespace extrema
#endif
