#include "tensor/max-pool.h"

#include <algorithm>
#include <limits>

#include "simd/dispatch.h"
#include "tensor/window.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/max-pool.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace tensor {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace ours = extrema::HWY_NAMESPACE;

// Places as whole numbers of the size of T.
template <class T>
using Whole = hwy::MakeSigned<T>;

// Every second of the first 2 n - 1 numbers, at most a vector of them.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> LoadEven(D d, const T* x, size_t n) {
#if HWY_TARGET == HWY_SCALAR
  (void)n;
  return hn::LoadU(d, x);
#else
  const size_t lanes = hn::Lanes(d), numbers = 2 * n - 1;
  if (numbers <= lanes) return hn::ConcatEven(d, hn::Zero(d), ours::LoadN(d, x, numbers));
  return hn::ConcatEven(d, ours::LoadN(d, x + lanes, numbers - lanes), hn::LoadU(d, x));
#endif
}

// A vector of them, of which one more number may be read.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> LoadEven(D d, const T* x) {
#if HWY_TARGET == HWY_SCALAR
  return hn::LoadU(d, x);
#else
  return hn::ConcatEven(d, hn::LoadU(d, x + hn::Lanes(d)), hn::LoadU(d, x));
#endif
}

// The larger of what is there and of n entries of x with a step of 1 or 2, the first of which lies at
// `place`.
template <int kStep, class T>
HWY_INLINE void Larger(T* tops, Whole<T>* places, const T* x, Whole<T> place, size_t n) {
  const hn::ScalableTag<T> d;
  const hn::RebindToSigned<decltype(d)> di;
  const size_t lanes = hn::Lanes(d);
  auto at = hn::Iota(di, 0);
  if (kStep == 2) at = hn::Add(at, at);
  at = hn::Add(at, hn::Set(di, place));
  const auto further = hn::Set(di, static_cast<Whole<T>>(kStep * lanes));
  const auto larger = [&](auto v, size_t i, auto counted) HWY_ATTR {
    const auto top = hn::LoadU(d, tops + i);
    auto better = hn::Or(hn::Gt(v, top), hn::AndNot(hn::IsNaN(top), hn::IsNaN(v)));
    better = counted(better);
    hn::StoreU(hn::IfThenElse(better, v, top), d, tops + i);
    hn::StoreU(hn::IfThenElse(hn::RebindMask(di, better), at, hn::LoadU(di, places + i)), di, places + i);
    at = hn::Add(at, further);
  };
  size_t i = 0;
  for (; i + lanes < n; i += lanes) {
    larger(kStep == 1 ? hn::LoadU(d, x + i) : LoadEven(d, x + 2 * i), i,
           [](auto mask) HWY_ATTR { return mask; });
  }
  if (i == n) return;
  const size_t count = n - i;
  larger(kStep == 1 ? ours::LoadN(d, x + i, count) : LoadEven(d, x + 2 * i, count), i,
         [=](auto mask) HWY_ATTR { return hn::And(mask, hn::FirstN(d, count)); });
}

template <class T>
HWY_INLINE void LargerByStep(T* tops, Whole<T>* places, const T* x, Whole<T> place, ptrdiff_t step,
                             size_t n) {
  for (size_t i = 0; i < n; i++) {
    const ptrdiff_t further = static_cast<ptrdiff_t>(i) * step;
    const T value = x[further];
    if (!(value > tops[i]) && !(value != value && tops[i] == tops[i])) continue;
    tops[i] = value;
    places[i] = place + static_cast<Whole<T>>(further);
  }
}

// Nothing is larger where all is -∞: the first entry of the window then.
inline ptrdiff_t firstSeen(const Window& w, ptrdiff_t z, ptrdiff_t y, ptrdiff_t x) {
  const ptrdiff_t output[3] = {z, y, x};
  ptrdiff_t place = 0;
  for (int axis = 0; axis < 3; axis++) {
    place = place * w.input[axis] + std::max(ptrdiff_t{0}, output[axis] * w.stride[axis] - w.padding[axis]);
  }
  return place;
}

