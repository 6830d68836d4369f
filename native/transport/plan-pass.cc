#include <atomic>
#include <cmath>

#include "simd/dispatch.h"
#include "transport/chunk.h"
#include "transport/penalty.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/plan-pass.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "transport/plan-rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

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

HWY_INLINE bool LeftOut(const PlanPass& pass, size_t i) {
  if (pass.penalty != nullptr) return pass.penalty->leftOut(i);
  return pass.logWeight[i] == -std::numeric_limits<double>::infinity();
}

// Where a relaxed marginal moves f to, given the sum of the row at f.
HWY_INLINE double Relaxed(const PlanPass& pass, size_t i, double f, double sum) {
  const double logSum = std::log(sum);
  if (pass.penalty != nullptr) return pass.penalty->update(i, f - pass.epsilon * logSum);
  return pass.damping * (pass.epsilon * (pass.logWeight[i] - logSum) + f);
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
    if (pass.scaling == Scaling::relaxed && LeftOut(pass, i)) {
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
        const double move = Relaxed(pass, i, f, r) - f;
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
