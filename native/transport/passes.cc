#include "transport/passes.h"

#include <cblas.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>

#include "core/error.h"
#include "simd/dispatch.h"

#include "hwy/cache_control.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/passes.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/math-inl.h"

namespace extrema::transport {
#ifndef EXTREMA_TRANSPORT_CHUNK_ARGUMENTS
#define EXTREMA_TRANSPORT_CHUNK_ARGUMENTS

// What one chunk of rows works with.
template <class T>
struct Chunk {
  const Geometry<T>* geometry;
  const Monitor* monitor;
  Range rows;
  typename Workspace<T>::Worker* worker;
  T* columns;       // accumulator of this chunk, may be null
  const T* g;       // padded
  const T* weight;  // padded, may be null
};

struct Collector {
  std::vector<int32_t> column;
  std::vector<double> value;
};

struct Extent {
  double least = std::numeric_limits<double>::infinity();
  double most = -std::numeric_limits<double>::infinity();
  bool bad = false, forbids = false;
};

#endif
}  // namespace extrema::transport

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Rows of the cost. Load gives the entries from column j on; past the last column they are +Infinity, which drops out
// of every sum of exponentials and every minimum.

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

// Costs of a block of rows by C = |x|² + |y|² - 2 x·y.
template <class T>
void FillBlock(const Geometry<T>& geo, size_t i0, size_t rows, T* HWY_RESTRICT block) {
  const hn::ScalableTag<T> d;
  const int M = static_cast<int>(rows), N = static_cast<int>(geo.m), K = static_cast<int>(geo.d);
  const int pitch = static_cast<int>(geo.pitch);
  const T* x = geo.x.data() + i0 * geo.d;
  if constexpr (sizeof(T) == 8) {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, M, N, K, 1, x, K, geo.yT.data(), pitch, 0, block, pitch);
  } else {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, M, N, K, 1, x, K, geo.yT.data(), pitch, 0, block, pitch);
  }
  const auto zero = hn::Zero(d);
  for (size_t r = 0; r < rows; r++) {
    T* row = block + r * geo.pitch;
    const auto xx = hn::Set(d, geo.xx[i0 + r]);
    for (size_t j = 0; j < geo.m; j += hn::Lanes(d)) {
      const auto dot = hn::LoadU(d, row + j);
      auto cost = zero;
      if (geo.metric == Metric::cosine) {
        cost = hn::Max(hn::Sub(hn::Set(d, T{1}), dot), zero);
      } else {
        const auto squares = hn::Add(xx, hn::LoadU(d, geo.yy.data() + j));
        cost = hn::Max(hn::NegMulAdd(hn::Set(d, T{2}), dot, squares), zero);
        if (geo.metric == Metric::euclidean) cost = hn::Sqrt(cost);
      }
      hn::StoreU(cost, d, row + j);
    }
  }
}

