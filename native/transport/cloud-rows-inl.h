// Rows of the plan between points as vectors, in the units of the exponent; included once per target.

#if defined(EXTREMA_TRANSPORT_CLOUD_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EXTREMA_TRANSPORT_CLOUD_ROWS_INL_H_
#undef EXTREMA_TRANSPORT_CLOUD_ROWS_INL_H_
#else
#define EXTREMA_TRANSPORT_CLOUD_ROWS_INL_H_
#endif

#include "hwy/highway.h"
#include "simd/math-inl.h"
#include "transport/cloud-sweep.h"
#include "transport/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

using Span = SpanMask::Span;

// Minus the costs of point i and the targets from j on, added to `start`.
template <Metric kMetric, size_t kDim, class T, class D>
HWY_INLINE hn::Vec<D> LessCost(D d, const CloudView<T>& view, const T* HWY_RESTRICT x, const hn::Vec<D>* y,
                               const T* HWY_RESTRICT yT, hn::Vec<D> start) {
  const size_t dimension = kDim > 0 ? kDim : view.d;
  auto total = kMetric == Metric::sqeuclidean || kMetric == Metric::cityblock ? start : hn::Zero(d);
  if constexpr (kMetric == Metric::cosine) total = hn::Set(d, view.unit);
  for (size_t k = 0; k < dimension; k++) {
    const auto target = kDim > 0 ? y[k] : hn::LoadU(d, yT + k * view.pitch);
    if constexpr (kMetric == Metric::cosine) {
      total = hn::NegMulAdd(hn::Set(d, x[k]), target, total);
    } else {
      const auto difference = hn::Sub(hn::Set(d, x[k]), target);
      if constexpr (kMetric == Metric::cityblock) total = hn::Sub(total, hn::Abs(difference));
      if constexpr (kMetric == Metric::sqeuclidean) total = hn::NegMulAdd(difference, difference, total);
      if constexpr (kMetric == Metric::euclidean) total = hn::MulAdd(difference, difference, total);
    }
  }
  if constexpr (kMetric == Metric::euclidean) return hn::Sub(start, hn::Sqrt(total));
  if constexpr (kMetric == Metric::cosine) return hn::Sub(start, hn::Max(total, hn::Zero(d)));
  return total;
}

// exp2 of the exponents of a row, stored and added to `total`.
template <Metric kMetric, size_t kDim, class T, class D>
HWY_INLINE hn::Vec<D> AddEntries(D d, const CloudView<T>& view, const T* HWY_RESTRICT x, T F, hn::Vec<D> g,
                                 const hn::Vec<D>* y, const T* HWY_RESTRICT yT, T* HWY_RESTRICT p,
                                 hn::Vec<D> total) {
  const auto z = LessCost<kMetric, kDim>(d, view, x, y, yT, hn::Add(hn::Set(d, F), g));
  const auto mass = extrema::HWY_NAMESPACE::Exp2(d, z);
  hn::Store(mass, d, p);
  return hn::Add(total, mass);
}

