#include "tensor/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "simd/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/reduce.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/math-inl.h"
#include "simd/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace tensor {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace ours = extrema::HWY_NAMESPACE;

using D64 = hn::ScalableTag<double>;

HWY_INLINE hn::Vec<D64> LoadWide(D64 d, const double* x) { return hn::LoadU(d, x); }
HWY_INLINE hn::Vec<D64> LoadWide(D64 d, const float* x) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<float, D64>(), x));
}

// Σ f(x_i) over a row, in float64.
template <class T, class F, class G>
HWY_INLINE double RowSum(const T* x, size_t n, const F& f, const G& scalar) {
  const D64 d;
  const size_t lanes = hn::Lanes(d);
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    s0 = f(s0, LoadWide(d, x + i));
    s1 = f(s1, LoadWide(d, x + i + lanes));
    s2 = f(s2, LoadWide(d, x + i + 2 * lanes));
    s3 = f(s3, LoadWide(d, x + i + 3 * lanes));
  }
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
  for (; i < n; i++) sum += scalar(static_cast<double>(x[i]));
  return sum;
}

template <class T>
HWY_INLINE double Sum(const T* x, size_t n) {
  return RowSum(
      x, n, [](auto s, auto v) { return hn::Add(s, v); }, [](double v) { return v; });
}

template <class T>
HWY_INLINE double SumOfSquares(const T* x, size_t n) {
  return RowSum(
      x, n, [](auto s, auto v) { return hn::MulAdd(v, v, s); }, [](double v) { return v * v; });
}

// The larger or smaller of the two, NaN if one is.
template <class T>
HWY_INLINE T Extreme(T a, T b, bool largest) {
  const bool take = largest ? b > a : b < a;
  return take || b != b ? b : a;
}

template <class T>
HWY_INLINE T RowMax(const T* x, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  T most = -std::numeric_limits<T>::infinity();
  size_t i = 0;
  if (n >= lanes) {
    auto top = hn::Set(d, most);
    for (; i + lanes <= n; i += lanes) {
      const auto v = hn::LoadU(d, x + i);
      top = hn::IfThenElse(hn::Or(hn::Gt(v, top), hn::IsNaN(v)), v, top);
    }
    HWY_ALIGN T kept[HWY_MAX_BYTES / sizeof(T)];
    hn::Store(top, d, kept);
    for (size_t k = 0; k < lanes; k++) most = Extreme(most, kept[k], true);
  }
  for (; i < n; i++) most = Extreme(most, x[i], true);
  return most;
}

// Σ exp(x_i - most) over a row.
template <class T>
HWY_INLINE double RowExpSum(const T* x, size_t n, T most) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  const auto shift = hn::Set(d, most);
  HWY_ALIGN T powers[8 * HWY_MAX_BYTES / sizeof(T)];
  const size_t block = 8 * lanes;
  double sum = 0;
  for (size_t i = 0; i < n; i += block) {
    const size_t count = std::min(block, n - i);
    size_t k = 0;
    for (; k + lanes <= count; k += lanes) {
      hn::Store(ours::Exp(d, hn::Sub(hn::LoadU(d, x + i + k), shift)), d, powers + k);
    }
    if (k < count) {
      ours::StoreN(ours::Exp(d, hn::Sub(ours::LoadN(d, x + i + k, count - k, most), shift)), d, powers + k,
                   count - k);
    }
    sum += Sum(powers, count);
  }
  return sum;
}

// The norm where the sum of squares leaves the range of float64.
template <class T>
double ScaledNorm(const T* x, size_t n, size_t stride) {
  double most = 0;
  for (size_t k = 0; k < n; k++) most = Extreme(most, std::fabs(static_cast<double>(x[k * stride])), true);
  if (most == 0 || !(most < std::numeric_limits<double>::infinity())) return most;
  double sum = 0;
  for (size_t k = 0; k < n; k++) {
    const double part = x[k * stride] / most;
    sum += part * part;
  }
  return most * std::sqrt(sum);
}

HWY_INLINE bool InRange(double sumOfSquares) { return sumOfSquares > 1e-280 && sumOfSquares < 1e300; }

