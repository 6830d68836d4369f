#include "linear/scatter.h"

#include "simd/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "linear/scatter.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::dense {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void ScatterRows(const double* a, size_t pitch, size_t rows, size_t width, const int32_t* targets,
                 size_t count, double* out, size_t outPitch) {
  const hn::ScalableTag<double> d;
  const size_t N = hn::Lanes(d);
  for (size_t i = 0; i < rows; i++) {
    const double* row = a + i * pitch;
    for (size_t t = 0; t < count; t++) {
      const int32_t target = targets[i * count + t];
      size_t j = 0;
      if (target >= 0) {
        double* to = out + static_cast<size_t>(target) * outPitch;
        for (; j + N <= width; j += N)
          hn::StoreU(hn::Add(hn::LoadU(d, to + j), hn::LoadU(d, row + j)), d, to + j);
        for (; j < width; j++) to[j] += row[j];
      } else {
        double* to = out + static_cast<size_t>(~target) * outPitch;
        for (; j + N <= width; j += N)
          hn::StoreU(hn::Sub(hn::LoadU(d, to + j), hn::LoadU(d, row + j)), d, to + j);
        for (; j < width; j++) to[j] -= row[j];
      }
    }
  }
}

void Butterfly(double* x, double* y, size_t count) {
  const hn::ScalableTag<double> d;
  const size_t N = hn::Lanes(d);
  size_t i = 0;
  for (; i + N <= count; i += N) {
    const auto u = hn::LoadU(d, x + i), v = hn::LoadU(d, y + i);
    hn::StoreU(hn::Add(u, v), d, x + i);
    hn::StoreU(hn::Sub(u, v), d, y + i);
  }
  for (; i < count; i++) {
    const double u = x[i], v = y[i];
    x[i] = u + v;
    y[i] = u - v;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::dense
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::dense {

EXTREMA_EXPORT(ScatterRows);
EXTREMA_EXPORT(Butterfly);

void scatterRows(const double* a, size_t pitch, size_t rows, size_t width, const int32_t* targets,
                 size_t count, double* out, size_t outPitch) {
  EXTREMA_DISPATCH(ScatterRows)(a, pitch, rows, width, targets, count, out, outPitch);
}

void butterfly(double* x, double* y, size_t count) { EXTREMA_DISPATCH(Butterfly)(x, y, count); }

}  // namespace extrema::dense
#endif
