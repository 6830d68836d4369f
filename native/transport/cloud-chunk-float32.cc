#include <atomic>
#include <cmath>

#include "simd/dispatch.h"
#include "transport/cloud-sweep.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/cloud-chunk-float32.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "transport/cloud-chunk-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

LeftOut CloudChunk32(const CloudChunk<float>& chunk, const PlanPass& pass, std::atomic<bool>& rescued) {
  return SweepChunk(chunk, pass, rescued);
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport {

EXTREMA_EXPORT(CloudChunk32);

LeftOut sweepChunk(const CloudChunk<float>& chunk, const PlanPass& pass, std::atomic<bool>& rescued) {
  return EXTREMA_DISPATCH(CloudChunk32)(chunk, pass, rescued);
}

}  // namespace extrema::transport
#endif
