// Functions built on Exp and Log, for vectors of float64 or float32. Included once per target, after
// math-inl.h.
//
//   Expm1, Log1p   within 4 ulp, also near 0
//   Tanh, Sigmoid, Softplus
//   Erf, Erfc      W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23
//                  (1969), 631-637. Results of Erfc under the smallest that Exp gives are 0.
//
// NaN gives NaN.

#if defined(EXTREMA_SIMD_SPECIAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EXTREMA_SIMD_SPECIAL_INL_H_
#undef EXTREMA_SIMD_SPECIAL_INL_H_
#else
#define EXTREMA_SIMD_SPECIAL_INL_H_
#endif

#include <limits>

#include "hwy/highway.h"
#include "simd/erf-coefficients.h"
#include "simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace HWY_NAMESPACE {
namespace special {

namespace hn = hwy::HWY_NAMESPACE;

// c[0] x^(n-1) + … + c[n-1]
template <class D, class V, size_t kCount>
HWY_INLINE V Horner(D d, V x, const double (&c)[kCount]) {
  using T = hn::TFromD<D>;
  V y = hn::Set(d, static_cast<T>(c[0]));
  for (size_t i = 1; i < kCount; ++i) y = hn::MulAdd(y, x, hn::Set(d, static_cast<T>(c[i])));
  return y;
}

// tanh x = x + x^3 P(x^2) / Q(x^2) for |x| < 0.625 (S. L. Moshier, Cephes).
static constexpr double kTanhP[] = {-9.64399179425052238628e-1, -9.92877231001918586564e1,
                                    -1.61468768441708447952e3};
static constexpr double kTanhQ[] = {1, 1.12811678491632931402e2, 2.23548839060100448583e3,
                                    4.84406305325125486048e3};

// expm1 x = 2 x P(x^2) / (Q(x^2) - x P(x^2)) for |x| < 0.5 (Cephes).
static constexpr double kExpm1P[] = {1.2617719307481059087798e-4, 3.0299440770744196129956e-2,
                                     9.9999999999999999991025e-1};
static constexpr double kExpm1Q[] = {3.0019850513866445504159e-6, 2.5244834034968410419224e-3,
                                     2.2726554820815502876593e-1, 2.0};

// erf x where |x| <= 0.46875, by far the most frequent case in nets.
template <class D, class V>
HWY_INLINE V ErfNear(D d, V x) {
  const V z = hn::Mul(x, x);
  return hn::Div(hn::Mul(x, Horner(d, z, cody::kErfP)), Horner(d, z, cody::kErfQ));
}

// erfc a for a > 0.46875.
template <class D, class V>
HWY_INLINE V ErfcFar(D d, V a) {
  using T = hn::TFromD<D>;
  const V one = hn::Set(d, T(1));
  const auto middle = hn::Le(a, hn::Set(d, T(4)));
  // Beyond 27 (float32: 10) all is 0; the bound keeps the polynomials finite.
  const V bounded = math::NotAbove(d, a, sizeof(T) == 8 ? T(27) : T(10));
  const V z = hn::Div(one, hn::Mul(bounded, bounded));
  const V top = hn::IfThenElse(middle, Horner(d, bounded, cody::kMiddleP), Horner(d, z, cody::kFarP));
  const V bottom = hn::IfThenElse(middle, Horner(d, bounded, cody::kMiddleQ), Horner(d, z, cody::kFarQ));
  const V ratio = hn::Div(top, bottom);
  const V far = hn::Div(hn::NegMulAdd(z, ratio, hn::Set(d, T(0.56418958354775628695))), bounded);
  const V scaled = hn::IfThenElse(middle, ratio, far);
  // exp(-a^2) without the rounding error of a^2 in the exponent.
  const V head = hn::Mul(hn::Trunc(hn::Mul(bounded, hn::Set(d, T(16)))), hn::Set(d, T(0.0625)));
  const V rest = hn::Mul(hn::Sub(head, bounded), hn::Add(bounded, head));
  return hn::Mul(scaled, hn::Mul(Exp(d, hn::Neg(hn::Mul(head, head))), Exp(d, rest)));
}

}  // namespace special

