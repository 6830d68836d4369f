// Rows of the plan between points as vectors, in the units of the exponent; included once per target.

#if defined(EXTREMA_TRANSPORT_CLOUD_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EXTREMA_TRANSPORT_CLOUD_ROWS_INL_H_
#undef EXTREMA_TRANSPORT_CLOUD_ROWS_INL_H_
#else
#define EXTREMA_TRANSPORT_CLOUD_ROWS_INL_H_
#endif

#include "hwy/highway.h"
#include "simd/four-inl.h"
#include "transport/cloud-sweep.h"
#include "transport/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

using Span = SpanMask::Span;
template <class V>
using Four = extrema::HWY_NAMESPACE::Four<V>;
using extrema::HWY_NAMESPACE::Each;

// Four rows that are formed together. Where fewer are left, the last one fills the places.
template <class T>
struct RowGroup {
  size_t row[4];
  T F[4];
};

// A coordinate of the four points, in all lanes.
template <class D, class T>
HWY_INLINE Four<hn::Vec<D>> Coordinate(D d, const T* const (&x)[4], size_t k) {
  return {hn::Set(d, x[0][k]), hn::Set(d, x[1][k]), hn::Set(d, x[2][k]), hn::Set(d, x[3][k])};
}

// What coordinate k of points x and targets y makes of the costs so far (euclidean: their squares; cosine:
// one less the product), or of the exponents less the costs, where these are sums over the coordinates.
template <Metric kMetric, class V>
HWY_INLINE Four<V> Accumulate(const Four<V>& total, const Four<V>& x, V y) {
  if constexpr (kMetric == Metric::cosine) {
    return {hn::NegMulAdd(x.a, y, total.a), hn::NegMulAdd(x.b, y, total.b), hn::NegMulAdd(x.c, y, total.c),
            hn::NegMulAdd(x.d, y, total.d)};
  } else {
    const auto t = Each(x, [&](V z) HWY_ATTR { return hn::Sub(y, z); });
    return Each(total, t, [](V sum, V z) HWY_ATTR {
      if constexpr (kMetric == Metric::cityblock) return hn::Sub(sum, hn::Abs(z));
      if constexpr (kMetric == Metric::sqeuclidean) return hn::NegMulAdd(z, z, sum);
      return hn::MulAdd(z, z, sum);
    });
  }
}

constexpr bool IsSum(Metric metric) { return metric == Metric::sqeuclidean || metric == Metric::cityblock; }

// What `Accumulate` starts from, given the exponents without their costs.
template <Metric kMetric, class D, class V, class T>
HWY_INLINE Four<V> Begin(D d, const Four<V>& z, T unit) {
  if constexpr (IsSum(kMetric)) return z;
  const V start = kMetric == Metric::cosine ? hn::Set(d, unit) : hn::Zero(d);
  return {start, start, start, start};
}

template <Metric kMetric, class D, class V>
HWY_INLINE Four<V> Finish(D d, const Four<V>& z, const Four<V>& total) {
  if constexpr (IsSum(kMetric)) return total;
  return Each(z, total, [&](V start, V cost) HWY_ATTR {
    if constexpr (kMetric == Metric::euclidean) return hn::Sub(start, hn::Sqrt(cost));
    return hn::Sub(start, hn::Max(cost, hn::Zero(d)));
  });
}

