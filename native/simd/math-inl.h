// Exponential and logarithm of vectors of float64 or float32, at most 2 ulp off. Included once per target.
//
//   Exp(d, x)   NaN -> NaN; above the largest number -> +inf. Results are never subnormal: those under
//   2^-1021.5
//               (float32: 2^-125.5), that is x < -708.05 (-86.99), are 0. Exp(0) is 1 exactly.
//   Exp2(d, x)  2^x, the same otherwise
//   Log(d, x)   0 -> -inf; +inf -> +inf; negative -> NaN; NaN -> NaN. Subnormal arguments are right.
//
// exp x = 2^k exp r with k the nearest integer to x / log 2; log x = k log 2 + log m with m near 1. The
// polynomials are minimax in relative error (Remez exchange). On AVX-512 a table of 16 entries lives in
// registers, k counts sixteenths, and half the degree is enough. Elsewhere log m = 2 artanh(s), s = (m - 1) /
// (m + 1).

#if defined(EXTREMA_SIMD_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EXTREMA_SIMD_MATH_INL_H_
#undef EXTREMA_SIMD_MATH_INL_H_
#else
#define EXTREMA_SIMD_MATH_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <limits>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace HWY_NAMESPACE {
namespace math {

namespace hn = hwy::HWY_NAMESPACE;

// c[0] + c[1] x + … + c[n - 1] x^(n-1), even and odd powers apart for a short chain of dependent operations.
template <class D, class V, size_t kCount>
HWY_INLINE V Polynomial(D d, V x, V x2, const hn::TFromD<D> (&c)[kCount]) {
  constexpr size_t kTop = kCount - 1;
  V even = hn::Set(d, c[kTop - kTop % 2]);
  for (size_t i = kTop - kTop % 2; i >= 2; i -= 2) even = hn::MulAdd(even, x2, hn::Set(d, c[i - 2]));
  constexpr size_t kOdd = kTop - 1 + kTop % 2;
  V odd = hn::Set(d, c[kOdd]);
  for (size_t i = kOdd; i >= 3; i -= 2) odd = hn::MulAdd(odd, x2, hn::Set(d, c[i - 2]));
  return hn::MulAdd(odd, x, even);
}

// min(x, bound), NaN stays NaN.
template <class D, class V>
HWY_INLINE V NotAbove(D d, V x, hn::TFromD<D> bound) {
  const V b = hn::Set(d, bound);
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  return hn::Min(b, x);  // the instruction returns its second operand if one is NaN
#else
  return hn::IfThenElse(hn::Gt(x, b), b, x);
#endif
}

// max(x, bound), NaN stays NaN.
template <class D, class V>
HWY_INLINE V NotBelow(D d, V x, hn::TFromD<D> bound) {
  const V b = hn::Set(d, bound);
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  return hn::Max(b, x);
#else
  return hn::IfThenElse(hn::Lt(x, b), b, x);
#endif
}

// log 2 in two parts; the first has few enough bits that its product with any k is exact.
template <typename T>
struct Ln2;
template <>
struct Ln2<double> {
  static constexpr double kHigh = 0x1.62e42fefa0000p-1;
  static constexpr double kLow = 0x1.cf79abc9e3b3ap-40;
};
template <>
struct Ln2<float> {
  static constexpr float kHigh = 0.693359375f;
  static constexpr float kLow = -0.000212194442f;
};

template <typename T>
struct ExpConstants;

template <>
struct ExpConstants<double> {
  static constexpr int kMantissaBits = 52;
  static constexpr double kLowest = -708.5;  // rounds to k = -1022
  static constexpr double kHighest = 709.9;  // rounds to k = 1024, over the largest number
  static constexpr double kLowest2 = -1022, kHighest2 = 1024;
  static constexpr double kRound =
      0x1.8p52 + 1022;  // adding it rounds to integer and leaves k + 1022 in the low bits
  // (exp r - 1 - r) / r^2, |r| <= log 2 / 2; error of exp 2^-57.9.
  static constexpr double kPolynomial[10] = {
      0.50000000000000111,    0.16666666666666413,    0.041666666666530155,  0.008333333333494463,
      0.0013888888943630381,  0.00019841269506575744, 2.480149309863533e-05, 2.7557586375678646e-06,
      2.7630248473168031e-07, 2.5000061183251388e-08};
};

template <>
struct ExpConstants<float> {
  static constexpr int kMantissaBits = 23;
  static constexpr float kLowest = -87.3f;
  static constexpr float kHighest = 88.9f;
  static constexpr float kLowest2 = -126, kHighest2 = 128;
  static constexpr float kRound = 0x1.8p23f + 126;
  // As above; error of exp 2^-28.3.
  static constexpr float kPolynomial[5] = {0.49999994f, 0.166665196f, 0.0416683927f, 0.00836878084f,
                                           0.00138144672f};
};

// (2^(r+1) - 2) / r in powers of r, from the polynomial of exp.
template <typename T>
struct Exp2Polynomial {
  static constexpr size_t kCount = sizeof(ExpConstants<T>::kPolynomial) / sizeof(T) + 1;
  T c[kCount];
  constexpr Exp2Polynomial() : c() {
    constexpr double kLn2 = 0.69314718055994531;
    c[0] = static_cast<T>(2 * kLn2);
    double power = 2 * kLn2 * kLn2;
    for (size_t i = 1; i < kCount; i++, power *= kLn2)
      c[i] = static_cast<T>(ExpConstants<T>::kPolynomial[i - 1] * power);
  }
};

template <typename T>
struct LogConstants;

template <>
struct LogConstants<double> {
  static constexpr int kMantissaBits = 52;
  static constexpr uint64_t kSqrtHalf = 0x3FE6A09E667F3BCD;
  static constexpr uint64_t kOne = 0x3FF0000000000000;
  static constexpr uint64_t kMantissa = 0x000FFFFFFFFFFFFF;
  static constexpr double kIntegers = 0x1.0p52;  // its mantissa holds an integer
  static constexpr double kExponent = 1023;
  static constexpr double kSubnormalScale = 0x1.0p54;
  static constexpr double kSubnormalExponent = 54;
  // (2 artanh s - 2 s) / s^3 in s^2, |s| <= 0.1716; error of log 2^-59.5.
  static constexpr double kPolynomial[7] = {0.6666666666666734,  0.39999999999414321, 0.28571428742475002,
                                            0.22222198563471532, 0.18183564867403251, 0.15314035816891758,
                                            0.14796105619956618};
};

template <>
struct LogConstants<float> {
  static constexpr int kMantissaBits = 23;
  static constexpr uint32_t kSqrtHalf = 0x3F3504F3;
  static constexpr uint32_t kOne = 0x3F800000;
  static constexpr uint32_t kMantissa = 0x007FFFFF;
  static constexpr float kIntegers = 0x1.0p23f;
  static constexpr float kExponent = 127;
  static constexpr float kSubnormalScale = 0x1.0p25f;
  static constexpr float kSubnormalExponent = 25;
  // As above; error of log 2^-30.2.
  static constexpr float kPolynomial[3] = {0.666667759f, 0.399775356f, 0.298718631f};
};

// log x + k0 log 2 for positive normal finite x.
template <class D, class V>
HWY_INLINE V LogNormal(D d, V x, V k0) {
  using T = hn::TFromD<D>;
  using C = LogConstants<T>;
  const hn::RebindToUnsigned<D> du;
  // The exponent field changes at sqrt(1/2) instead of at 1, so that m lies in [sqrt(1/2), sqrt(2)).
  const auto shifted = hn::Add(hn::BitCast(du, x), hn::Set(du, C::kOne - C::kSqrtHalf));
  const auto m =
      hn::BitCast(d, hn::Add(hn::And(shifted, hn::Set(du, C::kMantissa)), hn::Set(du, C::kSqrtHalf)));
  const auto field = hn::ShiftRight<C::kMantissaBits>(shifted);
  const V integer = hn::BitCast(d, hn::Or(field, hn::BitCast(du, hn::Set(d, C::kIntegers))));
  const V k = hn::Add(hn::Sub(integer, hn::Set(d, C::kIntegers + C::kExponent)), k0);

  const V f = hn::Sub(m, hn::Set(d, T(1)));
  const V s = hn::Div(f, hn::Add(f, hn::Set(d, T(2))));
  const V z = hn::Mul(s, s);
  const V tail = hn::Mul(z, Polynomial(d, z, hn::Mul(z, z), C::kPolynomial));
  // log(1 + f) = f - (f^2/2 - s (f^2/2 + tail)): the large part f is exact.
  const V half = hn::Mul(hn::Mul(f, hn::Set(d, T(0.5))), f);
  const V small = hn::MulAdd(s, hn::Add(half, tail), hn::Mul(k, hn::Set(d, Ln2<T>::kLow)));
  return hn::MulAdd(k, hn::Set(d, Ln2<T>::kHigh), hn::Sub(f, hn::Sub(half, small)));
}

// Any x; rare, and therefore not inlined.
template <class D, class V>
HWY_NOINLINE V LogAny(D d, hwy::HWY_NAMESPACE::VecArg<V> x) {
  using T = hn::TFromD<D>;
  using C = LogConstants<T>;
  const V infinity = hn::Set(d, std::numeric_limits<T>::infinity());
  const auto subnormal = hn::Lt(x, hn::Set(d, std::numeric_limits<T>::min()));
  const V scaled = hn::IfThenElse(subnormal, hn::Mul(x, hn::Set(d, C::kSubnormalScale)), x);
  const V k0 = hn::IfThenElseZero(subnormal, hn::Set(d, -C::kSubnormalExponent));
  V y = LogNormal(d, scaled, k0);
  y = hn::IfThenElse(hn::Lt(x, infinity), y, x);  // +inf and NaN
  y = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Set(d, std::numeric_limits<T>::quiet_NaN()), y);
  return hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Neg(infinity), y);
}

}  // namespace math

