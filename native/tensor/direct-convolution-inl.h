// Convolutions of stride 1 without patches: the input lies in a frame of zeros, where what a tap sees is a
// shifted vector. Included once per target, after tensor/window.h.

#if defined(EXTREMA_TENSOR_DIRECT_CONVOLUTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EXTREMA_TENSOR_DIRECT_CONVOLUTION_INL_H_
#undef EXTREMA_TENSOR_DIRECT_CONVOLUTION_INL_H_
#else
#define EXTREMA_TENSOR_DIRECT_CONVOLUTION_INL_H_
#endif

#include <algorithm>
#include <cstddef>

#include "hwy/highway.h"
#include "simd/partial-inl.h"
#include "tensor/window.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace tensor {
namespace HWY_NAMESPACE {
namespace direct {

namespace hn = hwy::HWY_NAMESPACE;
namespace ours = extrema::HWY_NAMESPACE;

constexpr size_t kMostTaps = 512;
// Filters at a time; with three vectors of places, twelve sums in registers.
constexpr size_t kFilters = 4;
constexpr size_t kVectors = 3;
// Numbers of the frames of some images, for the gradient of the weights: they should stay in the cache.
constexpr size_t kFrames = size_t{1} << 15;

HWY_INLINE size_t RoundUp(size_t n, size_t step) { return (n + step - 1) / step * step; }

// One image of one group, and where the outputs are in its frame. The transposed convolution is one of the
// cotangent of y with the taps in reverse.
struct Frame {
  Frame(const Window& w, bool transposed, size_t lanes)
      : channels(transposed ? w.filters : w.channels),
        filters(transposed ? w.channels : w.filters),
        input(transposed ? w.output : w.input),
        output(transposed ? w.input : w.output),
        taps(w.taps()) {
    width = RoundUp(static_cast<size_t>(output[2]), lanes);
    rows = static_cast<size_t>(output[0]) * static_cast<size_t>(output[1]);
    for (int axis = 0; axis < 3; axis++) {
      const ptrdiff_t further = static_cast<ptrdiff_t>(w.dilation[axis]) * (w.kernel[axis] - 1);
      before[axis] = transposed ? further - w.padding[axis] : w.padding[axis];
      size[axis] = (axis == 2 ? static_cast<ptrdiff_t>(width) : output[axis]) + further;
    }
    volume = static_cast<size_t>(size[0] * size[1] * size[2]);
    for (size_t tap = 0; tap < std::min(taps, kMostTaps); tap++) {
      const ptrdiff_t t = static_cast<ptrdiff_t>(tap);
      const ptrdiff_t x = t % w.kernel[2], y = t / w.kernel[2] % w.kernel[1],
                      z = t / w.kernel[2] / w.kernel[1];
      offsets[tap] = (z * w.dilation[0] * size[1] + y * w.dilation[1]) * size[2] + x * w.dilation[2];
    }
  }

  size_t outputs() const { return rows * static_cast<size_t>(output[2]); }
  // Of the row of outputs with this number.
  ptrdiff_t start(size_t row) const {
    const ptrdiff_t r = static_cast<ptrdiff_t>(row);
    return (r / output[1] * size[1] + r % output[1]) * size[2];
  }

