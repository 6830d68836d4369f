#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

#include "simd/dispatch.h"
#include "transport/chunk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/threshold-pass.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/math-inl.h"
#include "transport/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

// Keeps z_ij >= logTheta + min(rowLog_i, columnLog_j). Comparing exponents, only kept entries pay for an
// exponential.
void ThresholdChunk64(const Chunk<double>& chunk, const ThresholdPass& pass, size_t* counts,
                      std::atomic<size_t>& total, Sparse& out) {
  const hn::ScalableTag<double> d;
  const size_t m = chunk.geometry->m, N = hn::Lanes(d);
  const double infinity = std::numeric_limits<double>::infinity();
  const auto inverse = hn::Set(d, 1 / pass.epsilon);
  const auto logTheta = hn::Set(d, pass.logTheta);
  // Vanished entries are never kept, whatever the bound: among them are those past the last column.
  const auto lowest = hn::Set(d, std::numeric_limits<double>::lowest());
  // One half of the row buffer takes the masks, a byte for each vector, the other the columns read off them.
  uint8_t* mask = reinterpret_cast<uint8_t*>(chunk.worker->row.data());
  int32_t* index = reinterpret_cast<int32_t*>(chunk.worker->row.data()) + m;
  double* exponent = chunk.worker->extra.data();
  ForRows(chunk, [&](size_t i, const auto& cost) HWY_ATTR {
    if (total.load(std::memory_order_relaxed) > pass.most) return;
    const auto f = hn::Set(d, pass.f[i]);
    const auto rowLog = hn::Set(d, pass.rowLog != nullptr ? pass.rowLog[i] : (pass.columnLog ? infinity : 0));
    uint8_t* bits = mask;
    ForColumns(d, cost, m, [&](size_t j, auto c) HWY_ATTR {
      const auto z = hn::Mul(hn::Sub(hn::Add(f, hn::LoadU(d, chunk.g + j)), c), inverse);
      const auto least = pass.columnLog != nullptr ? hn::Min(rowLog, hn::LoadU(d, chunk.weight + j)) : rowLog;
      hn::StoreU(z, d, exponent + j);
      bits += hn::StoreMaskBits(d, hn::Ge(z, hn::Max(hn::Add(logTheta, least), lowest)), bits);
    });
    std::fill_n(bits, 8, uint8_t{0});
    size_t count = 0;
    for (const uint8_t* group = mask; group < bits; group += 8) {
      uint64_t word;
      std::memcpy(&word, group, 8);
      const size_t vector = static_cast<size_t>(group - mask);
      for (; word != 0; word &= word - 1) {
        const size_t bit = hwy::Num0BitsBelowLS1Bit_Nonzero64(word);
        index[count++] = static_cast<int32_t>((vector + bit / 8) * N + bit % 8);
      }
    }
    counts[i] = count;
    total.fetch_add(count, std::memory_order_relaxed);
    out.column.insert(out.column.end(), index, index + count);
    for (size_t k = 0; k < count; k++) exponent[k] = exponent[index[k]];
    for (size_t k = 0; k < count; k += N) {
      hn::StoreU(extrema::HWY_NAMESPACE::Exp(d, hn::LoadU(d, exponent + k)), d, exponent + k);
    }
    out.value.insert(out.value.end(), exponent, exponent + count);
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
  ws.kept.resize(ws.chunks);
  for (Sparse& part : ws.kept) {
    part.column.clear();
    part.value.clear();
  }
  std::vector<size_t> counts(n, 0);
  std::atomic<size_t> total{0};
  std::atomic<bool> memory{false};
  team.run(ws.chunks, [&](uint32_t c, unsigned worker) {
    Chunk<double> chunk = makeChunk(team, geometry, ws, c, worker);
    chunk.weight = ws.weight.data();
    try {
      EXTREMA_DISPATCH(ThresholdChunk64)(chunk, pass, counts.data(), total, ws.kept[c]);
    } catch (const std::bad_alloc&) {
      memory.store(true);
    }
  });
  if (memory.load()) throw std::bad_alloc();
  pass.overflow = total.load() > pass.most;
  if (pass.overflow) return;
  out.start.resize(n + 1);
  out.start[0] = 0;
  for (size_t i = 0; i < n; i++) out.start[i + 1] = out.start[i] + counts[i];
  out.column.resize(total.load());
  out.value.resize(total.load());
  team.run(ws.chunks, [&](uint32_t c, unsigned) {
    const size_t place = out.start[chunkRange(n, ws.chunks, c).begin];
    std::copy(ws.kept[c].column.begin(), ws.kept[c].column.end(), out.column.begin() + place);
    std::copy(ws.kept[c].value.begin(), ws.kept[c].value.end(), out.value.begin() + place);
  });
}

}  // namespace extrema::transport
#endif
