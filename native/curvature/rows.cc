#include "curvature/rows.h"

#include <algorithm>

#include "simd/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "curvature/rows.cc"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::curvature {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::ScalableTag<double>;
using Wide = hn::Vec<Tag>;

HWY_INLINE Wide Widen(const double* p) { return hn::LoadU(Tag(), p); }
HWY_INLINE Wide Widen(const float* p) {
  const hn::Rebind<float, Tag> narrow;
  return hn::PromoteTo(Tag(), hn::LoadU(narrow, p));
}
HWY_INLINE void Narrow(Wide v, double* p) { hn::StoreU(v, Tag(), p); }
HWY_INLINE void Narrow(Wide v, float* p) {
  const hn::Rebind<float, Tag> narrow;
  hn::StoreU(hn::DemoteTo(narrow, v), narrow, p);
}

// What the processor's own prefetching loses at the borders of pages.
template <class T>
constexpr size_t kLine = 64 / sizeof(T);
template <class T>
HWY_INLINE void Ahead(const T* p) {
  hwy::Prefetch(p + 12 * kLine<T>);
}

// Four rows share what is read of x.
template <class T>
HWY_INLINE void FourDots(const T* g, size_t pitch, const double* x, size_t n, double* p) {
  const Tag d;
  const size_t N = hn::Lanes(d);
  const T *g0 = g, *g1 = g + pitch, *g2 = g1 + pitch, *g3 = g2 + pitch;
  Wide a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
  size_t j = 0;
  for (; j + 2 * N <= n; j += 2 * N) {
    Ahead(g0 + j);
    Ahead(g1 + j);
    Ahead(g2 + j);
    Ahead(g3 + j);
    const Wide x0 = hn::LoadU(d, x + j), x1 = hn::LoadU(d, x + j + N);
    a0 = hn::MulAdd(Widen(g0 + j), x0, a0);
    a1 = hn::MulAdd(Widen(g1 + j), x0, a1);
    a2 = hn::MulAdd(Widen(g2 + j), x0, a2);
    a3 = hn::MulAdd(Widen(g3 + j), x0, a3);
    b0 = hn::MulAdd(Widen(g0 + j + N), x1, b0);
    b1 = hn::MulAdd(Widen(g1 + j + N), x1, b1);
    b2 = hn::MulAdd(Widen(g2 + j + N), x1, b2);
    b3 = hn::MulAdd(Widen(g3 + j + N), x1, b3);
  }
  double s0 = hn::GetLane(hn::SumOfLanes(d, hn::Add(a0, b0)));
  double s1 = hn::GetLane(hn::SumOfLanes(d, hn::Add(a1, b1)));
  double s2 = hn::GetLane(hn::SumOfLanes(d, hn::Add(a2, b2)));
  double s3 = hn::GetLane(hn::SumOfLanes(d, hn::Add(a3, b3)));
  for (; j < n; j++) {
    s0 += static_cast<double>(g0[j]) * x[j];
    s1 += static_cast<double>(g1[j]) * x[j];
    s2 += static_cast<double>(g2[j]) * x[j];
    s3 += static_cast<double>(g3[j]) * x[j];
  }
  p[0] += s0;
  p[1] += s1;
  p[2] += s2;
  p[3] += s3;
}

template <class T>
HWY_INLINE double OneDot(const T* g, const double* x, size_t n) {
  const Tag d;
  const size_t N = hn::Lanes(d);
  Wide a = hn::Zero(d), b = a;
  size_t j = 0;
  for (; j + 2 * N <= n; j += 2 * N) {
    a = hn::MulAdd(Widen(g + j), hn::LoadU(d, x + j), a);
    b = hn::MulAdd(Widen(g + j + N), hn::LoadU(d, x + j + N), b);
  }
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(a, b)));
  for (; j < n; j++) sum += static_cast<double>(g[j]) * x[j];
  return sum;
}

template <class T>
HWY_INLINE void Dots(const T* g, size_t pitch, size_t count, const double* x, size_t n, double* p) {
  size_t i = 0;
  for (; i + 4 <= count; i += 4) FourDots(g + i * pitch, pitch, x, n, p + i);
  for (; i < count; i++) p[i] += OneDot(g + i * pitch, x, n);
}

// Eight rows share one pass over the sum.
template <class T>
HWY_INLINE void AddEight(const T* g, size_t pitch, const double* w, size_t n, double* sum) {
  const Tag d;
  const size_t N = hn::Lanes(d);
  const Wide w0 = hn::Set(d, w[0]), w1 = hn::Set(d, w[1]), w2 = hn::Set(d, w[2]), w3 = hn::Set(d, w[3]);
  const Wide w4 = hn::Set(d, w[4]), w5 = hn::Set(d, w[5]), w6 = hn::Set(d, w[6]), w7 = hn::Set(d, w[7]);
  const T *g1 = g + pitch, *g2 = g1 + pitch, *g3 = g2 + pitch, *g4 = g3 + pitch, *g5 = g4 + pitch;
  const T *g6 = g5 + pitch, *g7 = g6 + pitch;
  size_t j = 0;
  for (; j + N <= n; j += N) {
    if (j % kLine<T> == 0) {
      for (const T* row : {g, g1, g2, g3, g4, g5, g6, g7}) Ahead(row + j);
    }
    Wide even = hn::MulAdd(w0, Widen(g + j), hn::LoadU(d, sum + j)), odd = hn::Mul(w1, Widen(g1 + j));
    even = hn::MulAdd(w2, Widen(g2 + j), even);
    odd = hn::MulAdd(w3, Widen(g3 + j), odd);
    even = hn::MulAdd(w4, Widen(g4 + j), even);
    odd = hn::MulAdd(w5, Widen(g5 + j), odd);
    even = hn::MulAdd(w6, Widen(g6 + j), even);
    odd = hn::MulAdd(w7, Widen(g7 + j), odd);
    hn::StoreU(hn::Add(even, odd), d, sum + j);
  }
  for (; j < n; j++) {
    for (size_t k = 0; k < 8; k++) sum[j] += w[k] * static_cast<double>(g[k * pitch + j]);
  }
}

