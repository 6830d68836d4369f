// Rows of the cost as vectors, included once per target by the passes.

#if defined(EXTREMA_TRANSPORT_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EXTREMA_TRANSPORT_ROWS_INL_H_
#undef EXTREMA_TRANSPORT_ROWS_INL_H_
#else
#define EXTREMA_TRANSPORT_ROWS_INL_H_
#endif

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "hwy/highway.h"
#include "transport/chunk.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Rows of the cost. Load gives the entries from column j on; past the last column they are +Infinity, which
// drops out of every sum of exponentials and every minimum.

template <class Stored>
struct MatrixRow {
  const Stored* row;
  size_t m;

  template <class D>
  HWY_INLINE hn::Vec<D> Load(D d, size_t j) const {
    return Convert(d, hn::LoadU(hn::Rebind<Stored, D>(), row + j));
  }
  template <class D>
  HWY_INLINE hn::Vec<D> LoadTail(D d, size_t j) const {
    Stored tail[64 / sizeof(Stored)];
    for (size_t k = 0; k < hn::Lanes(d); k++) {
      tail[k] = j + k < m ? row[j + k] : std::numeric_limits<Stored>::infinity();
    }
    return Convert(d, hn::LoadU(hn::Rebind<Stored, D>(), tail));
  }
  template <class D, class V>
  static HWY_INLINE hn::Vec<D> Convert(D d, V v) {
    if constexpr (sizeof(hn::TFromD<D>) == sizeof(Stored)) {
      return v;
    } else {
      return hn::PromoteTo(d, v);
    }
  }
};

template <class T, Metric kMetric>
struct PointRow {
  const T* x;
  const T* yT;
  size_t dimension, pitch, m;

  template <class D>
  HWY_INLINE hn::Vec<D> Load(D d, size_t j) const {
    auto total = hn::Zero(d);
    for (size_t k = 0; k < dimension; k++) {
      const auto y = hn::LoadU(d, yT + k * pitch + j);
      if constexpr (kMetric == Metric::cosine) {
        total = hn::MulAdd(hn::Set(d, x[k]), y, total);
      } else {
        const auto difference = hn::Sub(hn::Set(d, x[k]), y);
        total = kMetric == Metric::cityblock ? hn::Add(total, hn::Abs(difference))
                                             : hn::MulAdd(difference, difference, total);
      }
    }
    if constexpr (kMetric == Metric::cosine) return hn::Max(hn::Sub(hn::Set(d, T{1}), total), hn::Zero(d));
    if constexpr (kMetric == Metric::euclidean) return hn::Sqrt(total);
    return total;
  }
  template <class D>
  HWY_INLINE hn::Vec<D> LoadTail(D d, size_t j) const {
    return hn::IfThenElse(hn::FirstN(d, m - j), Load(d, j), hn::Set(d, std::numeric_limits<T>::infinity()));
  }
};

// Distances of close points have lost their digits to the cancellation of their squares: again, by
// coordinates.
template <class T>
HWY_NOINLINE void DistancesNearby(const Geometry<T>& geo, size_t i, size_t j0, size_t count,
                                  T* HWY_RESTRICT row) {
  for (size_t j = j0; j < std::min(j0 + count, geo.coreM); j++) {
    T total = 0;
    for (size_t k = 0; k < geo.d; k++) {
      const T difference = geo.x[i * geo.d + k] - geo.yT[k * geo.pitch + j];
      total += difference * difference;
    }
    row[j] = std::sqrt(total);
  }
}

// Costs of a block of rows by C = |x|² + |y|² - 2 x·y.
template <class T>
void FillBlock(const Geometry<T>& geo, size_t i0, size_t rows, T* HWY_RESTRICT block) {
  const hn::ScalableTag<T> d;
  const int M = static_cast<int>(rows), N = static_cast<int>(geo.coreM), K = static_cast<int>(geo.d);
  const int pitch = static_cast<int>(geo.pitch);
  const T* x = geo.x.data() + i0 * geo.d;
  if constexpr (sizeof(T) == 8) {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, M, N, K, 1, x, K, geo.yT.data(), pitch, 0, block,
                pitch);
  } else {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, M, N, K, 1, x, K, geo.yT.data(), pitch, 0, block,
                pitch);
  }
  const auto zero = hn::Zero(d);
  for (size_t r = 0; r < rows; r++) {
    T* row = block + r * geo.pitch;
    const auto xx = hn::Set(d, geo.xx[i0 + r]);
    for (size_t j = 0; j < geo.coreM; j += hn::Lanes(d)) {
      const auto dot = hn::LoadU(d, row + j);
      auto cost = zero;
      if (geo.metric == Metric::cosine) {
        cost = hn::Max(hn::Sub(hn::Set(d, T{1}), dot), zero);
      } else {
        const auto squares = hn::Add(xx, hn::LoadU(d, geo.yy.data() + j));
        cost = hn::Max(hn::NegMulAdd(hn::Set(d, T{2}), dot, squares), zero);
        if (geo.metric == Metric::euclidean) {
          const auto cancelled = hn::Lt(cost, hn::Mul(hn::Set(d, T{1e-4}), squares));
          cost = hn::Sqrt(cost);
          if (HWY_UNLIKELY(!hn::AllFalse(d, cancelled))) {
            hn::StoreU(cost, d, row + j);
            DistancesNearby(geo, i0 + r, j, hn::Lanes(d), row);
            continue;
          }
        }
      }
      hn::StoreU(cost, d, row + j);
    }
  }
}