template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
HWY_INLINE V Exp(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  using T = hn::TFromD<D>;
  using C = math::ExpConstants<T>;
  const hn::RebindToUnsigned<D> du;
  x = math::NotAbove(d, math::NotBelow(d, x, C::kLowest), C::kHighest);
  const V rounded = hn::MulAdd(x, hn::Set(d, T(1.4426950408889634)), hn::Set(d, C::kRound));
  const V k = hn::Sub(rounded, hn::Set(d, C::kRound));
  V r = hn::NegMulAdd(k, hn::Set(d, math::Ln2<T>::kHigh), x);
  r = hn::NegMulAdd(k, hn::Set(d, math::Ln2<T>::kLow), r);
  const V r2 = hn::Mul(r, r);
  const V expm1 = hn::MulAdd(math::Polynomial(d, r, r2, C::kPolynomial), r2, r);
  // 2^(k-1), whose exponent field is k + 1022 = 0…2046; 0 flushes. The doubling makes k = 1024 right,
  // infinity included.
  const V scale = hn::BitCast(d, hn::ShiftLeft<C::kMantissaBits>(hn::BitCast(du, rounded)));
  const V half = hn::MulAdd(expm1, scale, scale);
  return hn::Add(half, half);
}

// As Exp, with 2 for its base; results under 2^-1021.5 (2^-125.5) are 0.
template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
HWY_INLINE V Exp2(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  using T = hn::TFromD<D>;
  using C = math::ExpConstants<T>;
  static constexpr math::Exp2Polynomial<T> kSlope;
  const hn::RebindToUnsigned<D> du;
  x = math::NotAbove(d, math::NotBelow(d, x, C::kLowest2), C::kHighest2);
  const V rounded = hn::Add(x, hn::Set(d, C::kRound));
  const V r = hn::Sub(x, hn::Sub(rounded, hn::Set(d, C::kRound)));
  const V scale = hn::BitCast(d, hn::ShiftLeft<C::kMantissaBits>(hn::BitCast(du, rounded)));  // 2^(k-1)
  // The 2 comes last: where there is no FMA its sum is the only one whose rounding counts.
  const V twice = hn::MulAdd(math::Polynomial(d, r, hn::Mul(r, r), kSlope.c), r, hn::Set(d, T(2)));
  return hn::Mul(twice, scale);
}

template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
HWY_INLINE V Log(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  using T = hn::TFromD<D>;
  const auto normal = hn::And(hn::Ge(x, hn::Set(d, std::numeric_limits<T>::min())),
                              hn::Lt(x, hn::Set(d, std::numeric_limits<T>::infinity())));
  if (HWY_UNLIKELY(!hn::AllTrue(d, normal))) return math::LogAny<D, V>(d, x);
  return math::LogNormal(d, x, hn::Zero(d));
}

#if HWY_TARGET == HWY_AVX3
#include "simd/math_avx512-inl.h"
#endif

}  // namespace HWY_NAMESPACE
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#endif  // EXTREMA_SIMD_MATH_INL_H_