  size_t channels, filters;
  const int32_t *input, *output;
  size_t taps, width, rows, volume;
  ptrdiff_t before[3], size[3];
  ptrdiff_t offsets[kMostTaps];
};

// Writes `length` numbers of a row that begins `before` the first of the n of `from`: zeros around them.
template <class T>
HWY_INLINE void FramedRow(T* to, ptrdiff_t length, const T* from, ptrdiff_t before, ptrdiff_t n) {
  const ptrdiff_t lo = std::min(std::max(before, ptrdiff_t{0}), length);
  const ptrdiff_t hi = std::min(std::max(before + n, lo), length);
  for (ptrdiff_t i = 0; i < lo; i++) to[i] = T(0);
  for (ptrdiff_t i = lo; i < hi; i++) to[i] = from[i - before];
  for (ptrdiff_t i = hi; i < length; i++) to[i] = T(0);
}

template <class T>
HWY_INLINE void FillFrame(T* to, const T* x, const Frame& frame) {
  const int32_t* n = frame.input;
  for (size_t c = 0; c < frame.channels; c++, x += Window::volume(n)) {
    for (ptrdiff_t z = 0; z < frame.size[0]; z++) {
      for (ptrdiff_t y = 0; y < frame.size[1]; y++, to += frame.size[2]) {
        const ptrdiff_t iz = z - frame.before[0], iy = y - frame.before[1];
        const bool inside = iz >= 0 && iz < n[0] && iy >= 0 && iy < n[1];
        const T* from = inside ? x + (iz * n[1] + iy) * n[2] : x;
        FramedRow(to, frame.size[2], from, frame.before[2], inside ? n[2] : 0);
      }
    }
  }
}

// [block of filters][channel][tap][filter of the block], zeros for filters that are not there.
template <class T>
HWY_INLINE void PackWeights(T* to, const T* weights, const Frame& frame, bool transposed) {
  const size_t taps = frame.taps;
  for (size_t block = 0; block < frame.filters; block += kFilters) {
    for (size_t c = 0; c < frame.channels; c++) {
      for (size_t tap = 0; tap < taps; tap++) {
        for (size_t f = block; f < block + kFilters; f++) {
          const size_t pair = transposed ? c * frame.filters + f : f * frame.channels + c;
          *to++ = f < frame.filters ? weights[pair * taps + (transposed ? taps - 1 - tap : tap)] : T(0);
        }
      }
    }
  }
}

// Where a vector of outputs lies, in the frame and in the output.
struct Place {
  ptrdiff_t seen;
  size_t out, count;
};

class Places {
 public:
  Places(const Frame& frame, size_t lanes) : frame_(frame), lanes_(lanes), length_(frame.output[2]) {}
  bool done() const { return row_ == frame_.rows; }
  Place next() {
    const Place place{start_ + static_cast<ptrdiff_t>(x_), row_ * length_ + x_,
                      std::min(lanes_, length_ - x_)};
    x_ += lanes_;
    if (x_ >= length_) {
      x_ = 0;
      row_++;
      start_ = done() ? 0 : frame_.start(row_);
    }
    return place;
  }