// Outputs of a row at a time.
constexpr ptrdiff_t kBlock = 128;

template <class T>
HWY_INLINE void PoolBlock(T* out, int32_t* places, const T* x, const Window& w, ptrdiff_t start, ptrdiff_t z,
                          ptrdiff_t y, ptrdiff_t begin, ptrdiff_t end) {
  T tops[kBlock + HWY_MAX_BYTES / sizeof(T)];
  Whole<T> at[kBlock + HWY_MAX_BYTES / sizeof(T)];
  std::fill(tops, tops + (end - begin), -std::numeric_limits<T>::infinity());
  std::fill(at, at + (end - begin), Whole<T>(-1));
  const ptrdiff_t step = w.stride[2];
  for (ptrdiff_t kz = 0; kz < w.kernel[0]; kz++) {
    const ptrdiff_t iz = z * w.stride[0] + w.shift(0, kz);
    if (iz < 0 || iz >= w.input[0]) continue;
    for (ptrdiff_t ky = 0; ky < w.kernel[1]; ky++) {
      const ptrdiff_t iy = y * w.stride[1] + w.shift(1, ky);
      if (iy < 0 || iy >= w.input[1]) continue;
      for (ptrdiff_t kx = 0; kx < w.kernel[2]; kx++) {
        const ptrdiff_t from = std::max(begin, w.first(2, kx)), to = std::min(end, w.last(2, kx));
        if (from >= to) continue;
        const ptrdiff_t place = start + (iz * w.input[1] + iy) * w.input[2] + from * step + w.shift(2, kx);
        T* top = tops + (from - begin);
        Whole<T>* where = at + (from - begin);
        const size_t n = static_cast<size_t>(to - from);
        const Whole<T> first = static_cast<Whole<T>>(place);
        if (step == 1) {
          Larger<1>(top, where, x + place, first, n);
        } else if (step == 2) {
          Larger<2>(top, where, x + place, first, n);
        } else {
          LargerByStep(top, where, x + place, first, step, n);
        }
      }
    }
  }
  for (ptrdiff_t o = begin; o < end; o++) {
    const Whole<T> place = at[o - begin];
    out[o] = tops[o - begin];
    places[o] = static_cast<int32_t>(place < 0 ? start + firstSeen(w, z, y, o) : place);
  }
}

template <class T>
HWY_INLINE void MaxPool(T* out, int32_t* places, const T* x, const int32_t* geometry) {
  const Window w(geometry);
  const ptrdiff_t width = w.output[2];
  for (size_t plane = 0; plane < w.batch * w.channels; plane++) {
    const ptrdiff_t start = static_cast<ptrdiff_t>(plane * w.inputs());
    for (ptrdiff_t z = 0; z < w.output[0]; z++) {
      for (ptrdiff_t y = 0; y < w.output[1]; y++, out += width, places += width) {
        for (ptrdiff_t begin = 0; begin < width; begin += kBlock) {
          PoolBlock(out, places, x, w, start, z, y, begin, std::min(width, begin + kBlock));
        }
      }
    }
  }
}

void MaxPool64(double* out, int32_t* places, const double* x, const int32_t* geometry) {
  MaxPool(out, places, x, geometry);
}
void MaxPool32(float* out, int32_t* places, const float* x, const int32_t* geometry) {
  MaxPool(out, places, x, geometry);
}

}  // namespace HWY_NAMESPACE
}  // namespace tensor
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema {
namespace tensor {

EXTREMA_EXPORT(MaxPool64);
EXTREMA_EXPORT(MaxPool32);

template <>
void maxPool(double* out, int32_t* places, const double* x, const int32_t* geometry) {
  EXTREMA_DISPATCH(MaxPool64)(out, places, x, geometry);
}
template <>
void maxPool(float* out, int32_t* places, const float* x, const int32_t* geometry) {
  EXTREMA_DISPATCH(MaxPool32)(out, places, x, geometry);
}

}  // namespace tensor
}  // namespace extrema
#endif
