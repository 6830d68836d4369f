#include "simd/dispatch.h"
#include "transport/chunk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/transform-pass.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "transport/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

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

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport {

EXTREMA_EXPORT(TransformChunk64);
EXTREMA_EXPORT(TransformChunk32);

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
    for (size_t j = 0; j < geometry.m; j++)
      pass.columnMin[j] = std::min<double>(pass.columnMin[j], ws.columns[c][j]);
  }
}
template void transformPass(Team&, const Geometry<double>&, Workspace<double>&, TransformPass&);
template void transformPass(Team&, const Geometry<float>&, Workspace<float>&, TransformPass&);

}  // namespace extrema::transport
#endif
