#include "simd/dispatch.h"
#include "tensor/update/update.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/update/combine.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tensor/update/streams-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace tensor {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace ours = extrema::HWY_NAMESPACE;

using D64 = hn::ScalableTag<double>;

HWY_INLINE hn::Vec<D64> Wide(D64 d, const double* x) { return hn::LoadU(d, x); }
HWY_INLINE hn::Vec<D64> Wide(D64 d, const float* x) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<float, D64>(), x));
}

template <class T>
HWY_INLINE double SumOfSquares(const T* x, size_t n) {
  const D64 d;
  const size_t lanes = hn::Lanes(d);
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    const auto x0 = Wide(d, x + i), x1 = Wide(d, x + i + lanes);
    const auto x2 = Wide(d, x + i + 2 * lanes), x3 = Wide(d, x + i + 3 * lanes);
    s0 = hn::MulAdd(x0, x0, s0);
    s1 = hn::MulAdd(x1, x1, s1);
    s2 = hn::MulAdd(x2, x2, s2);
    s3 = hn::MulAdd(x3, x3, s3);
  }
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
  for (; i < n; i++) sum += static_cast<double>(x[i]) * x[i];
  return sum;
}

template <class T>
HWY_INLINE void Combine(T* out, const T* x, const T* y, size_t n, double a, double b) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  const auto av = hn::Set(d, T(a)), bv = hn::Set(d, T(b));
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(Mix(av, hn::LoadU(d, x + i), bv, hn::LoadU(d, y + i)), d, out + i);
  }
  if (i == n) return;
  ours::StoreN(Mix(av, ours::LoadN(d, x + i, n - i), bv, ours::LoadN(d, y + i, n - i)), d, out + i, n - i);
}

template <class T>
HWY_INLINE void Clip(T* x, size_t n, double limit) {
  const T most = static_cast<T>(limit);
  // NaN stays. A plain loop: the compiler makes vectors of it.
  for (size_t i = 0; i < n; i++) x[i] = x[i] > most ? most : x[i] < -most ? -most : x[i];
}

template <class T>
HWY_INLINE void RankOne(T* a, const T* u, size_t rows, const T* v, size_t columns, double decay,
                        double factor) {
  const hn::ScalableTag<T> d;
  const auto keep = hn::Set(d, T(decay));
  for (size_t i = 0; i < rows; i++) {
    const auto scale = hn::Set(d, static_cast<T>(factor * u[i]));
    Update(v, a + i * columns, columns, [=](auto, auto vv, auto& row) { row = Mix(keep, row, scale, vv); });
  }
}

double SumOfSquares64(const double* x, size_t n) { return SumOfSquares(x, n); }
double SumOfSquares32(const float* x, size_t n) { return SumOfSquares(x, n); }
void Combine64(double* out, const double* x, const double* y, size_t n, double a, double b) {
  Combine(out, x, y, n, a, b);
}
void Combine32(float* out, const float* x, const float* y, size_t n, double a, double b) {
  Combine(out, x, y, n, a, b);
}
void Clip64(double* x, size_t n, double limit) { Clip(x, n, limit); }
void Clip32(float* x, size_t n, double limit) { Clip(x, n, limit); }
void RankOne64(double* a, const double* u, size_t rows, const double* v, size_t columns, double decay,
               double factor) {
  RankOne(a, u, rows, v, columns, decay, factor);
}
void RankOne32(float* a, const float* u, size_t rows, const float* v, size_t columns, double decay,
               double factor) {
  RankOne(a, u, rows, v, columns, decay, factor);
}

}  // namespace HWY_NAMESPACE
}  // namespace tensor
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema {
namespace tensor {

EXTREMA_EXPORT(SumOfSquares64);
EXTREMA_EXPORT(SumOfSquares32);
EXTREMA_EXPORT(Combine64);
EXTREMA_EXPORT(Combine32);
EXTREMA_EXPORT(Clip64);
EXTREMA_EXPORT(Clip32);
EXTREMA_EXPORT(RankOne64);
EXTREMA_EXPORT(RankOne32);

template <>
double sumOfSquares(const double* x, size_t n) {
  return EXTREMA_DISPATCH(SumOfSquares64)(x, n);
}
template <>
double sumOfSquares(const float* x, size_t n) {
  return EXTREMA_DISPATCH(SumOfSquares32)(x, n);
}
template <>
void combine(double* out, const double* x, const double* y, size_t n, double a, double b) {
  EXTREMA_DISPATCH(Combine64)(out, x, y, n, a, b);
}
template <>
void combine(float* out, const float* x, const float* y, size_t n, double a, double b) {
  EXTREMA_DISPATCH(Combine32)(out, x, y, n, a, b);
}
template <>
void clip(double* x, size_t n, double limit) {
  EXTREMA_DISPATCH(Clip64)(x, n, limit);
}
template <>
void clip(float* x, size_t n, double limit) {
  EXTREMA_DISPATCH(Clip32)(x, n, limit);
}
template <>
void rankOne(double* a, const double* u, size_t rows, const double* v, size_t columns, double decay,
             double factor) {
  EXTREMA_DISPATCH(RankOne64)(a, u, rows, v, columns, decay, factor);
}
template <>
void rankOne(float* a, const float* u, size_t rows, const float* v, size_t columns, double decay,
             double factor) {
  EXTREMA_DISPATCH(RankOne32)(a, u, rows, v, columns, decay, factor);
}

}  // namespace tensor
}  // namespace extrema
#endif
