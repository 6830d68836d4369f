#include <algorithm>

#include "simd/dispatch.h"
#include "tensor/fft.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/mode-product.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace tensor {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// out += a b over n complex numbers; the signs are those of the imaginary parts of the factors.
template <class T>
HWY_INLINE void AddProducts(T* outRe, T* outIm, const T* aRe, const T* aIm, const T* bRe, const T* bIm,
                            size_t n, T signA, T signB) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  const auto add = [&](auto e, size_t i) {
    const auto ar = hn::LoadU(e, aRe + i), ai = hn::Mul(hn::Set(e, signA), hn::LoadU(e, aIm + i));
    const auto br = hn::LoadU(e, bRe + i), bi = hn::Mul(hn::Set(e, signB), hn::LoadU(e, bIm + i));
    const auto re = hn::NegMulAdd(ai, bi, hn::MulAdd(ar, br, hn::LoadU(e, outRe + i)));
    const auto im = hn::MulAdd(ai, br, hn::MulAdd(ar, bi, hn::LoadU(e, outIm + i)));
    hn::StoreU(re, e, outRe + i);
    hn::StoreU(im, e, outIm + i);
  };
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) add(d, i);
  const hn::CappedTag<T, 1> one;
  for (; i < n; i++) add(one, i);
}

template <class T>
HWY_INLINE void ModeProduct(T* outRe, T* outIm, const T* aRe, const T* aIm, const T* bRe, const T* bIm,
                            const ModeSizes& s) {
  std::fill_n(outRe, s.p * s.q * s.modes, T(0));
  std::fill_n(outIm, s.p * s.q * s.modes, T(0));
  const T signA = s.conjugateA ? T(-1) : T(1), signB = s.conjugateB ? T(-1) : T(1);
  // Stretches of modes that stay in the cache while all channels pass.
  constexpr size_t kStretch = 512;
  for (size_t m = 0; m < s.modes; m += kStretch) {
    const size_t count = std::min(kStretch, s.modes - m);
    for (size_t p = 0; p < s.p; p++) {
      for (size_t r = 0; r < s.r; r++) {
        const size_t a = (s.transposeA ? r * s.p + p : p * s.r + r) * s.modes + m;
        for (size_t q = 0; q < s.q; q++) {
          const size_t b = (s.transposeB ? q * s.r + r : r * s.q + q) * s.modes + m;
          const size_t out = (p * s.q + q) * s.modes + m;
          AddProducts(outRe + out, outIm + out, aRe + a, aIm + a, bRe + b, bIm + b, count, signA, signB);
        }
      }
    }
  }
}

void ModeProduct64(double* outRe, double* outIm, const double* aRe, const double* aIm, const double* bRe,
                   const double* bIm, const ModeSizes& s) {
  ModeProduct(outRe, outIm, aRe, aIm, bRe, bIm, s);
}
void ModeProduct32(float* outRe, float* outIm, const float* aRe, const float* aIm, const float* bRe,
                   const float* bIm, const ModeSizes& s) {
  ModeProduct(outRe, outIm, aRe, aIm, bRe, bIm, s);
}

}  // namespace HWY_NAMESPACE
}  // namespace tensor
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema {
namespace tensor {

EXTREMA_EXPORT(ModeProduct64);
EXTREMA_EXPORT(ModeProduct32);

template <>
void modeProduct(double* outRe, double* outIm, const double* aRe, const double* aIm, const double* bRe,
                 const double* bIm, const ModeSizes& sizes) {
  EXTREMA_DISPATCH(ModeProduct64)(outRe, outIm, aRe, aIm, bRe, bIm, sizes);
}
template <>
void modeProduct(float* outRe, float* outIm, const float* aRe, const float* aIm, const float* bRe,
                 const float* bIm, const ModeSizes& sizes) {
  EXTREMA_DISPATCH(ModeProduct32)(outRe, outIm, aRe, aIm, bRe, bIm, sizes);
}

}  // namespace tensor
}  // namespace extrema
#endif
