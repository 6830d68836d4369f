// Rows of the plan as vectors, included once per target by the passes.

#if defined(EXTREMA_TRANSPORT_PLAN_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EXTREMA_TRANSPORT_PLAN_ROWS_INL_H_
#undef EXTREMA_TRANSPORT_PLAN_ROWS_INL_H_
#else
#define EXTREMA_TRANSPORT_PLAN_ROWS_INL_H_
#endif

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

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#endif  // include guard