// Calls use(rowOf), where rowOf(i) is row i without its border, of a type for each kind of cost.
template <class T, class F>
HWY_INLINE void WithRows(const Geometry<T>& geo, F use) {
  if constexpr (sizeof(T) == 8) {
    if (geo.metric == Metric::dense) {
      if (geo.cost64 != nullptr) {
        use([&](size_t i) { return MatrixRow<double>{geo.cost64 + i * geo.coreM, geo.coreM}; });
      } else {
        use([&](size_t i) { return MatrixRow<float>{geo.cost32 + i * geo.coreM, geo.coreM}; });
      }
      return;
    }
  }
  const auto points = [&](auto metric) {
    constexpr Metric kMetric = decltype(metric)::value;
    use([&](size_t i) {
      return PointRow<T, kMetric>{geo.x.data() + i * geo.d, geo.yT.data(), geo.d, geo.pitch, geo.coreM};
    });
  };
  switch (geo.metric) {
    case Metric::euclidean:
      return points(std::integral_constant<Metric, Metric::euclidean>());
    case Metric::cosine:
      return points(std::integral_constant<Metric, Metric::cosine>());
    case Metric::cityblock:
      return points(std::integral_constant<Metric, Metric::cityblock>());
    default:
      return points(std::integral_constant<Metric, Metric::sqeuclidean>());
  }
}

template <class D, class Row, class F>
HWY_INLINE void ForColumns(D d, const Row& cost, size_t m, F visit) {
  const size_t N = hn::Lanes(d);
  size_t j = 0;
  for (; j + N <= m; j += N) visit(j, cost.Load(d, j));
  if (j < m) visit(j, cost.LoadTail(d, j));
}

// Costs of a block of rows with their border.
template <class T>
void FormBlock(const Geometry<T>& geo, size_t i0, size_t rows, T* HWY_RESTRICT block) {
  const hn::ScalableTag<T> d;
  const size_t core = i0 < geo.coreN ? std::min(rows, geo.coreN - i0) : 0;
  if (geo.gemm && core > 0) {
    FillBlock(geo, i0, core, block);
  } else if (core > 0) {
    WithRows(geo, [&](auto rowOf) HWY_ATTR {
      for (size_t r = 0; r < core; r++) {
        ForColumns(d, rowOf(i0 + r), geo.coreM,
                   [&](size_t j, auto c) HWY_ATTR { hn::StoreU(c, d, block + r * geo.pitch + j); });
      }
    });
  }
  for (size_t r = 0; r < rows; r++) {
    T* row = block + r * geo.pitch;
    const T border = static_cast<T>(geo.borderCost);
    if (r >= core) std::fill_n(row, geo.coreM, border);
    if (geo.coreM < geo.m) row[geo.coreM] = r < core ? border : std::numeric_limits<T>::infinity();
  }
}

// Calls visit(i, cost row) for the rows of the chunk, in order, until cancelled.
template <class T, class F>
HWY_INLINE void ForRows(const Chunk<T>& chunk, F visit) {
  const Geometry<T>& geo = *chunk.geometry;
  if (geo.blocks) {
    for (size_t i0 = chunk.rows.begin; i0 < chunk.rows.end; i0 += geo.blockRows) {
      if (chunk.monitor->cancelled()) return;
      const size_t rows = std::min(geo.blockRows, chunk.rows.end - i0);
      FormBlock(geo, i0, rows, chunk.worker->block.data());
      for (size_t r = 0; r < rows; r++) {
        visit(i0 + r, MatrixRow<T>{chunk.worker->block.data() + r * geo.pitch, geo.m});
      }
    }
    return;
  }
  WithRows(geo, [&](auto rowOf) HWY_ATTR {
    for (size_t i = chunk.rows.begin; i < chunk.rows.end; i++) {
      if ((i & 7) == 0 && chunk.monitor->cancelled()) return;
      visit(i, rowOf(i));
    }
  });
}

template <class D>
HWY_INLINE hn::TFromD<D> Total(D d, hn::Vec<D> v) {
  return hn::GetLane(hn::SumOfLanes(d, v));
}

// max_j (g_j - c_j)
template <class T, class Row>
HWY_NOINLINE T LargestRow(const Row& cost, const T* HWY_RESTRICT g, size_t m) {
  const hn::ScalableTag<T> d;
  auto largest = hn::Set(d, -std::numeric_limits<T>::infinity());
  ForColumns(d, cost, m,
             [&](size_t j, auto c) HWY_ATTR { largest = hn::Max(largest, hn::Sub(hn::LoadU(d, g + j), c)); });
  return hn::GetLane(hn::MaxOfLanes(d, largest));
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#endif  // include guard
