#include <atomic>
#include <new>
#include "simd/dispatch.h"
#include "transport/chunk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/threshold-pass.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/math-inl.h"
#include "transport/rows-inl.h"

namespace extrema::transport {
#ifndef EXTREMA_TRANSPORT_COLLECTOR
#define EXTREMA_TRANSPORT_COLLECTOR
// What a chunk keeps.
struct Collector {
  std::vector<int32_t> column;
  std::vector<double> value;
};
#endif
}  // namespace extrema::transport

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

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

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport {

EXTREMA_EXPORT(ThresholdChunk64);

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

}  // namespace extrema::transport
#endif
