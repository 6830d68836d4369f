#include "simd/dispatch.h"
#include "transport/least-time.h"
#include "transport/passes.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/exponential-limit.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/math-inl.h"
#include "transport/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

// sum_j w exp2(x_j), four vectors at a time.
template <class T>
HWY_INLINE T AddPowers(const T* HWY_RESTRICT x, size_t count, T weight) {
  const hn::ScalableTag<T> d;
  const size_t N = hn::Lanes(d);
  const auto w = hn::Set(d, weight);
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  for (size_t j = 0; j + 4 * N <= count; j += 4 * N) {
    s0 = hn::MulAdd(w, extrema::HWY_NAMESPACE::Exp2(d, hn::Load(d, x + j)), s0);
    s1 = hn::MulAdd(w, extrema::HWY_NAMESPACE::Exp2(d, hn::Load(d, x + j + N)), s1);
    s2 = hn::MulAdd(w, extrema::HWY_NAMESPACE::Exp2(d, hn::Load(d, x + j + 2 * N)), s2);
    s3 = hn::MulAdd(w, extrema::HWY_NAMESPACE::Exp2(d, hn::Load(d, x + j + 3 * N)), s3);
  }
  return Total(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)));
}
double AddPowers64(const double* x, size_t count, double weight) { return AddPowers(x, count, weight); }
float AddPowers32(const float* x, size_t count, float weight) { return AddPowers(x, count, weight); }

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport {

EXTREMA_EXPORT(AddPowers64);
EXTREMA_EXPORT(AddPowers32);

template <class T>
double exponentialLimit(Team& team, int repetitions) {
  constexpr size_t kCount = 1024, kRounds = 4096;
  Aligned<T> x(kCount);
  for (size_t j = 0; j < kCount; j++) x[j] = static_cast<T>(-0.03) * static_cast<T>(j);
  const uint32_t chunks = team.size();
  std::vector<double> sums(chunks);
  const double best = leastTime<std::nano>(team, repetitions, [&] {
    team.run(chunks, [&](uint32_t c, unsigned) {
      for (size_t round = 0; round < kRounds; round++) {
        if constexpr (sizeof(T) == 8) {
          sums[c] += EXTREMA_DISPATCH(AddPowers64)(x.data(), kCount, 1.5);
        } else {
          sums[c] += EXTREMA_DISPATCH(AddPowers32)(x.data(), kCount, 1.5f);
        }
      }
    });
    return sum(sums.data(), sums.size());
  });
  return best / (kCount * kRounds);
}
template double exponentialLimit<double>(Team&, int);
template double exponentialLimit<float>(Team&, int);

}  // namespace extrema::transport
#endif