 private:
  const Frame& frame_;
  size_t lanes_, length_, row_ = 0, x_ = 0;
  ptrdiff_t start_ = 0;
};

template <class D, class V, class T>
HWY_INLINE void StorePlace(D d, V v, T* y, const Place& place) {
  if (place.count == hn::Lanes(d)) {
    hn::StoreU(v, d, y + place.out);
  } else {
    ours::StoreN(v, d, y + place.out, place.count);
  }
}

// One block of filters over one image.
template <class T>
HWY_INLINE void FilterBlock(T* y, size_t filters, const T* input, const T* packed, const Frame& frame) {
  const hn::ScalableTag<T> d;
  const size_t outputs = frame.outputs();
  for (Places places(frame, hn::Lanes(d)); !places.done();) {
    Place at[kVectors];
    size_t count = 0;
    while (count < kVectors && !places.done()) at[count++] = places.next();
    for (size_t v = count; v < kVectors; v++) at[v] = at[count - 1];
    auto a0 = hn::Zero(d), a1 = a0, a2 = a0, b0 = a0, b1 = a0, b2 = a0;
    auto c0 = a0, c1 = a0, c2 = a0, e0 = a0, e1 = a0, e2 = a0;
    const T* weight = packed;
    const T* plane = input;
    for (size_t c = 0; c < frame.channels; c++, plane += frame.volume) {
      const T *p0 = plane + at[0].seen, *p1 = plane + at[1].seen, *p2 = plane + at[2].seen;
      for (size_t tap = 0; tap < frame.taps; tap++, weight += kFilters) {
        const ptrdiff_t offset = frame.offsets[tap];
        const auto x0 = hn::LoadU(d, p0 + offset);
        const auto x1 = hn::LoadU(d, p1 + offset);
        const auto x2 = hn::LoadU(d, p2 + offset);
        auto w = hn::Set(d, weight[0]);
        a0 = hn::MulAdd(w, x0, a0);
        a1 = hn::MulAdd(w, x1, a1);
        a2 = hn::MulAdd(w, x2, a2);
        w = hn::Set(d, weight[1]);
        b0 = hn::MulAdd(w, x0, b0);
        b1 = hn::MulAdd(w, x1, b1);
        b2 = hn::MulAdd(w, x2, b2);
        w = hn::Set(d, weight[2]);
        c0 = hn::MulAdd(w, x0, c0);
        c1 = hn::MulAdd(w, x1, c1);
        c2 = hn::MulAdd(w, x2, c2);
        w = hn::Set(d, weight[3]);
        e0 = hn::MulAdd(w, x0, e0);
        e1 = hn::MulAdd(w, x1, e1);
        e2 = hn::MulAdd(w, x2, e2);
      }
    }
    const auto store = [&](size_t f, auto v0, auto v1, auto v2) HWY_ATTR {
      if (f >= filters) return;
      StorePlace(d, v0, y + f * outputs, at[0]);
      if (count > 1) StorePlace(d, v1, y + f * outputs, at[1]);
      if (count > 2) StorePlace(d, v2, y + f * outputs, at[2]);
    };
    store(0, a0, a1, a2);
    store(1, b0, b1, b2);
    store(2, c0, c1, c2);
    store(3, e0, e1, e2);
  }
}

// Numbers of workspace that `Product` takes.
HWY_INLINE size_t ProductRoom(const Frame& frame, size_t groups) {
  return groups * RoundUp(frame.filters, kFilters) * frame.channels * frame.taps +
         frame.channels * frame.volume;
}

// y of x, or the cotangent of x for that of y.
template <class T>
HWY_INLINE void Product(T* y, const T* x, const T* weights, const Window& w, const Frame& frame,
                        bool transposed, T* workspace) {
  const size_t depth = frame.channels * frame.taps;
  const size_t packed = RoundUp(frame.filters, kFilters) * depth;
  for (size_t group = 0; group < w.groups; group++) {
    PackWeights(workspace + group * packed, weights + group * frame.filters * depth, frame, transposed);
  }
  T* input = workspace + w.groups * packed;
  const size_t inputs = Window::volume(frame.input), outputs = frame.outputs();
  for (size_t image = 0; image < w.batch; image++) {
    for (size_t group = 0; group < w.groups; group++, x += frame.channels * inputs) {
      FillFrame(input, x, frame);
      const T* block = workspace + group * packed;
      for (size_t f = 0; f < frame.filters; f += kFilters, block += kFilters * depth) {
        const size_t count = std::min(kFilters, frame.filters - f);
        FilterBlock(y + f * outputs, count, input, block, frame);
      }
      y += frame.filters * outputs;
    }
  }
}

// Numbers of workspace for one image in `WeightGradient`.
HWY_INLINE size_t GradientRoom(const Frame& frame) {
  return frame.channels * frame.volume + RoundUp(frame.filters, kFilters) * frame.rows * frame.width;
}

// Adds Σ over some images to four filters and three pairs of channel and tap.
template <class T>
HWY_INLINE void WeightBlock(T* weights, size_t filters, size_t pair, size_t depth, const T* inputs,
                            const T* cotangents, size_t images, const Frame& frame) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d), plane = frame.rows * frame.width,
               count = std::min(kVectors, depth - pair);
  ptrdiff_t offset[kVectors];
  for (size_t v = 0; v < kVectors; v++) {
    const size_t p = pair + std::min(v, count - 1);
    offset[v] = static_cast<ptrdiff_t>(p / frame.taps * frame.volume) + frame.offsets[p % frame.taps];
  }
  auto a0 = hn::Zero(d), a1 = a0, a2 = a0, b0 = a0, b1 = a0, b2 = a0;
  auto c0 = a0, c1 = a0, c2 = a0, e0 = a0, e1 = a0, e2 = a0;
  for (size_t image = 0; image < images; image++) {
    const T* g = cotangents;
    for (size_t row = 0; row < frame.rows; row++, g += frame.width) {
      const T* seen = inputs + frame.start(row);
      const T *p0 = seen + offset[0], *p1 = seen + offset[1], *p2 = seen + offset[2];
      for (size_t x = 0; x < frame.width; x += lanes) {
        const auto x0 = hn::LoadU(d, p0 + x), x1 = hn::LoadU(d, p1 + x), x2 = hn::LoadU(d, p2 + x);
        auto u = hn::LoadU(d, g + x);
        a0 = hn::MulAdd(u, x0, a0);
        a1 = hn::MulAdd(u, x1, a1);
        a2 = hn::MulAdd(u, x2, a2);
        u = hn::LoadU(d, g + plane + x);
        b0 = hn::MulAdd(u, x0, b0);
        b1 = hn::MulAdd(u, x1, b1);
        b2 = hn::MulAdd(u, x2, b2);
        u = hn::LoadU(d, g + 2 * plane + x);
        c0 = hn::MulAdd(u, x0, c0);
        c1 = hn::MulAdd(u, x1, c1);
        c2 = hn::MulAdd(u, x2, c2);
        u = hn::LoadU(d, g + 3 * plane + x);
        e0 = hn::MulAdd(u, x0, e0);
        e1 = hn::MulAdd(u, x1, e1);
        e2 = hn::MulAdd(u, x2, e2);
      }
    }
    inputs += frame.channels * frame.volume;
    cotangents += RoundUp(frame.filters, kFilters) * plane;
  }
  const auto addTo = [&](size_t f, auto v0, auto v1, auto v2) HWY_ATTR {
    if (f >= filters) return;
    T* to = weights + f * depth + pair;
    to[0] += hn::GetLane(hn::SumOfLanes(d, v0));
    if (count > 1) to[1] += hn::GetLane(hn::SumOfLanes(d, v1));
    if (count > 2) to[2] += hn::GetLane(hn::SumOfLanes(d, v2));
  };
  addTo(0, a0, a1, a2);
  addTo(1, b0, b1, b2);
  addTo(2, c0, c1, c2);
  addTo(3, e0, e1, e2);
}

