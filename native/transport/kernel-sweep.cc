#include <atomic>
#include <cmath>

#include "hwy/cache_control.h"
#include "simd/dispatch.h"
#include "transport/chunk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/kernel-sweep.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "transport/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

// R rows of the kernel matrix at once: their products with v, then their scaled sum into the columns while
// they are in cache. The next rows are called for during the second half, so that memory never rests.
template <size_t R, class T>
HWY_INLINE void SweepRows(const KernelSweep<T>& sweep, size_t i, bool more, T* HWY_RESTRICT columns,
                          double& error, bool& unsafe) {
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
    const double a = sweep.a[i + k], u = sweep.normal ? r[k] / a : a / r[k];
    error += std::fabs(sweep.u[i + k] * r[k] - a);
    if (sweep.normal || (r[k] > 0 && u < std::numeric_limits<T>::max())) {
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
void SweepChunk64(const KernelSweep<double>& sweep, Range rows, double* columns, double& error,
                  bool& unsafe) {
  SweepChunk(sweep, rows, columns, error, unsafe);
}
void SweepChunk32(const KernelSweep<float>& sweep, Range rows, float* columns, double& error, bool& unsafe) {
  SweepChunk(sweep, rows, columns, error, unsafe);
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport {

EXTREMA_EXPORT(SweepChunk64);
EXTREMA_EXPORT(SweepChunk32);

template <class T>
void kernelSweep(Team& team, std::vector<Aligned<T>>& columns, KernelSweep<T>& sweep) {
  const uint32_t chunks = static_cast<uint32_t>(columns.size());
  std::vector<double> errors(chunks, 0.0);
  std::atomic<bool> unsafe{false};
  team.run(chunks, [&](uint32_t c, unsigned) {
    bool bad = false;
    columns[c].clear();
    if constexpr (sizeof(T) == 8) {
      EXTREMA_DISPATCH(SweepChunk64)
      (sweep, chunkRange(sweep.n, chunks, c), columns[c].data(), errors[c], bad);
    } else {
      EXTREMA_DISPATCH(SweepChunk32)
      (sweep, chunkRange(sweep.n, chunks, c), columns[c].data(), errors[c], bad);
    }
    if (bad) unsafe.store(true, std::memory_order_relaxed);
  });
  addColumns(columns, sweep.m, sweep.columnSum);
  sweep.error = sum(errors.data(), chunks);
  sweep.unsafe = unsafe.load();
}
template void kernelSweep(Team&, std::vector<Aligned<double>>&, KernelSweep<double>&);
template void kernelSweep(Team&, std::vector<Aligned<float>>&, KernelSweep<float>&);

}  // namespace extrema::transport
#endif
