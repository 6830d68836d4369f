#include <atomic>
#include <cmath>

#include "simd/dispatch.h"
#include "transport/chunk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/plan-pass.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/math-inl.h"
#include "transport/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

// p_j = exp((f + g_j - c_j) / epsilon) into `out`; returns their sum, weighted where weights are given.
template <class T, class Row>
HWY_NOINLINE T ExponentialRow(const Row& cost, T f, const T* HWY_RESTRICT g, T invEpsilon, size_t m,
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

// sum_j c_j p_j w_j over p_j != 0, so that forbidden arcs (infinite cost, no mass) do not count.
template <class T, class Row>
HWY_NOINLINE T CostRow(const Row& cost, const T* HWY_RESTRICT p, const T* HWY_RESTRICT weight, size_t m) {
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
  constexpr double kFarthest = sizeof(T) == 8 ? 600 : 60;  // exponent of a scale
  T* p = chunk.worker->row.data();
  ForRows(chunk, [&](size_t i, const auto& cost) HWY_ATTR {
    double f = pass.f[i];
    double r = ExponentialRow<T>(cost, static_cast<T>(f), chunk.g, inverse, m, chunk.weight, p);
    double scale = 1;
    if (pass.scaling == Scaling::relaxed && pass.logWeight[i] == -std::numeric_limits<double>::infinity()) {
      pass.shift[i] = 0;
      scale = 0;
    } else if (pass.scaling == Scaling::sinkhorn || pass.scaling == Scaling::relaxed) {
      double shift = 0;
      if (!(r > kLeast && r < kMost)) {
        const double largest = LargestRow<T>(cost, chunk.g, m);
        shift = -largest - f;
        f = -largest;
        r = ExponentialRow<T>(cost, static_cast<T>(f), chunk.g, inverse, m, chunk.weight, p);
        rescued.store(true, std::memory_order_relaxed);
      }
      if (pass.scaling == Scaling::sinkhorn) {
        scale = pass.a[i] / r;
      } else {
        const double move = pass.damping * (pass.epsilon * (pass.logWeight[i] - std::log(r)) + f) - f;
        if (std::fabs(move) <= kFarthest * pass.epsilon) {
          scale = std::exp(move / pass.epsilon);
        } else {  // its scale might not be a number: the row is formed where it goes
          shift += move;
          r = ExponentialRow<T>(cost, static_cast<T>(f + move), chunk.g, inverse, m, chunk.weight, p);
        }
      }
      pass.shift[i] = shift;
    } else if (pass.scaling == Scaling::capped) {
      scale = r > pass.a[i] ? pass.a[i] / r : 1;
    } else if (pass.scaling == Scaling::given) {
      scale = pass.scale[i];
    } else if (pass.scaling == Scaling::normal) {
      scale = r / pass.a[i];
    }
    if (pass.scaling != Scaling::none && pass.scaling != Scaling::given && pass.scaling != Scaling::normal) {
      pass.scale[i] = scale;
    }
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

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport {

EXTREMA_EXPORT(PlanChunk64);
EXTREMA_EXPORT(PlanChunk32);

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

}  // namespace extrema::transport
#endif
