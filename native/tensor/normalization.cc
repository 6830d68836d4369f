#include "tensor/normalization.h"

#include <algorithm>
#include <cmath>

#include "simd/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/normalization.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace tensor {
namespace HWY_NAMESPACE {

// All in float64. Plain loops: the compiler makes vectors of the sums over eight entries at a time.

// Σ f(i) for i below n
template <class F>
HWY_INLINE double Sum(size_t n, const F& f) {
  double sums[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (size_t l = 0; l < 8; l++) sums[l] += f(i + l);
  }
  for (; i < n; i++) sums[0] += f(i);
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

template <class T>
HWY_INLINE void ChannelSums(double* sums, const T* x, const Cube& cube) {
  std::fill(sums, sums + cube.channels, 0.0);
  for (size_t o = 0; o < cube.outer; o++) {
    for (size_t c = 0; c < cube.channels; c++, x += cube.inner) {
      sums[c] += Sum(cube.inner, [=](size_t i) HWY_ATTR { return static_cast<double>(x[i]); });
    }
  }
}

template <class T>
HWY_INLINE void Moments(double* means, double* variances, const T* x, const Cube& cube) {
  const double count = static_cast<double>(cube.outer * cube.inner);
  ChannelSums(means, x, cube);
  for (size_t c = 0; c < cube.channels; c++) means[c] /= count;
  std::fill(variances, variances + cube.channels, 0.0);
  for (size_t o = 0; o < cube.outer; o++) {
    for (size_t c = 0; c < cube.channels; c++, x += cube.inner) {
      const double mean = means[c];
      variances[c] += Sum(cube.inner, [=](size_t i) HWY_ATTR {
        const double gap = x[i] - mean;
        return gap * gap;
      });
    }
  }
  for (size_t c = 0; c < cube.channels; c++) variances[c] /= count;
}

HWY_INLINE double InverseDeviation(const Statistics& s, size_t c) {
  return 1 / std::sqrt(s.variances[c] + s.epsilon);
}

template <class T>
HWY_INLINE void Normalize(T* out, const T* x, const T* scale, const T* shift, const Statistics& s,
                          const Cube& cube, bool byInner) {
  const size_t n = cube.inner;
  for (size_t o = 0; o < cube.outer; o++) {
    for (size_t c = 0; c < cube.channels; c++, x += n, out += n) {
      const double mean = s.means[c], r = InverseDeviation(s, c);
      if (byInner) {
        for (size_t i = 0; i < n; i++) out[i] = static_cast<T>((x[i] - mean) * r * scale[i] + shift[i]);
      } else {
        const double slope = scale[c], end = shift[c];
        for (size_t i = 0; i < n; i++) out[i] = static_cast<T>((x[i] - mean) * r * slope + end);
      }
    }
  }
}

// With y the whitened x and u = g scale: r (u - mean u - y mean(y u)). One channel is one row: a layer norm.
template <class T>
HWY_INLINE void RowsVjp(T* out, double* sums, const T* g, const T* x, const T* scale, const Statistics& s,
                        const Cube& cube) {
  const size_t n = cube.inner;
  const double count = static_cast<double>(n);
  double *slopes = sums, *ends = sums + n;
  std::fill(sums, sums + 2 * n, 0.0);
  for (size_t c = 0; c < cube.channels; c++, g += n, x += n, out += n) {
    const double mean = s.means[c], r = InverseDeviation(s, c);
    const double plain =
        Sum(n, [=](size_t i) HWY_ATTR { return static_cast<double>(g[i]) * scale[i]; }) / count;
    const double weighed =
        r * Sum(n, [=](size_t i) HWY_ATTR { return static_cast<double>(g[i]) * scale[i] * (x[i] - mean); }) /
        count;
    for (size_t i = 0; i < n; i++) {
      const double y = (x[i] - mean) * r, from = g[i];
      slopes[i] += from * y;
      ends[i] += from;
      out[i] = static_cast<T>(r * (from * scale[i] - plain - y * weighed));
    }
  }
}

template <class T>
HWY_INLINE void ChannelsVjp(T* out, double* sums, const T* g, const T* x, const T* scale, const Statistics& s,
                            const Cube& cube) {
  const size_t n = cube.inner;
  const double count = static_cast<double>(cube.outer * n);
  double *slopes = sums, *ends = sums + cube.channels;
  std::fill(sums, sums + 2 * cube.channels, 0.0);
  const T *entry = x, *from = g;
  for (size_t o = 0; o < cube.outer; o++) {
    for (size_t c = 0; c < cube.channels; c++, entry += n, from += n) {
      const double mean = s.means[c];
      slopes[c] +=
          Sum(n, [=](size_t i) HWY_ATTR { return static_cast<double>(from[i]) * (entry[i] - mean); });
      ends[c] += Sum(n, [=](size_t i) HWY_ATTR { return static_cast<double>(from[i]); });
    }
  }
  for (size_t c = 0; c < cube.channels; c++) slopes[c] *= InverseDeviation(s, c);
  for (size_t o = 0; o < cube.outer; o++) {
    for (size_t c = 0; c < cube.channels; c++, g += n, x += n, out += n) {
      const double mean = s.means[c], r = InverseDeviation(s, c);
      const double factor = r * scale[c], plain = ends[c] / count, weighed = r * slopes[c] / count;
      for (size_t i = 0; i < n; i++) {
        out[i] = static_cast<T>(factor * (g[i] - plain - (x[i] - mean) * weighed));
      }
    }
  }
}

template <class T>
HWY_INLINE void NormalizeVjp(T* out, double* sums, const T* g, const T* x, const T* scale,
                             const Statistics& s, const Cube& cube, bool byInner) {
  if (byInner) {
    RowsVjp(out, sums, g, x, scale, s, cube);
  } else {
    ChannelsVjp(out, sums, g, x, scale, s, cube);
  }
}

void ChannelSums64(double* sums, const double* x, const Cube& cube) { ChannelSums(sums, x, cube); }
void ChannelSums32(double* sums, const float* x, const Cube& cube) { ChannelSums(sums, x, cube); }
void Moments64(double* means, double* variances, const double* x, const Cube& cube) {
  Moments(means, variances, x, cube);
}
void Moments32(double* means, double* variances, const float* x, const Cube& cube) {
  Moments(means, variances, x, cube);
}
void Normalize64(double* out, const double* x, const double* scale, const double* shift, const Statistics& s,
                 const Cube& cube, bool byInner) {
  Normalize(out, x, scale, shift, s, cube, byInner);
}
void Normalize32(float* out, const float* x, const float* scale, const float* shift, const Statistics& s,
                 const Cube& cube, bool byInner) {
  Normalize(out, x, scale, shift, s, cube, byInner);
}
void NormalizeVjp64(double* out, double* sums, const double* g, const double* x, const double* scale,
                    const Statistics& s, const Cube& cube, bool byInner) {
  NormalizeVjp(out, sums, g, x, scale, s, cube, byInner);
}
void NormalizeVjp32(float* out, double* sums, const float* g, const float* x, const float* scale,
                    const Statistics& s, const Cube& cube, bool byInner) {
  NormalizeVjp(out, sums, g, x, scale, s, cube, byInner);
}

}  // namespace HWY_NAMESPACE
}  // namespace tensor
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema {
namespace tensor {

EXTREMA_EXPORT(ChannelSums64);
EXTREMA_EXPORT(ChannelSums32);
EXTREMA_EXPORT(Moments64);
EXTREMA_EXPORT(Moments32);
EXTREMA_EXPORT(Normalize64);
EXTREMA_EXPORT(Normalize32);
EXTREMA_EXPORT(NormalizeVjp64);
EXTREMA_EXPORT(NormalizeVjp32);

template <>
void channelSums(double* sums, const double* x, const Cube& cube) {
  EXTREMA_DISPATCH(ChannelSums64)(sums, x, cube);
}
template <>
void channelSums(double* sums, const float* x, const Cube& cube) {
  EXTREMA_DISPATCH(ChannelSums32)(sums, x, cube);
}
template <>
void moments(double* means, double* variances, const double* x, const Cube& cube) {
  EXTREMA_DISPATCH(Moments64)(means, variances, x, cube);
}
template <>
void moments(double* means, double* variances, const float* x, const Cube& cube) {
  EXTREMA_DISPATCH(Moments32)(means, variances, x, cube);
}
template <>
void normalize(double* out, const double* x, const double* scale, const double* shift, const Statistics& s,
               const Cube& cube, bool byInner) {
  EXTREMA_DISPATCH(Normalize64)(out, x, scale, shift, s, cube, byInner);
}
template <>
void normalize(float* out, const float* x, const float* scale, const float* shift, const Statistics& s,
               const Cube& cube, bool byInner) {
  EXTREMA_DISPATCH(Normalize32)(out, x, scale, shift, s, cube, byInner);
}
template <>
void normalizeVjp(double* out, double* sums, const double* g, const double* x, const double* scale,
                  const Statistics& s, const Cube& cube, bool byInner) {
  EXTREMA_DISPATCH(NormalizeVjp64)(out, sums, g, x, scale, s, cube, byInner);
}
template <>
void normalizeVjp(float* out, double* sums, const float* g, const float* x, const float* scale,
                  const Statistics& s, const Cube& cube, bool byInner) {
  EXTREMA_DISPATCH(NormalizeVjp32)(out, sums, g, x, scale, s, cube, byInner);
}

}  // namespace tensor
}  // namespace extrema
#endif
