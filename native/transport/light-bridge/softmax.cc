#include "simd/dispatch.h"
#include "transport/light-bridge/mixture.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/light-bridge/softmax.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport::bridge {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// A vector of columns at a time: no sums across lanes. What lies beyond the last column is worked on and not
// used.
void Softmax(double* HWY_RESTRICT logits, size_t components, size_t columns, double* HWY_RESTRICT logSumExp) {
  const hn::ScalableTag<double> d;
  for (size_t j = 0; j < columns; j += hn::Lanes(d)) {
    auto most = hn::LoadU(d, logits + j);
    for (size_t k = 1; k < components; k++) most = hn::Max(most, hn::LoadU(d, logits + k * kBlock + j));
    auto sum = hn::Zero(d);
    for (size_t k = 0; k < components; k++) {
      const auto e = extrema::HWY_NAMESPACE::Exp(d, hn::Sub(hn::LoadU(d, logits + k * kBlock + j), most));
      hn::StoreU(e, d, logits + k * kBlock + j);
      sum = hn::Add(sum, e);
    }
    const auto scale = hn::Div(hn::Set(d, 1.0), sum);
    for (size_t k = 0; k < components; k++) {
      double* p = logits + k * kBlock + j;
      hn::StoreU(hn::Mul(hn::LoadU(d, p), scale), d, p);
    }
    hn::StoreU(hn::Add(most, extrema::HWY_NAMESPACE::Log(d, sum)), d, logSumExp + j);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport::bridge
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport::bridge {

EXTREMA_EXPORT(Softmax);

void softmax(double* logits, size_t components, size_t columns, double* logSumExp) {
  EXTREMA_DISPATCH(Softmax)(logits, components, columns, logSumExp);
}

}  // namespace extrema::transport::bridge
#endif