// The cotangents of one image, rows rounded up with zeros, and zeros for filters that are not there.
template <class T>
HWY_INLINE void FillCotangents(T* to, const T* g, const Frame& frame) {
  const ptrdiff_t width = static_cast<ptrdiff_t>(frame.width), length = frame.output[2];
  for (size_t row = 0; row < frame.filters * frame.rows; row++, to += width, g += length) {
    FramedRow(to, width, g, 0, length);
  }
  const size_t rest = RoundUp(frame.filters, kFilters) - frame.filters;
  std::fill(to, to + rest * frame.rows * frame.width, T(0));
}

template <class T>
HWY_INLINE void WeightGradient(T* weights, const T* x, const T* g, const Window& w, const Frame& frame,
                               T* workspace, size_t room) {
  const size_t depth = frame.channels * frame.taps, each = GradientRoom(frame);
  const size_t most = std::max<size_t>(1, std::min(std::min(room, kFrames) / each, w.batch));
  const size_t inputs = frame.channels * Window::volume(frame.input),
               outputs = frame.filters * frame.outputs();
  std::fill(weights, weights + w.groups * frame.filters * depth, T(0));
  T* framed = workspace;
  T* cotangents = workspace + most * frame.channels * frame.volume;
  const size_t next = RoundUp(frame.filters, kFilters) * frame.rows * frame.width;
  for (size_t image = 0; image < w.batch; image += most) {
    const size_t images = std::min(most, w.batch - image);
    for (size_t group = 0; group < w.groups; group++) {
      for (size_t i = 0; i < images; i++) {
        const size_t at = (image + i) * w.groups + group;
        FillFrame(framed + i * frame.channels * frame.volume, x + at * inputs, frame);
        FillCotangents(cotangents + i * next, g + at * outputs, frame);
      }
      T* own = weights + group * frame.filters * depth;
      for (size_t f = 0; f < frame.filters; f += kFilters) {
        const size_t count = std::min(kFilters, frame.filters - f);
        const T* from = cotangents + f * frame.rows * frame.width;
        for (size_t pair = 0; pair < depth; pair += kVectors) {
          WeightBlock(own + f * depth, count, pair, depth, framed, from, images, frame);
        }
      }
    }
  }
}

// Whether the way over patches is worse: not where rows are much shorter than vectors or the workspace too
// small.
HWY_INLINE bool Suits(const Window& w, const Frame& frame, size_t needed, size_t room) {
  for (int axis = 0; axis < 3; axis++) {
    if (w.stride[axis] != 1) return false;
  }
  return !w.identity() && frame.taps <= kMostTaps && needed <= room &&
         5 * static_cast<size_t>(frame.output[2]) >= 3 * frame.width;
}

}  // namespace direct
}  // namespace HWY_NAMESPACE
}  // namespace tensor
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#endif  // EXTREMA_TENSOR_DIRECT_CONVOLUTION_INL_H_