// p_rj for the rows of the group over the spans, and their sums. With `waiting`, what p held before goes to
// the columns on the way, times these factors, while the arithmetic hides that it comes from afar.
template <Metric kMetric, size_t kDim, class T>
HWY_NOINLINE void FormRows(const CloudView<T>& view, const RowGroup<T>& group, const Span* spans,
                           size_t count, T* HWY_RESTRICT p, const double* waiting, T* HWY_RESTRICT columns,
                           double* HWY_RESTRICT sums) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  // Partial sums in T take at most so many steps.
  constexpr size_t kSteps = 512;
  const size_t N = hn::Lanes(d), pitch = view.pitch, dimension = view.d;
  const T* HWY_RESTRICT targets = view.yT;
  const T* HWY_RESTRICT G = view.G;
  const T* const x[4] = {view.x + group.row[0] * dimension, view.x + group.row[1] * dimension,
                         view.x + group.row[2] * dimension, view.x + group.row[3] * dimension};
  const Four<V> F = Coordinate(d, {group.F, group.F + 1, group.F + 2, group.F + 3}, 0);
  Four<V> x0 = F, x1 = F, x2 = F;
  if constexpr (kDim > 0) x0 = Coordinate(d, x, 0);
  if constexpr (kDim > 1) x1 = Coordinate(d, x, 1);
  if constexpr (kDim > 2) x2 = Coordinate(d, x, 2);
  Four<V> u = F;
  if (waiting != nullptr) {
    u = {hn::Set(d, static_cast<T>(waiting[0])), hn::Set(d, static_cast<T>(waiting[1])),
         hn::Set(d, static_cast<T>(waiting[2])), hn::Set(d, static_cast<T>(waiting[3]))};
  }
  for (size_t r = 0; r < 4; r++) sums[r] = 0;
  for (size_t s = 0; s < count; s++) {
    for (size_t begin = spans[s].begin; begin < spans[s].end; begin += kSteps * N) {
      const size_t end = std::min<size_t>(begin + kSteps * N, spans[s].end);
      const V zero = hn::Zero(d);
      Four<V> total = {zero, zero, zero, zero};
      for (size_t j = begin; j < end; j += N) {
        T* HWY_RESTRICT out = p + j;
        if (waiting != nullptr) {
          V c = hn::MulAdd(u.a, hn::Load(d, out), hn::Load(d, columns + j));
          c = hn::MulAdd(u.b, hn::Load(d, out + pitch), c);
          c = hn::MulAdd(u.c, hn::Load(d, out + 2 * pitch), c);
          c = hn::MulAdd(u.d, hn::Load(d, out + 3 * pitch), c);
          hn::Store(c, d, columns + j);
        }
        const V g = hn::Load(d, G + j);
        const Four<V> start = Each(F, [&](V f) HWY_ATTR { return hn::Add(f, g); });
        Four<V> z = Begin<kMetric>(d, start, view.unit);
        if constexpr (kDim > 0) {
          z = Accumulate<kMetric>(z, x0, hn::Load(d, targets + j));
          if constexpr (kDim > 1) z = Accumulate<kMetric>(z, x1, hn::Load(d, targets + pitch + j));
          if constexpr (kDim > 2) z = Accumulate<kMetric>(z, x2, hn::Load(d, targets + 2 * pitch + j));
        } else {
          for (size_t k = 0; k < dimension; k++) {
            z = Accumulate<kMetric>(z, Coordinate(d, x, k), hn::Load(d, targets + k * pitch + j));
          }
        }
        const Four<V> mass = extrema::HWY_NAMESPACE::Exp2(d, Finish<kMetric>(d, start, z));
        hn::Store(mass.a, d, out);
        hn::Store(mass.b, d, out + pitch);
        hn::Store(mass.c, d, out + 2 * pitch);
        hn::Store(mass.d, d, out + 3 * pitch);
        total = Each(total, mass, [](V sum, V one) HWY_ATTR { return hn::Add(sum, one); });
      }
      sums[0] += Total(d, total.a);
      sums[1] += Total(d, total.b);
      sums[2] += Total(d, total.c);
      sums[3] += Total(d, total.d);
    }
  }
}

template <class T>
using RowFormer = void (*)(const CloudView<T>&, const RowGroup<T>&, const Span*, size_t, T*, const double*,
                           T*, double*);

// Two and three coordinates stay in registers.
template <Metric kMetric, class T>
RowFormer<T> FormerOf(size_t dimension) {
  if (dimension == 2) return FormRows<kMetric, 2, T>;
  if (dimension == 3) return FormRows<kMetric, 3, T>;
  return FormRows<kMetric, 0, T>;
}

template <class T>
RowFormer<T> FormerOf(const CloudView<T>& view) {
  switch (view.metric) {
    case Metric::euclidean:
      return FormerOf<Metric::euclidean, T>(view.d);
    case Metric::cosine:
      return FormRows<Metric::cosine, 0, T>;
    case Metric::cityblock:
      return FormerOf<Metric::cityblock, T>(view.d);
    default:
      return FormerOf<Metric::sqeuclidean, T>(view.d);
  }
}

// columns += sum_r scale_r p_r over the spans.
template <class T>
HWY_NOINLINE void AddRows(const T* HWY_RESTRICT p, size_t pitch, const double* scale, const Span* spans,
                          size_t count, T* HWY_RESTRICT columns) {
  const hn::ScalableTag<T> d;
  for (size_t s = 0; s < count; s++) {
    for (size_t j = spans[s].begin; j < spans[s].end; j += hn::Lanes(d)) {
      auto total = hn::Load(d, columns + j);
      for (size_t r = 0; r < 4; r++) {
        total = hn::MulAdd(hn::Set(d, static_cast<T>(scale[r])), hn::Load(d, p + r * pitch + j), total);
      }
      hn::Store(total, d, columns + j);
    }
  }
}

// max_j (G_j - C_ij)
template <class T>
HWY_NOINLINE T LargestExponent(const CloudView<T>& view, size_t i) {
  const T* x = view.x + i * view.d;
  T largest = -std::numeric_limits<T>::infinity();
  for (size_t j = 0; j < view.m; j++) {
    T cost = view.metric == Metric::cosine ? view.unit : 0;
    for (size_t k = 0; k < view.d; k++) {
      const T y = view.yT[k * view.pitch + j], t = x[k] - y;
      cost += view.metric == Metric::cosine      ? -x[k] * y
              : view.metric == Metric::cityblock ? std::fabs(t)
                                                 : t * t;
    }
    if (view.metric == Metric::euclidean) cost = std::sqrt(cost);
    largest = std::max(largest, view.G[j] - std::max(cost, T(0)));
  }
  return largest;
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#endif  // include guard