// Calls visit(i, cost row) for the rows of the chunk, in order, until cancelled.
template <class T, class F>
HWY_INLINE void ForRows(const Chunk<T>& chunk, F visit) {
  const Geometry<T>& geo = *chunk.geometry;
  const auto every = [&](auto rowOf) {
    for (size_t i = chunk.rows.begin; i < chunk.rows.end; i++) {
      if ((i & 7) == 0 && chunk.monitor->cancelled()) return;
      visit(i, rowOf(i));
    }
  };
  if constexpr (sizeof(T) == 8) {
    if (geo.metric == Metric::dense) {
      if (geo.cost64 != nullptr) {
        every([&](size_t i) { return MatrixRow<double>{geo.cost64 + i * geo.m, geo.m}; });
      } else {
        every([&](size_t i) { return MatrixRow<float>{geo.cost32 + i * geo.m, geo.m}; });
      }
      return;
    }
  }
  if (geo.gemm) {
    for (size_t i0 = chunk.rows.begin; i0 < chunk.rows.end; i0 += geo.blockRows) {
      if (chunk.monitor->cancelled()) return;
      const size_t rows = std::min(geo.blockRows, chunk.rows.end - i0);
      FillBlock(geo, i0, rows, chunk.worker->block.data());
      for (size_t r = 0; r < rows; r++) {
        visit(i0 + r, MatrixRow<T>{chunk.worker->block.data() + r * geo.pitch, geo.m});
      }
    }
    return;
  }
  const auto points = [&](auto metric) {
    constexpr Metric kMetric = decltype(metric)::value;
    every([&](size_t i) {
      return PointRow<T, kMetric>{geo.x.data() + i * geo.d, geo.yT.data(), geo.d, geo.pitch, geo.m};
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

template <class D>
HWY_INLINE hn::TFromD<D> Total(D d, hn::Vec<D> v) {
  return hn::GetLane(hn::SumOfLanes(d, v));
}

// p_j = exp((f + g_j - c_j) / epsilon) into `out`; returns their sum, weighted where weights are given.
template <class T, class Row>
HWY_INLINE T ExponentialRow(const Row& cost, T f, const T* HWY_RESTRICT g, T invEpsilon, size_t m,
                            const T* HWY_RESTRICT weight, T* HWY_RESTRICT out) {
  const hn::ScalableTag<T> d;
  const size_t N = hn::Lanes(d);
  const auto vf = hn::Set(d, f);
  const auto inverse = hn::Set(d, invEpsilon);
  auto sum0 = hn::Zero(d), sum1 = hn::Zero(d);
  const auto entry = [&](size_t j, auto c) HWY_ATTR {
    const auto z = hn::Mul(hn::Sub(hn::Add(vf, hn::LoadU(d, g + j)), c), inverse);
    const auto p = extrema::HWY_NAMESPACE::Exp(d, z);
    hn::StoreU(p, d, out + j);
    return weight == nullptr ? p : hn::Mul(p, hn::LoadU(d, weight + j));
  };
  size_t j = 0;
  for (; j + 2 * N <= m; j += 2 * N) {
    sum0 = hn::Add(sum0, entry(j, cost.Load(d, j)));
    sum1 = hn::Add(sum1, entry(j + N, cost.Load(d, j + N)));
  }
  if (j + N <= m) {
    sum0 = hn::Add(sum0, entry(j, cost.Load(d, j)));
    j += N;
  }
  if (j < m) sum1 = hn::Add(sum1, entry(j, cost.LoadTail(d, j)));
  return Total(d, hn::Add(sum0, sum1));
}

// max_j (g_j - c_j)
template <class T, class Row>
HWY_INLINE T LargestRow(const Row& cost, const T* HWY_RESTRICT g, size_t m) {
  const hn::ScalableTag<T> d;
  auto largest = hn::Set(d, -std::numeric_limits<T>::infinity());
  ForColumns(d, cost, m, [&](size_t j, auto c) HWY_ATTR {
    largest = hn::Max(largest, hn::Sub(hn::LoadU(d, g + j), c));
  });
  return hn::GetLane(hn::MaxOfLanes(d, largest));
}

// sum_j c_j p_j w_j over p_j != 0, so that forbidden arcs (infinite cost, no mass) do not count.
template <class T, class Row>
HWY_INLINE T CostRow(const Row& cost, const T* HWY_RESTRICT p, const T* HWY_RESTRICT weight, size_t m) {
  const hn::ScalableTag<T> d;
  auto total = hn::Zero(d);
  ForColumns(d, cost, m, [&](size_t j, auto c) HWY_ATTR {
    auto mass = hn::LoadU(d, p + j);
    if (weight != nullptr) mass = hn::Mul(mass, hn::LoadU(d, weight + j));
    const auto product = hn::Mul(c, mass);
    total = hn::Add(total, hn::IfThenZeroElse(hn::Eq(mass, hn::Zero(d)), product));
  });
  return Total(d, total);
}

template <class T>
HWY_INLINE void AddScaled(T scale, const T* HWY_RESTRICT p, size_t m, T* HWY_RESTRICT out) {
  const hn::ScalableTag<T> d;
  const auto s = hn::Set(d, scale);
  for (size_t j = 0; j < m; j += hn::Lanes(d)) {
    hn::StoreU(hn::MulAdd(s, hn::LoadU(d, p + j), hn::LoadU(d, out + j)), d, out + j);
  }
}

template <class T>
HWY_INLINE void StoreRow(const PlanPass& pass, size_t i, const T* HWY_RESTRICT p, size_t m) {
  if (!pass.storeFloat) {
    double* out = static_cast<double*>(pass.store) + i * pass.storePitch;
    for (size_t j = 0; j < m; j++) out[j] = p[j];
    return;
  }
  float* out = static_cast<float*>(pass.store) + i * pass.storePitch;
  for (size_t j = 0; j < m; j++) out[j] = static_cast<float>(p[j]);
}

template <class T>
HWY_INLINE void PlanChunk(const Chunk<T>& chunk, const PlanPass& pass, std::atomic<bool>& rescued) {
  const size_t m = chunk.geometry->m;
  const T inverse = static_cast<T>(1 / pass.epsilon);
  // Below, the sum has lost digits to underflow; above, it may have overflowed.
  constexpr double kLeast = sizeof(T) == 8 ? 1e-280 : 1e-30, kMost = sizeof(T) == 8 ? 1e280 : 1e30;
  T* p = chunk.worker->row.data();
  ForRows(chunk, [&](size_t i, const auto& cost) HWY_ATTR {
    double f = pass.f[i];
    double r = ExponentialRow<T>(cost, static_cast<T>(f), chunk.g, inverse, m, chunk.weight, p);
    double scale = 1;
    if (pass.scaling == Scaling::sinkhorn) {
      double shift = 0;
      if (!(r > kLeast && r < kMost)) {
        const double largest = LargestRow<T>(cost, chunk.g, m);
        shift = -largest - f;
        f = -largest;
        r = ExponentialRow<T>(cost, static_cast<T>(f), chunk.g, inverse, m, chunk.weight, p);
        rescued.store(true, std::memory_order_relaxed);
      }
      pass.shift[i] = shift;
      scale = pass.a[i] / r;
    } else if (pass.scaling == Scaling::capped) {
      scale = r > pass.a[i] ? pass.a[i] / r : 1;
    } else if (pass.scaling == Scaling::given) {
      scale = pass.scale[i];
    }
    if (pass.scaling != Scaling::none && pass.scaling != Scaling::given) pass.scale[i] = scale;
    if (pass.rowSum != nullptr) pass.rowSum[i] = r;
    if (pass.rowCost != nullptr) pass.rowCost[i] = CostRow<T>(cost, p, chunk.weight, m);
    if (pass.store != nullptr) StoreRow<T>(pass, i, p, m);
    if (chunk.columns != nullptr) AddScaled<T>(static_cast<T>(scale), p, m, chunk.columns);
  });
}
void PlanChunk64(const Chunk<double>& chunk, const PlanPass& pass, std::atomic<bool>& rescued) {
  PlanChunk(chunk, pass, rescued);
}
void PlanChunk32(const Chunk<float>& chunk, const PlanPass& pass, std::atomic<bool>& rescued) {
  PlanChunk(chunk, pass, rescued);
}

template <class T>
HWY_INLINE void TransformChunk(const Chunk<T>& chunk, const TransformPass& pass) {
  const hn::ScalableTag<T> d;
  const size_t m = chunk.geometry->m;
  ForRows(chunk, [&](size_t i, const auto& cost) HWY_ATTR {
    if (pass.rowMin != nullptr) pass.rowMin[i] = -static_cast<double>(LargestRow<T>(cost, chunk.g, m));
    if (chunk.columns != nullptr) {
      const auto f = hn::Set(d, static_cast<T>(pass.f[i]));
      ForColumns(d, cost, m, [&](size_t j, auto c) HWY_ATTR {
        hn::StoreU(hn::Min(hn::LoadU(d, chunk.columns + j), hn::Sub(c, f)), d, chunk.columns + j);
      });
    }
    if (pass.rowCost != nullptr) {
      auto total = hn::Zero(d);
      ForColumns(d, cost, m, [&](size_t j, auto c) HWY_ATTR {
        const auto w = hn::LoadU(d, chunk.weight + j);
        total = hn::Add(total, hn::IfThenZeroElse(hn::Eq(w, hn::Zero(d)), hn::Mul(c, w)));
      });
      pass.rowCost[i] = Total(d, total);
    }
  });
}
void TransformChunk64(const Chunk<double>& chunk, const TransformPass& pass) { TransformChunk(chunk, pass); }
void TransformChunk32(const Chunk<float>& chunk, const TransformPass& pass) { TransformChunk(chunk, pass); }

// Keeps z_ij >= logTheta + min(rowLog_i, columnLog_j). Comparing exponents, only kept entries pay for an exponential.
void ThresholdChunk64(const Chunk<double>& chunk, const ThresholdPass& pass, size_t* counts, size_t most,
                      Collector& out) {
  const hn::ScalableTag<double> d;
  const size_t m = chunk.geometry->m, N = hn::Lanes(d);
  const double infinity = std::numeric_limits<double>::infinity();
  const auto inverse = hn::Set(d, 1 / pass.epsilon);
  const auto logTheta = hn::Set(d, pass.logTheta);
  double* index = chunk.worker->row.data();
  double* exponent = chunk.worker->extra.data();
  ForRows(chunk, [&](size_t i, const auto& cost) HWY_ATTR {
    if (out.value.size() > most) return;
    const auto f = hn::Set(d, pass.f[i]);
    const auto rowLog = hn::Set(d, pass.rowLog != nullptr ? pass.rowLog[i] : (pass.columnLog ? infinity : 0));
    size_t count = 0;
    ForColumns(d, cost, m, [&](size_t j, auto c) HWY_ATTR {
      const auto z = hn::Mul(hn::Sub(hn::Add(f, hn::LoadU(d, chunk.g + j)), c), inverse);
      const auto least = pass.columnLog != nullptr ? hn::Min(rowLog, hn::LoadU(d, chunk.weight + j)) : rowLog;
      const auto keep = hn::Ge(z, hn::Add(logTheta, least));
      if (hn::AllFalse(d, keep)) return;
      hn::CompressStore(hn::Iota(d, static_cast<double>(j)), keep, d, index + count);
      count += hn::CompressStore(z, keep, d, exponent + count);
    });
    for (size_t k = 0; k < count; k += N) {
      hn::StoreU(extrema::HWY_NAMESPACE::Exp(d, hn::LoadU(d, exponent + k)), d, exponent + k);
    }
    counts[i] = count;
    for (size_t k = 0; k < count; k++) {
      out.column.push_back(static_cast<int32_t>(index[k]));
      out.value.push_back(exponent[k]);
    }
  });
}

void ExtentChunk64(const Chunk<double>& chunk, Extent& extent) {
  const hn::ScalableTag<double> d;
  const auto infinity = hn::Set(d, std::numeric_limits<double>::infinity());
  auto least = infinity, most = hn::Neg(infinity);
  auto bad = hn::FirstN(d, 0), forbids = bad;
  const size_t m = chunk.geometry->m, N = hn::Lanes(d);
  ForRows(chunk, [&](size_t, const auto& cost) HWY_ATTR {
    ForColumns(d, cost, m, [&](size_t j, auto c) HWY_ATTR {
      forbids = hn::Or(forbids, hn::And(hn::FirstN(d, std::min(N, m - j)), hn::Ge(c, infinity)));
      const auto finite = hn::Lt(c, infinity);  // false for NaN too
      bad = hn::Or(bad, hn::Or(hn::IsNaN(c), hn::Le(c, hn::Neg(infinity))));
      least = hn::Min(least, hn::IfThenElse(finite, c, infinity));
      most = hn::Max(most, hn::IfThenElse(finite, c, hn::Neg(infinity)));
    });
  });
  extent.least = hn::GetLane(hn::MinOfLanes(d, least));
  extent.most = hn::GetLane(hn::MaxOfLanes(d, most));
  extent.bad = !hn::AllFalse(d, bad);
  extent.forbids = !hn::AllFalse(d, forbids);
}

// R rows of the kernel matrix at once: their products with v, then their scaled sum into the columns while they are in
// cache. The next rows are called for during the second half, so that memory never rests.
template <size_t R, class T>
HWY_INLINE void SweepRows(const KernelSweep<T>& sweep, size_t i, bool more, T* HWY_RESTRICT columns, double& error,
                          bool& unsafe) {
  const hn::ScalableTag<T> d;
  const size_t N = hn::Lanes(d), pitch = sweep.pitch;
  const T* HWY_RESTRICT k0 = sweep.kernel + i * pitch;
  const T* HWY_RESTRICT k1 = k0 + (R > 1 ? pitch : 0);
  const T* HWY_RESTRICT k2 = k0 + (R > 2 ? 2 * pitch : 0);
  const T* HWY_RESTRICT k3 = k0 + (R > 3 ? 3 * pitch : 0);
  auto r0 = hn::Zero(d), r1 = r0, r2 = r0, r3 = r0;
  for (size_t j = 0; j < pitch; j += N) {
    const auto v = hn::Load(d, sweep.v + j);
    r0 = hn::MulAdd(hn::Load(d, k0 + j), v, r0);
    if constexpr (R > 1) r1 = hn::MulAdd(hn::Load(d, k1 + j), v, r1);
    if constexpr (R > 2) r2 = hn::MulAdd(hn::Load(d, k2 + j), v, r2);
    if constexpr (R > 3) r3 = hn::MulAdd(hn::Load(d, k3 + j), v, r3);
  }
  const double r[4] = {Total(d, r0), Total(d, r1), Total(d, r2), Total(d, r3)};
  for (size_t k = 0; k < R; k++) {
    const double a = sweep.a[i + k], u = a / r[k];
    error += std::fabs(sweep.u[i + k] * r[k] - a);
    if (r[k] > 0 && u < std::numeric_limits<T>::max()) {
      sweep.u[i + k] = static_cast<T>(u);
    } else {
      unsafe = true;
    }
  }
  const auto u0 = hn::Set(d, sweep.u[i]), u1 = hn::Set(d, sweep.u[i + (R > 1 ? 1 : 0)]);
  const auto u2 = hn::Set(d, sweep.u[i + (R > 2 ? 2 : 0)]), u3 = hn::Set(d, sweep.u[i + (R > 3 ? 3 : 0)]);
  const size_t ahead = more ? R * pitch : 0;
  for (size_t j = 0; j < pitch; j += N) {
    auto s = hn::Load(d, columns + j);
    s = hn::MulAdd(u0, hn::Load(d, k0 + j), s);
    hwy::Prefetch(k0 + ahead + j);
    if constexpr (R > 1) {
      s = hn::MulAdd(u1, hn::Load(d, k1 + j), s);
      hwy::Prefetch(k1 + ahead + j);
    }
    if constexpr (R > 2) {
      s = hn::MulAdd(u2, hn::Load(d, k2 + j), s);
      hwy::Prefetch(k2 + ahead + j);
    }
    if constexpr (R > 3) {
      s = hn::MulAdd(u3, hn::Load(d, k3 + j), s);
      hwy::Prefetch(k3 + ahead + j);
    }
    hn::Store(s, d, columns + j);
  }
}

template <class T>
HWY_INLINE void SweepChunk(const KernelSweep<T>& sweep, Range rows, T* columns, double& error, bool& unsafe) {
  constexpr size_t kCache = size_t{384} << 10;  // bytes of rows that stay in the second-level cache
  const size_t bytes = sweep.pitch * sizeof(T);
  size_t i = rows.begin;
  if (4 * bytes <= kCache) {
    for (; i + 4 <= rows.end; i += 4) SweepRows<4>(sweep, i, i + 8 <= rows.end, columns, error, unsafe);
  } else if (2 * bytes <= kCache) {
    for (; i + 2 <= rows.end; i += 2) SweepRows<2>(sweep, i, i + 4 <= rows.end, columns, error, unsafe);
  }
  for (; i < rows.end; i++) SweepRows<1>(sweep, i, i + 2 <= rows.end, columns, error, unsafe);
}
void SweepChunk64(const KernelSweep<double>& sweep, Range rows, double* columns, double& error, bool& unsafe) {
  SweepChunk(sweep, rows, columns, error, unsafe);
}
void SweepChunk32(const KernelSweep<float>& sweep, Range rows, float* columns, double& error, bool& unsafe) {
  SweepChunk(sweep, rows, columns, error, unsafe);
}

template <class T>
HWY_INLINE double ReadChunk(const T* data, size_t count) {
  const hn::ScalableTag<T> d;
  const size_t N = hn::Lanes(d);
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  size_t i = 0;
  for (; i + 4 * N <= count; i += 4 * N) {
    s0 = hn::Add(s0, hn::LoadU(d, data + i));
    s1 = hn::Add(s1, hn::LoadU(d, data + i + N));
    s2 = hn::Add(s2, hn::LoadU(d, data + i + 2 * N));
    s3 = hn::Add(s3, hn::LoadU(d, data + i + 3 * N));
  }
  double total = Total(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)));
  for (; i < count; i++) total += data[i];
  return total;
}
double ReadChunk64(const double* data, size_t count) { return ReadChunk(data, count); }
double ReadChunk32(const float* data, size_t count) { return ReadChunk(data, count); }

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport {

EXTREMA_EXPORT(PlanChunk64);
EXTREMA_EXPORT(PlanChunk32);
EXTREMA_EXPORT(TransformChunk64);
EXTREMA_EXPORT(TransformChunk32);
EXTREMA_EXPORT(ThresholdChunk64);
EXTREMA_EXPORT(ExtentChunk64);
EXTREMA_EXPORT(SweepChunk64);
EXTREMA_EXPORT(SweepChunk32);
EXTREMA_EXPORT(ReadChunk64);
EXTREMA_EXPORT(ReadChunk32);

template <class T>
Workspace<T>::Workspace(const Geometry<T>& geometry, unsigned workerCount)
    : g(geometry.m), weight(geometry.m), chunks(rowChunks(geometry.n, geometry.m)) {
  for (unsigned w = 0; w < std::min<unsigned>(workerCount, chunks); w++) {
    Worker worker;
    worker.row = Aligned<T>(geometry.m);
    worker.extra = Aligned<T>(geometry.m);
    if (geometry.gemm) worker.block = Aligned<T>(geometry.blockRows * geometry.pitch);
    workers.push_back(std::move(worker));
  }
  for (uint32_t c = 0; c < chunks; c++) columns.emplace_back(padded<T>(geometry.m));
}
template class Workspace<double>;
template class Workspace<float>;

namespace {

template <class T>
Chunk<T> makeChunk(Team& team, const Geometry<T>& geometry, Workspace<T>& ws, uint32_t chunk, unsigned worker) {
  return {&geometry,  &team.monitor(), chunkRange(geometry.n, ws.chunks, chunk), &ws.workers[worker], nullptr,
          ws.g.data(), nullptr};
}

template <class T>
void addColumns(const std::vector<Aligned<T>>& columns, size_t m, double* out) {
  std::copy_n(columns[0].data(), m, out);
  for (size_t c = 1; c < columns.size(); c++) {
    const T* part = columns[c].data();
    for (size_t j = 0; j < m; j++) out[j] += part[j];
  }
}

}  // namespace

template <class T>
void planPass(Team& team, const Geometry<T>& geometry, Workspace<T>& ws, PlanPass& pass) {
  std::atomic<bool> rescued{false};
  std::copy_n(pass.g, geometry.m, ws.g.data());
  if (pass.columnWeight != nullptr) std::copy_n(pass.columnWeight, geometry.m, ws.weight.data());
  team.run(ws.chunks, [&](uint32_t c, unsigned worker) {
    Chunk<T> chunk = makeChunk(team, geometry, ws, c, worker);
    if (pass.columnWeight != nullptr) chunk.weight = ws.weight.data();
    if (pass.columnSum != nullptr) {
      ws.columns[c].clear();
      chunk.columns = ws.columns[c].data();
    }
    if constexpr (sizeof(T) == 8) {
      EXTREMA_DISPATCH(PlanChunk64)(chunk, pass, rescued);
    } else {
      EXTREMA_DISPATCH(PlanChunk32)(chunk, pass, rescued);
    }
  });
  if (pass.columnSum != nullptr) addColumns(ws.columns, geometry.m, pass.columnSum);
  pass.rescued = rescued.load();
}
template void planPass(Team&, const Geometry<double>&, Workspace<double>&, PlanPass&);
template void planPass(Team&, const Geometry<float>&, Workspace<float>&, PlanPass&);

template <class T>
void transformPass(Team& team, const Geometry<T>& geometry, Workspace<T>& ws, TransformPass& pass) {
  if (pass.g != nullptr) std::copy_n(pass.g, geometry.m, ws.g.data());
  if (pass.columnWeight != nullptr) std::copy_n(pass.columnWeight, geometry.m, ws.weight.data());
  team.run(ws.chunks, [&](uint32_t c, unsigned worker) {
    Chunk<T> chunk = makeChunk(team, geometry, ws, c, worker);
    chunk.weight = ws.weight.data();
    if (pass.columnMin != nullptr) {
      std::fill(ws.columns[c].begin(), ws.columns[c].end(), std::numeric_limits<T>::infinity());
      chunk.columns = ws.columns[c].data();
    }
    if constexpr (sizeof(T) == 8) {
      EXTREMA_DISPATCH(TransformChunk64)(chunk, pass);
    } else {
      EXTREMA_DISPATCH(TransformChunk32)(chunk, pass);
    }
  });
  if (pass.columnMin == nullptr) return;
  std::copy_n(ws.columns[0].data(), geometry.m, pass.columnMin);
  for (size_t c = 1; c < ws.columns.size(); c++) {
    for (size_t j = 0; j < geometry.m; j++) pass.columnMin[j] = std::min<double>(pass.columnMin[j], ws.columns[c][j]);
  }
}
template void transformPass(Team&, const Geometry<double>&, Workspace<double>&, TransformPass&);
template void transformPass(Team&, const Geometry<float>&, Workspace<float>&, TransformPass&);

void thresholdPass(Team& team, const Geometry<double>& geometry, Workspace<double>& ws, ThresholdPass& pass,
                   Sparse& out) {
  const size_t n = geometry.n, m = geometry.m;
  std::copy_n(pass.g, m, ws.g.data());
  if (pass.columnLog != nullptr) std::copy_n(pass.columnLog, m, ws.weight.data());
  std::vector<Collector> collectors(ws.chunks);
  std::vector<size_t> counts(n, 0);
  std::atomic<bool> memory{false};
  team.run(ws.chunks, [&](uint32_t c, unsigned worker) {
    Chunk<double> chunk = makeChunk(team, geometry, ws, c, worker);
    chunk.weight = ws.weight.data();
    try {
      EXTREMA_DISPATCH(ThresholdChunk64)(chunk, pass, counts.data(), pass.most, collectors[c]);
    } catch (const std::bad_alloc&) {
      memory.store(true);
    }
  });
  if (memory.load()) throw std::bad_alloc();
  size_t total = 0;
  for (const Collector& part : collectors) total += part.value.size();
  pass.overflow = total > pass.most;
  if (pass.overflow) return;
  out.start.assign(n + 1, 0);
  for (size_t i = 0; i < n; i++) out.start[i + 1] = out.start[i] + counts[i];
  out.column.clear();
  out.value.clear();
  out.column.reserve(total);
  out.value.reserve(total);
  for (const Collector& part : collectors) {
    out.column.insert(out.column.end(), part.column.begin(), part.column.end());
    out.value.insert(out.value.end(), part.value.begin(), part.value.end());
  }
}

namespace {

[[noreturn]] void reportBadCost(const Geometry<double>& geometry) {
  for (size_t i = 0; i < geometry.n; i++) {
    for (size_t j = 0; j < geometry.m; j++) {
      const size_t k = i * geometry.m + j;
      const double c = geometry.cost64 != nullptr ? geometry.cost64[k] : geometry.cost32[k];
      if (c > -std::numeric_limits<double>::infinity()) continue;
      throw Error("ERR_NOT_FINITE", "cost[" + std::to_string(i) + "][" + std::to_string(j) +
                                        "]: expected a finite number (or Infinity for a forbidden arc), got " +
                                        (std::isnan(c) ? "NaN" : "-Infinity"));
    }
  }
  throw Error("ERR_NOT_FINITE", "cost: changed while it was being read");
}

}  // namespace

CostRange costRange(Team& team, const Geometry<double>& geometry, Workspace<double>& ws) {
  if (geometry.metric != Metric::dense) {
    if (!std::isfinite(geometry.diameter)) {
      throw Error("ERR_NOT_FINITE", "cost: the distances between the points overflow; rescale the coordinates");
    }
    return {0, geometry.diameter, false};
  }
  std::vector<Extent> extents(ws.chunks);
  team.run(ws.chunks, [&](uint32_t c, unsigned worker) {
    EXTREMA_DISPATCH(ExtentChunk64)(makeChunk(team, geometry, ws, c, worker), extents[c]);
  });
  Extent all;
  for (const Extent& extent : extents) {
    all.least = std::min(all.least, extent.least);
    all.most = std::max(all.most, extent.most);
    all.bad |= extent.bad;
    all.forbids |= extent.forbids;
  }
  if (all.bad) reportBadCost(geometry);
  return {all.least, all.most, all.forbids};
}

template <class T>
void kernelSweep(Team& team, std::vector<Aligned<T>>& columns, KernelSweep<T>& sweep) {
  const uint32_t chunks = static_cast<uint32_t>(columns.size());
  std::vector<double> errors(chunks, 0.0);
  std::atomic<bool> unsafe{false};
  team.run(chunks, [&](uint32_t c, unsigned) {
    bool bad = false;
    columns[c].clear();
    if constexpr (sizeof(T) == 8) {
      EXTREMA_DISPATCH(SweepChunk64)(sweep, chunkRange(sweep.n, chunks, c), columns[c].data(), errors[c], bad);
    } else {
      EXTREMA_DISPATCH(SweepChunk32)(sweep, chunkRange(sweep.n, chunks, c), columns[c].data(), errors[c], bad);
    }
    if (bad) unsafe.store(true, std::memory_order_relaxed);
  });
  addColumns(columns, sweep.m, sweep.columnSum);
  sweep.error = sum(errors.data(), chunks);
  sweep.unsafe = unsafe.load();
}
template void kernelSweep(Team&, std::vector<Aligned<double>>&, KernelSweep<double>&);
template void kernelSweep(Team&, std::vector<Aligned<float>>&, KernelSweep<float>&);

template <class T>
double streamRead(Team& team, const T* data, size_t n, size_t m, int repetitions) {
  const uint32_t chunks = rowChunks(n, m);
  std::vector<double> sums(chunks);
  double best = std::numeric_limits<double>::infinity();
  volatile double sink = 0;
  for (int k = 0; k < repetitions && !team.monitor().cancelled(); k++) {
    const auto start = Monitor::Clock::now();
    team.run(chunks, [&](uint32_t c, unsigned) {
      const Range rows = chunkRange(n, chunks, c);
      const size_t count = (rows.end - rows.begin) * m;
      if constexpr (sizeof(T) == 8) {
        sums[c] = EXTREMA_DISPATCH(ReadChunk64)(data + rows.begin * m, count);
      } else {
        sums[c] = EXTREMA_DISPATCH(ReadChunk32)(data + rows.begin * m, count);
      }
    });
    best = std::min(best, std::chrono::duration<double, std::milli>(Monitor::Clock::now() - start).count());
    sink = sink + sum(sums.data(), chunks);
  }
  return best;
}
template double streamRead(Team&, const double*, size_t, size_t, int);
template double streamRead(Team&, const float*, size_t, size_t, int);

}  // namespace extrema::transport
#endif
