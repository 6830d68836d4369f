#include "linear/vectors.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>

#include "core/error.h"
#include "simd/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "linear/vectors.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::linear {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

double Dot(const double* x, const double* y, size_t n) {
  const hn::ScalableTag<double> d;
  const size_t N = hn::Lanes(d);
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  size_t i = 0;
  for (; i + 4 * N <= n; i += 4 * N) {
    s0 = hn::MulAdd(hn::LoadU(d, x + i), hn::LoadU(d, y + i), s0);
    s1 = hn::MulAdd(hn::LoadU(d, x + i + N), hn::LoadU(d, y + i + N), s1);
    s2 = hn::MulAdd(hn::LoadU(d, x + i + 2 * N), hn::LoadU(d, y + i + 2 * N), s2);
    s3 = hn::MulAdd(hn::LoadU(d, x + i + 3 * N), hn::LoadU(d, y + i + 3 * N), s3);
  }
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
  for (; i < n; i++) sum += x[i] * y[i];
  return sum;
}

double Subtract(double a, const double* q, double* r, size_t n) {
  const hn::ScalableTag<double> d;
  const size_t N = hn::Lanes(d);
  const auto va = hn::Set(d, a);
  auto s0 = hn::Zero(d), s1 = s0;
  size_t i = 0;
  for (; i + 2 * N <= n; i += 2 * N) {
    const auto r0 = hn::NegMulAdd(va, hn::LoadU(d, q + i), hn::LoadU(d, r + i));
    const auto r1 = hn::NegMulAdd(va, hn::LoadU(d, q + i + N), hn::LoadU(d, r + i + N));
    hn::StoreU(r0, d, r + i);
    hn::StoreU(r1, d, r + i + N);
    s0 = hn::MulAdd(r0, r0, s0);
    s1 = hn::MulAdd(r1, r1, s1);
  }
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1)));
  for (; i < n; i++) {
    r[i] -= a * q[i];
    sum += r[i] * r[i];
  }
  return sum;
}

void Advance(double a, double b, const double* z, double* p, double* x, size_t n) {
  const hn::ScalableTag<double> d;
  const size_t N = hn::Lanes(d);
  const auto va = hn::Set(d, a), vb = hn::Set(d, b);
  size_t i = 0;
  for (; i + N <= n; i += N) {
    const auto old = hn::LoadU(d, p + i);
    hn::StoreU(hn::MulAdd(va, old, hn::LoadU(d, x + i)), d, x + i);
    hn::StoreU(hn::MulAdd(vb, old, hn::LoadU(d, z + i)), d, p + i);
  }
  for (; i < n; i++) {
    x[i] += a * p[i];
    p[i] = z[i] + b * p[i];
  }
}

// x - x is zero for finite numbers, and NaN for others.
bool Finite(const double* x, size_t n) {
  const hn::ScalableTag<double> d;
  const size_t N = hn::Lanes(d);
  auto s0 = hn::Zero(d), s1 = s0;
  size_t i = 0;
  for (; i + 2 * N <= n; i += 2 * N) {
    const auto a = hn::LoadU(d, x + i), b = hn::LoadU(d, x + i + N);
    s0 = hn::Add(s0, hn::Sub(a, a));
    s1 = hn::Add(s1, hn::Sub(b, b));
  }
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1)));
  for (; i < n; i++) sum += x[i] - x[i];
  return sum == 0;
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::linear
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::linear {

EXTREMA_EXPORT(Dot);
EXTREMA_EXPORT(Subtract);
EXTREMA_EXPORT(Advance);
EXTREMA_EXPORT(Finite);

double dotRange(const double* x, const double* y, size_t n) { return EXTREMA_DISPATCH(Dot)(x, y, n); }
double subtractRange(double a, const double* q, double* r, size_t n) {
  return EXTREMA_DISPATCH(Subtract)(a, q, r, n);
}
void advanceRange(double a, double b, const double* z, double* p, double* x, size_t n) {
  EXTREMA_DISPATCH(Advance)(a, b, z, p, x, n);
}
bool finiteRange(const double* x, size_t n) { return EXTREMA_DISPATCH(Finite)(x, n); }

bool isFinite(Team& team, const double* x, size_t n) {
  std::atomic<bool> finite{true};
  Vectors(n, team).forEach([&](size_t from, size_t to) {
    if (!finiteRange(x + from, to - from)) finite = false;
  });
  return finite;
}

void refuseNotFinite(const char* name, const double* x, size_t n, size_t columns) {
  size_t at = 0;
  while (at < n && std::isfinite(x[at])) at++;
  // The caller may have written there since.
  at = std::min(at, n - 1);
  const double value = x[at];
  const char* came = std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
  const std::string place =
      columns == 0 ? "[" + std::to_string(at) + "]"
                   : "[" + std::to_string(at / columns) + "][" + std::to_string(at % columns) + "]";
  throw Error("ERR_NOT_FINITE", name + place + ": expected a finite number, got " + came);
}

}  // namespace extrema::linear
#endif
