#include "simd/dispatch.h"
#include "transport/chunk.h"
#include "transport/least-time.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/stream-read.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "transport/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

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

EXTREMA_EXPORT(ReadChunk64);
EXTREMA_EXPORT(ReadChunk32);

template <class T>
double streamRead(Team& team, const T* data, size_t n, size_t m, int repetitions) {
  const uint32_t chunks = rowChunks(n, m);
  std::vector<double> sums(chunks);
  return leastTime<std::milli>(team, repetitions, [&] {
    team.run(chunks, [&](uint32_t c, unsigned) {
      const Range rows = chunkRange(n, chunks, c);
      const size_t count = (rows.end - rows.begin) * m;
      if constexpr (sizeof(T) == 8) {
        sums[c] = EXTREMA_DISPATCH(ReadChunk64)(data + rows.begin * m, count);
      } else {
        sums[c] = EXTREMA_DISPATCH(ReadChunk32)(data + rows.begin * m, count);
      }
    });
    return sum(sums.data(), chunks);
  });
}
template double streamRead(Team&, const double*, size_t, size_t, int);
template double streamRead(Team&, const float*, size_t, size_t, int);

}  // namespace extrema::transport
#endif