template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
HWY_INLINE V Expm1(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  using T = hn::TFromD<D>;
  const V z = hn::Mul(x, x);
  const V r = hn::Mul(x, special::Horner(d, z, special::kExpm1P));
  const V near = hn::Div(hn::Add(r, r), hn::Sub(special::Horner(d, z, special::kExpm1Q), r));
  const auto small = hn::Lt(hn::Abs(x), hn::Set(d, T(0.5)));
  return hn::IfThenElse(small, near, hn::Sub(Exp(d, x), hn::Set(d, T(1))));
}

template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
HWY_INLINE V Log1p(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  using T = hn::TFromD<D>;
  const V u = hn::Add(x, hn::Set(d, T(1)));
  // What rounding took from 1 + x.
  const V lost = hn::Div(hn::Sub(x, hn::Sub(u, hn::Set(d, T(1)))), u);
  const auto inside =
      hn::And(hn::Gt(u, hn::Zero(d)), hn::Lt(u, hn::Set(d, std::numeric_limits<T>::infinity())));
  return hn::Add(Log(d, u), hn::IfThenElseZero(inside, lost));
}

template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
HWY_INLINE V Tanh(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  using T = hn::TFromD<D>;
  const V a = hn::Abs(x);
  const V z = hn::Mul(x, x);
  const auto near = hn::Lt(a, hn::Set(d, T(0.625)));
  const V e = Exp(d, hn::Add(a, a));
  // One division for both: x^2 P / Q near 0, 2 / (exp 2a + 1) beyond.
  const V top = hn::IfThenElse(near, hn::Mul(z, special::Horner(d, z, special::kTanhP)), hn::Set(d, T(2)));
  const V bottom = hn::IfThenElse(near, special::Horner(d, z, special::kTanhQ), hn::Add(e, hn::Set(d, T(1))));
  const V q = hn::Div(top, bottom);
  const V far = hn::CopySign(hn::Sub(hn::Set(d, T(1)), q), x);
  return hn::IfThenElse(hn::Eq(x, x), hn::IfThenElse(near, hn::MulAdd(x, q, x), far), x);
}

template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
HWY_INLINE V Sigmoid(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  const V one = hn::Set(d, hn::TFromD<D>(1));
  return hn::Div(one, hn::Add(one, Exp(d, hn::Neg(x))));
}

// max(x, 0) + log1p(exp(-|x|))
template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
HWY_INLINE V Softplus(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  const V positive = hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x);
  return hn::Add(positive, Log1p(d, Exp(d, hn::Neg(hn::Abs(x)))));
}

template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
HWY_INLINE V Erf(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  using T = hn::TFromD<D>;
  const V a = hn::Abs(x);
  const auto far = hn::Gt(a, hn::Set(d, T(0.46875)));
  const V near = special::ErfNear(d, x);
  if (hn::AllFalse(d, far)) return near;
  const V tail = hn::Sub(hn::Set(d, T(1)), special::ErfcFar(d, a));
  return hn::IfThenElse(far, hn::CopySign(tail, x), near);
}

template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
HWY_INLINE V Erfc(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  using T = hn::TFromD<D>;
  const V a = hn::Abs(x);
  const auto far = hn::Gt(a, hn::Set(d, T(0.46875)));
  const V near = hn::Sub(hn::Set(d, T(1)), special::ErfNear(d, x));
  if (hn::AllFalse(d, far)) return near;
  const V tail = special::ErfcFar(d, a);
  const V beyond = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Sub(hn::Set(d, T(2)), tail), tail);
  return hn::IfThenElse(far, beyond, near);
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#endif  // EXTREMA_SIMD_SPECIAL_INL_H_