template <class T>
HWY_INLINE void AddOne(const T* g, double w, size_t n, double* sum) {
  const Tag d;
  const size_t N = hn::Lanes(d);
  const Wide weight = hn::Set(d, w);
  size_t j = 0;
  for (; j + N <= n; j += N) hn::StoreU(hn::MulAdd(weight, Widen(g + j), hn::LoadU(d, sum + j)), d, sum + j);
  for (; j < n; j++) sum[j] += w * static_cast<double>(g[j]);
}

template <class T>
HWY_INLINE void Sums(const T* g, size_t pitch, size_t count, const double* w, size_t n, double* sum) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) AddEight(g + i * pitch, pitch, w + i, n, sum);
  for (; i < count; i++) AddOne(g + i * pitch, w[i], n, sum);
}

template <class T>
HWY_INLINE Wide Blended(const T* row, Wide a, Wide b, const double* y) {
  return hn::MulAdd(b, hn::LoadU(Tag(), y), hn::Mul(a, Widen(row)));
}

// All entries come out of the same operations, so that a symmetric matrix stays one to the last bit.
template <class T>
HWY_INLINE double Blend(T* row, double a, double b, const double* y, size_t n) {
  const Tag d;
  const size_t N = hn::Lanes(d);
  const Wide va = hn::Set(d, a), vb = hn::Set(d, b);
  // Infinities and NaN leave a trace in the sum of differences, which maxima may drop.
  Wide most = hn::Zero(d), trace = most;
  size_t j = 0;
  for (; j + N <= n; j += N) {
    const Wide value = Blended(row + j, va, vb, y + j);
    Narrow(value, row + j);
    most = hn::Max(most, hn::Abs(value));
    trace = hn::Add(trace, hn::Sub(value, value));
  }
  if (j < n) {
    T rest[HWY_MAX_BYTES / sizeof(double)] = {};
    double more[HWY_MAX_BYTES / sizeof(double)] = {};
    std::copy(row + j, row + n, rest);
    std::copy(y + j, y + n, more);
    const Wide value = Blended(rest, va, vb, more);
    Narrow(value, rest);
    std::copy(rest, rest + (n - j), row + j);
    most = hn::Max(most, hn::Abs(value));
    trace = hn::Add(trace, hn::Sub(value, value));
  }
  const double sum = hn::GetLane(hn::SumOfLanes(d, trace));
  return sum == 0 ? hn::GetLane(hn::MaxOfLanes(d, most)) : sum;
}

void Dots64(const double* g, size_t pitch, size_t count, const double* x, size_t n, double* p) {
  Dots(g, pitch, count, x, n, p);
}
void Dots32(const float* g, size_t pitch, size_t count, const double* x, size_t n, double* p) {
  Dots(g, pitch, count, x, n, p);
}
void Sums64(const double* g, size_t pitch, size_t count, const double* w, size_t n, double* sum) {
  Sums(g, pitch, count, w, n, sum);
}
void Sums32(const float* g, size_t pitch, size_t count, const double* w, size_t n, double* sum) {
  Sums(g, pitch, count, w, n, sum);
}
double Blend64(double* row, double a, double b, const double* y, size_t n) { return Blend(row, a, b, y, n); }
double Blend32(float* row, double a, double b, const double* y, size_t n) { return Blend(row, a, b, y, n); }

}  // namespace HWY_NAMESPACE
}  // namespace extrema::curvature
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::curvature {

EXTREMA_EXPORT(Dots64);
EXTREMA_EXPORT(Dots32);
EXTREMA_EXPORT(Sums64);
EXTREMA_EXPORT(Sums32);
EXTREMA_EXPORT(Blend64);
EXTREMA_EXPORT(Blend32);

void dotRows(const double* rows, size_t pitch, size_t count, const double* x, size_t n, double* p) {
  EXTREMA_DISPATCH(Dots64)(rows, pitch, count, x, n, p);
}
void dotRows(const float* rows, size_t pitch, size_t count, const double* x, size_t n, double* p) {
  EXTREMA_DISPATCH(Dots32)(rows, pitch, count, x, n, p);
}
void addRows(const double* rows, size_t pitch, size_t count, const double* w, size_t n, double* sum) {
  EXTREMA_DISPATCH(Sums64)(rows, pitch, count, w, n, sum);
}
void addRows(const float* rows, size_t pitch, size_t count, const double* w, size_t n, double* sum) {
  EXTREMA_DISPATCH(Sums32)(rows, pitch, count, w, n, sum);
}
double blendRow(double* row, double a, double b, const double* y, size_t n) {
  return EXTREMA_DISPATCH(Blend64)(row, a, b, y, n);
}
double blendRow(float* row, double a, double b, const double* y, size_t n) {
  return EXTREMA_DISPATCH(Blend32)(row, a, b, y, n);
}

}  // namespace extrema::curvature
#endif