template <class T>
HWY_INLINE T ReduceRow(int op, const T* x, size_t n) {
  switch (op) {
    case 0:
      return static_cast<T>(Sum(x, n));
    case 1:
      return RowMax(x, n);
    case 2: {
      T least = std::numeric_limits<T>::infinity();
      for (size_t i = 0; i < n; i++) least = Extreme(least, x[i], false);
      return least;
    }
    case 3: {
      const T most = RowMax(x, n);
      if (!(std::fabs(most) < std::numeric_limits<T>::infinity())) return most;
      return static_cast<T>(most + std::log(RowExpSum(x, n, most)));
    }
    default: {
      const double squares = SumOfSquares(x, n);
      return static_cast<T>(InRange(squares) ? std::sqrt(squares) : ScaledNorm(x, n, 1));
    }
  }
}

constexpr size_t kBlock = 512;

// `count` columns side by side, `stride` apart from row to row. Plain loops over the columns: the compiler
// makes vectors of them.
template <class T>
HWY_INLINE void ReduceColumns(int op, T* out, const T* x, size_t length, size_t stride, size_t count) {
  double sums[kBlock];
  T tops[kBlock];
  if (op == 0 || op == 4) {
    std::fill(sums, sums + count, 0.0);
    for (size_t k = 0; k < length; k++) {
      const T* row = x + k * stride;
      if (op == 0) {
        for (size_t i = 0; i < count; i++) sums[i] += row[i];
      } else {
        for (size_t i = 0; i < count; i++) sums[i] += static_cast<double>(row[i]) * row[i];
      }
    }
    for (size_t i = 0; i < count; i++) {
      if (op == 0) {
        out[i] = static_cast<T>(sums[i]);
      } else {
        out[i] = static_cast<T>(InRange(sums[i]) ? std::sqrt(sums[i]) : ScaledNorm(x + i, length, stride));
      }
    }
    return;
  }
  const bool largest = op != 2;
  const T infinity = std::numeric_limits<T>::infinity();
  std::fill(tops, tops + count, largest ? -infinity : infinity);
  for (size_t k = 0; k < length; k++) {
    const T* row = x + k * stride;
    for (size_t i = 0; i < count; i++) tops[i] = Extreme(tops[i], row[i], largest);
  }
  if (op != 3) {
    std::copy(tops, tops + count, out);
    return;
  }
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  T powers[kBlock];
  std::fill(sums, sums + count, 0.0);
  for (size_t k = 0; k < length; k++) {
    const T* row = x + k * stride;
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      hn::StoreU(ours::Exp(d, hn::Sub(hn::LoadU(d, row + i), hn::LoadU(d, tops + i))), d, powers + i);
    }
    if (i < count) {
      const auto v = hn::Sub(ours::LoadN(d, row + i, count - i), ours::LoadN(d, tops + i, count - i));
      ours::StoreN(ours::Exp(d, v), d, powers + i, count - i);
    }
    for (i = 0; i < count; i++) sums[i] += powers[i];
  }
  for (size_t i = 0; i < count; i++) {
    out[i] = std::fabs(tops[i]) < infinity ? static_cast<T>(tops[i] + std::log(sums[i])) : tops[i];
  }
}

template <class T>
HWY_INLINE void Reduce(int op, T* out, const T* x, size_t outer, size_t length, size_t inner) {
  if (inner == 1) {
    for (size_t o = 0; o < outer; o++) out[o] = ReduceRow(op, x + o * length, length);
    return;
  }
  for (size_t o = 0; o < outer; o++) {
    for (size_t i = 0; i < inner; i += kBlock) {
      const size_t count = std::min(kBlock, inner - i);
      ReduceColumns(op, out + o * inner + i, x + o * length * inner + i, length, inner, count);
    }
  }
}

void Reduce64(int op, double* out, const double* x, size_t outer, size_t length, size_t inner) {
  Reduce(op, out, x, outer, length, inner);
}
void Reduce32(int op, float* out, const float* x, size_t outer, size_t length, size_t inner) {
  Reduce(op, out, x, outer, length, inner);
}

}  // namespace HWY_NAMESPACE
}  // namespace tensor
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema {
namespace tensor {

EXTREMA_EXPORT(Reduce64);
EXTREMA_EXPORT(Reduce32);

template <>
void reduce(int op, double* out, const double* x, size_t outer, size_t length, size_t inner) {
  EXTREMA_DISPATCH(Reduce64)(op, out, x, outer, length, inner);
}
template <>
void reduce(int op, float* out, const float* x, size_t outer, size_t length, size_t inner) {
  EXTREMA_DISPATCH(Reduce32)(op, out, x, outer, length, inner);
}

}  // namespace tensor
}  // namespace extrema
#endif
