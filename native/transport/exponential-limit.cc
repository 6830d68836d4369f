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

// sum_j w exp2(x_j), four vectors at a time, with `products` multiplications and additions on each x_j.
template <class T>
HWY_INLINE T AddPowers(const T* HWY_RESTRICT x, size_t count, T weight, const T* HWY_RESTRICT factors,
                       size_t products) {
  const hn::ScalableTag<T> d;
  const size_t N = hn::Lanes(d);
  const auto w = hn::Set(d, weight), none = hn::Zero(d);
  auto s0 = none, s1 = none, s2 = none, s3 = none;
  for (size_t j = 0; j + 4 * N <= count; j += 4 * N) {
    auto x0 = hn::Load(d, x + j), x1 = hn::Load(d, x + j + N), x2 = hn::Load(d, x + j + 2 * N),
         x3 = hn::Load(d, x + j + 3 * N);
    for (size_t k = 0; k < products; k++) {
      const auto factor = hn::Set(d, factors[k]);
      x0 = hn::MulAdd(x0, factor, none);
      x1 = hn::MulAdd(x1, factor, none);
      x2 = hn::MulAdd(x2, factor, none);
      x3 = hn::MulAdd(x3, factor, none);
    }
    s0 = hn::MulAdd(w, extrema::HWY_NAMESPACE::Exp2(d, x0), s0);
    s1 = hn::MulAdd(w, extrema::HWY_NAMESPACE::Exp2(d, x1), s1);
    s2 = hn::MulAdd(w, extrema::HWY_NAMESPACE::Exp2(d, x2), s2);
    s3 = hn::MulAdd(w, extrema::HWY_NAMESPACE::Exp2(d, x3), s3);
  }
  return Total(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)));
}
double AddPowers64(const double* x, size_t count, double weight, const double* factors, size_t products) {
  return AddPowers(x, count, weight, factors, products);
}
float AddPowers32(const float* x, size_t count, float weight, const float* factors, size_t products) {
  return AddPowers(x, count, weight, factors, products);
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport {

EXTREMA_EXPORT(AddPowers64);
EXTREMA_EXPORT(AddPowers32);

template <class T>
double exponentialLimit(Team& team, int repetitions, size_t products) {
  constexpr size_t kCount = 1024, kRounds = 4096;
  Aligned<T> x(kCount);
  for (size_t j = 0; j < kCount; j++) x[j] = static_cast<T>(-0.03) * static_cast<T>(j);
  Aligned<T> factors(products);
  std::fill(factors.begin(), factors.end(), T(1));
  const uint32_t chunks = team.size();
  std::vector<double> sums(chunks);
  const double best = leastTime<std::nano>(team, repetitions, [&] {
    team.run(chunks, [&](uint32_t c, unsigned) {
      for (size_t round = 0; round < kRounds; round++) {
        if constexpr (sizeof(T) == 8) {
          sums[c] += EXTREMA_DISPATCH(AddPowers64)(x.data(), kCount, 1.5, factors.data(), products);
        } else {
          sums[c] += EXTREMA_DISPATCH(AddPowers32)(x.data(), kCount, 1.5f, factors.data(), products);
        }
      }
    });
    return sum(sums.data(), sums.size());
  });
  return best / (kCount * kRounds);
}
template double exponentialLimit<double>(Team&, int, size_t);
template double exponentialLimit<float>(Team&, int, size_t);

}  // namespace extrema::transport
#endif