// p_rj for kRows rows from i on over the spans, and their sums. Four rows share the loads of the targets.
// With `scale`, what p held before goes to the columns on the way, while the arithmetic hides that it comes
// from afar.
template <Metric kMetric, size_t kDim, size_t kRows, bool kAdd, class T>
HWY_NOINLINE void FormRows(const CloudView<T>& view, size_t i, const T* F, const Span* spans, size_t count,
                           T* HWY_RESTRICT p, double* HWY_RESTRICT sums, const double* scale,
                           T* HWY_RESTRICT columns) {
  static_assert(kRows == 4 || !kAdd, "rows go to the columns in fours");
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  // Partial sums in T take at most so many steps.
  constexpr size_t kSteps = 512;
  const size_t N = hn::Lanes(d), pitch = view.pitch, step = kRows > 1 ? view.d : 0;
  const T* HWY_RESTRICT x0 = view.x + i * view.d;
  const T* HWY_RESTRICT x1 = x0 + step;
  const T* HWY_RESTRICT x2 = x1 + step;
  const T* HWY_RESTRICT x3 = x2 + step;
  const T* HWY_RESTRICT targets = view.yT;
  const T* HWY_RESTRICT G = view.G;
  V u0 = hn::Zero(d), u1 = u0, u2 = u0, u3 = u0;
  if constexpr (kAdd) {
    u0 = hn::Set(d, static_cast<T>(scale[0]));
    u1 = hn::Set(d, static_cast<T>(scale[1]));
    u2 = hn::Set(d, static_cast<T>(scale[2]));
    u3 = hn::Set(d, static_cast<T>(scale[3]));
  }
  for (size_t r = 0; r < kRows; r++) sums[r] = 0;
  for (size_t s = 0; s < count; s++) {
    for (size_t begin = spans[s].begin; begin < spans[s].end; begin += kSteps * N) {
      const size_t end = std::min<size_t>(begin + kSteps * N, spans[s].end);
      V s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
      for (size_t j = begin; j < end; j += N) {
        if constexpr (kAdd) {
          auto c = hn::MulAdd(u0, hn::Load(d, p + j), hn::Load(d, columns + j));
          c = hn::MulAdd(u1, hn::Load(d, p + pitch + j), c);
          c = hn::MulAdd(u2, hn::Load(d, p + 2 * pitch + j), c);
          c = hn::MulAdd(u3, hn::Load(d, p + 3 * pitch + j), c);
          hn::Store(c, d, columns + j);
        }
        const V g = hn::Load(d, G + j);
        V y[kDim > 0 ? kDim : 1] = {g};
        if constexpr (kDim > 0) y[0] = hn::Load(d, targets + j);
        if constexpr (kDim > 1) y[1] = hn::Load(d, targets + pitch + j);
        if constexpr (kDim > 2) y[2] = hn::Load(d, targets + 2 * pitch + j);
        const T* yT = targets + j;
        s0 = AddEntries<kMetric, kDim>(d, view, x0, F[0], g, y, yT, p + j, s0);
        if constexpr (kRows > 1) {
          s1 = AddEntries<kMetric, kDim>(d, view, x1, F[1], g, y, yT, p + pitch + j, s1);
          s2 = AddEntries<kMetric, kDim>(d, view, x2, F[2], g, y, yT, p + 2 * pitch + j, s2);
          s3 = AddEntries<kMetric, kDim>(d, view, x3, F[3], g, y, yT, p + 3 * pitch + j, s3);
        }
      }
      sums[0] += Total(d, s0);
      if constexpr (kRows > 1) {
        sums[1] += Total(d, s1);
        sums[2] += Total(d, s2);
        sums[3] += Total(d, s3);
      }
    }
  }
}

// columns += sum_r scale_r p_r over the spans.
template <size_t kRows, class T>
HWY_NOINLINE void AddRows(const T* HWY_RESTRICT p, size_t pitch, const double* scale, const Span* spans,
                          size_t count, T* HWY_RESTRICT columns) {
  const hn::ScalableTag<T> d;
  const size_t N = hn::Lanes(d);
  hn::Vec<decltype(d)> u[kRows];
  for (size_t r = 0; r < kRows; r++) u[r] = hn::Set(d, static_cast<T>(scale[r]));
  for (size_t s = 0; s < count; s++) {
    for (size_t j = spans[s].begin; j < spans[s].end; j += N) {
      auto total = hn::Load(d, columns + j);
      for (size_t r = 0; r < kRows; r++) total = hn::MulAdd(u[r], hn::Load(d, p + r * pitch + j), total);
      hn::Store(total, d, columns + j);
    }
  }
}

// max_j (G_j - C_ij)
template <Metric kMetric, class T>
HWY_NOINLINE T LargestExponent(const CloudView<T>& view, size_t i) {
  const hn::ScalableTag<T> d;
  auto largest = hn::Set(d, -std::numeric_limits<T>::infinity());
  for (size_t j = 0; j < view.pitch; j += hn::Lanes(d)) {
    largest = hn::Max(largest, LessCost<kMetric, 0>(d, view, view.x + i * view.d, nullptr, view.yT + j,
                                                    hn::Load(d, view.G + j)));
  }
  return hn::GetLane(hn::MaxOfLanes(d, largest));
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#endif  // include guard
