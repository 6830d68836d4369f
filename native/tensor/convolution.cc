#include "tensor/convolution.h"

#include <algorithm>

#include "core/gemm.h"
#include "simd/dispatch.h"
#include "tensor/window.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/convolution.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/partial-inl.h"
#include "tensor/direct-convolution-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace tensor {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace ours = extrema::HWY_NAMESPACE;

// Calls row(SeenRow) for the output places from `begin` to below `end`, in order and without gaps.
template <class Row>
HWY_INLINE void WalkTap(const Window& w, size_t tap, size_t begin, size_t end, const Row& row) {
  const ptrdiff_t kx = static_cast<ptrdiff_t>(tap) % w.kernel[2];
  const ptrdiff_t rest = static_cast<ptrdiff_t>(tap) / w.kernel[2];
  const ptrdiff_t ky = rest % w.kernel[1], kz = rest / w.kernel[1];
  const ptrdiff_t width = w.output[2];
  const ptrdiff_t first = w.first(2, kx), last = w.last(2, kx), shift = w.shift(2, kx);
  const ptrdiff_t line = static_cast<ptrdiff_t>(begin) / width;
  ptrdiff_t x = static_cast<ptrdiff_t>(begin) % width, y = line % w.output[1], z = line / w.output[1];
  for (size_t at = begin; at < end;) {
    const ptrdiff_t stop = std::min(width, x + static_cast<ptrdiff_t>(end - at));
    const ptrdiff_t iz = z * w.stride[0] + w.shift(0, kz), iy = y * w.stride[1] + w.shift(1, ky);
    SeenRow piece{at, static_cast<size_t>(stop - x), 0, 0, 0};
    if (iz >= 0 && iz < w.input[0] && iy >= 0 && iy < w.input[1]) {
      const ptrdiff_t from = std::min(std::max(first, x), stop), to = std::min(std::max(last, from), stop);
      piece.lead = static_cast<size_t>(from - x);
      piece.seen = static_cast<size_t>(to - from);
      piece.input = (iz * w.input[1] + iy) * w.input[2] + from * w.stride[2] + shift;
    }
    row(piece);
    at += piece.length;
    x = 0;
    if (++y == w.output[1]) {
      y = 0;
      z++;
    }
  }
}

// Rows are short: no calls, and no scalar tails.

template <class T>
HWY_INLINE void Copy(T* to, const T* from, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(hn::LoadU(d, from + i), d, to + i);
  if (i < n) ours::StoreN(ours::LoadN(d, from + i, n - i), d, to + i, n - i);
}

template <class T>
HWY_INLINE void Clear(T* to, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] = T(0);
}

// to += scale from
template <class T>
HWY_INLINE void AddScaled(T* to, const T* from, T scale, size_t n) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  const auto s = hn::Set(d, scale);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(hn::MulAdd(s, hn::LoadU(d, from + i), hn::LoadU(d, to + i)), d, to + i);
  }
  if (i == n) return;
  const auto sum = hn::MulAdd(s, ours::LoadN(d, from + i, n - i), ours::LoadN(d, to + i, n - i));
  ours::StoreN(sum, d, to + i, n - i);
}

// What the places from `begin` to below `end` see of one image: a row for each channel and tap, `width`
// apart.
template <class T>
HWY_INLINE void Patches(T* columns, size_t width, const T* x, const Window& w, size_t begin, size_t end) {
  const size_t taps = w.taps(), inputs = w.inputs();
  const ptrdiff_t step = w.stride[2];
  for (size_t c = 0; c < w.channels; c++, x += inputs) {
    for (size_t tap = 0; tap < taps; tap++, columns += width) {
      WalkTap(w, tap, begin, end, [&](const SeenRow& row) HWY_ATTR {
        T* to = columns + (row.at - begin);
        const T* from = x + row.input;
        Clear(to, row.lead);
        to += row.lead;
        if (step == 1) {
          Copy(to, from, row.seen);
        } else {
          for (size_t i = 0; i < row.seen; i++) to[i] = from[static_cast<ptrdiff_t>(i) * step];
        }
        Clear(to + row.seen, row.length - row.lead - row.seen);
      });
    }
  }
}

// The transpose: adds the columns where they were seen.
template <class T>
HWY_INLINE void AddPatches(T* x, const T* columns, size_t width, const Window& w, size_t begin, size_t end) {
  const size_t taps = w.taps(), inputs = w.inputs();
  const ptrdiff_t step = w.stride[2];
  for (size_t c = 0; c < w.channels; c++, x += inputs) {
    for (size_t tap = 0; tap < taps; tap++, columns += width) {
      WalkTap(w, tap, begin, end, [&](const SeenRow& row) HWY_ATTR {
        const T* from = columns + (row.at - begin) + row.lead;
        T* to = x + row.input;
        if (step == 1) {
          AddScaled(to, from, T(1), row.seen);
        } else {
          for (size_t i = 0; i < row.seen; i++) to[static_cast<ptrdiff_t>(i) * step] += from[i];
        }
      });
    }
  }
}

// Σ x_i y_i, x with a step.
template <class T>
HWY_INLINE double Dot(const T* x, ptrdiff_t step, const T* y, size_t n) {
  double sums[4] = {0, 0, 0, 0};
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (size_t l = 0; l < 4; l++) {
      sums[l] += static_cast<double>(x[static_cast<ptrdiff_t>(i + l) * step]) * y[i + l];
    }
  }
  for (; i < n; i++) sums[0] += static_cast<double>(x[static_cast<ptrdiff_t>(i) * step]) * y[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// One channel to a group: nothing to multiply as matrices.
template <class T>
HWY_INLINE void DepthwiseForward(T* y, const T* x, const T* weights, const Window& w) {
  const size_t taps = w.taps(), inputs = w.inputs(), outputs = w.outputs();
  const ptrdiff_t step = w.stride[2];
  for (size_t image = 0; image < w.batch; image++) {
    const T* weight = weights;
    for (size_t group = 0; group < w.groups; group++, x += inputs) {
      for (size_t f = 0; f < w.filters; f++, y += outputs) {
        std::fill(y, y + outputs, T(0));
        for (size_t tap = 0; tap < taps; tap++) {
          const T scale = *weight++;
          WalkTap(w, tap, 0, outputs, [&](const SeenRow& row) HWY_ATTR {
            T* to = y + row.at + row.lead;
            const T* from = x + row.input;
            if (step == 1) {
              AddScaled(to, from, scale, row.seen);
            } else {
              for (size_t i = 0; i < row.seen; i++) to[i] += scale * from[static_cast<ptrdiff_t>(i) * step];
            }
          });
        }
      }
    }
  }
}

template <class T>
HWY_INLINE void DepthwiseTranspose(T* x, const T* y, const T* weights, const Window& w) {
  const size_t taps = w.taps(), inputs = w.inputs(), outputs = w.outputs();
  const ptrdiff_t step = w.stride[2];
  for (size_t image = 0; image < w.batch; image++) {
    const T* weight = weights;
    for (size_t group = 0; group < w.groups; group++, x += inputs) {
      std::fill(x, x + inputs, T(0));
      for (size_t f = 0; f < w.filters; f++, y += outputs) {
        for (size_t tap = 0; tap < taps; tap++) {
          const T scale = *weight++;
          WalkTap(w, tap, 0, outputs, [&](const SeenRow& row) HWY_ATTR {
            const T* from = y + row.at + row.lead;
            T* to = x + row.input;
            if (step == 1) {
              AddScaled(to, from, scale, row.seen);
            } else {
              for (size_t i = 0; i < row.seen; i++) to[static_cast<ptrdiff_t>(i) * step] += scale * from[i];
            }
          });
        }
      }
    }
  }
}

template <class T>
HWY_INLINE void DepthwiseWeights(T* weights, const T* x, const T* y, const Window& w) {
  const size_t taps = w.taps(), inputs = w.inputs(), outputs = w.outputs();
  for (size_t filter = 0; filter < w.groups * w.filters; filter++) {
    for (size_t tap = 0; tap < taps; tap++) {
      double sum = 0;
      for (size_t image = 0; image < w.batch; image++) {
        const T* from = x + (image * w.groups + filter / w.filters) * inputs;
        const T* to = y + (image * w.groups * w.filters + filter) * outputs;
        WalkTap(w, tap, 0, outputs, [&](const SeenRow& row) HWY_ATTR {
          sum += Dot(from + row.input, w.stride[2], to + row.at + row.lead, row.seen);
        });
      }
      *weights++ = static_cast<T>(sum);
    }
  }
}

// Some images, or some places of one image, in one group.
template <class T>
struct Chunk {
  const Window& w;
  size_t image, count, begin, end, group;
  T* columns;
  T* gathered;

  size_t each() const { return end - begin; }
  size_t width() const { return count * each(); }
  size_t depth() const { return w.channels * w.taps(); }
  size_t nextX() const { return w.groups * w.channels * w.inputs(); }
  size_t nextY() const { return w.groups * w.filters * w.outputs(); }
  size_t startX() const { return image * nextX() + group * w.channels * w.inputs(); }
  size_t startY() const { return image * nextY() + group * w.filters * w.outputs() + begin; }
  size_t startW() const { return group * w.filters * depth(); }
  bool first() const { return image == 0 && begin == 0; }
  // Patches need no copy.
  bool identity() const { return count == 1 && w.identity(); }
};

constexpr size_t kFewPlaces = 256;

// Calls body(chunk) for all chunks, in an order that depends on the sizes alone.
template <class T, class Body>
HWY_INLINE void ForChunks(const Window& w, T* workspace, size_t room, const Body& body) {
  const size_t outputs = w.outputs(), depth = w.channels * w.taps();
  const size_t places = std::max<size_t>(1, room / (depth + w.filters));
  // Small images go into one product together, as far as that is worth copying their results.
  const size_t wanted = outputs < kFewPlaces / 2 ? (kFewPlaces + outputs - 1) / outputs : 1;
  const size_t images = std::max<size_t>(1, std::min(std::min(w.batch, wanted), places / outputs));
  const size_t part = std::min(places, outputs);
  for (size_t image = 0; image < w.batch; image += images) {
    const size_t count = std::min(images, w.batch - image);
    for (size_t begin = 0; begin < outputs; begin += part) {
      const size_t end = std::min(outputs, begin + part);
      T* gathered = workspace + depth * count * (end - begin);
      for (size_t group = 0; group < w.groups; group++) {
        body(Chunk<T>{w, image, count, begin, end, group, workspace, gathered});
      }
    }
  }
}

// A matrix by rows.
template <class T>
struct Rows {
  T* data;
  int stride;
};

// The filters of y side by side: in place for one image, copied for several.
template <class T>
HWY_INLINE Rows<T> Gathered(const Chunk<T>& chunk, T* y) {
  if (chunk.count == 1) return {y + chunk.startY(), static_cast<int>(chunk.w.outputs())};
  return {chunk.gathered, static_cast<int>(chunk.width())};
}

template <class T>
HWY_INLINE Rows<const T> FiltersOf(const Chunk<T>& chunk, const T* y) {
  const Window& w = chunk.w;
  const size_t each = chunk.each();
  for (size_t f = 0; chunk.count > 1 && f < w.filters; f++) {
    for (size_t i = 0; i < chunk.count; i++) {
      const T* from = y + chunk.startY() + i * chunk.nextY() + f * w.outputs();
      Copy(chunk.gathered + (f * chunk.count + i) * each, from, each);
    }
  }
  const Rows<T> rows = Gathered(chunk, const_cast<T*>(y));
  return {rows.data, rows.stride};
}

template <class T>
HWY_INLINE Rows<const T> PatchesOf(const Chunk<T>& chunk, const T* x) {
  const Window& w = chunk.w;
  if (chunk.identity()) return {x + chunk.startX() + chunk.begin, static_cast<int>(w.inputs())};
  for (size_t i = 0; i < chunk.count; i++) {
    const T* image = x + chunk.startX() + i * chunk.nextX();
    Patches(chunk.columns + i * chunk.each(), chunk.width(), image, w, chunk.begin, chunk.end);
  }
  return {chunk.columns, static_cast<int>(chunk.width())};
}

template <class T>
HWY_INLINE void Forward(T* y, const T* x, const T* weights, const Window& w, T* workspace, size_t room) {
  const int m = static_cast<int>(w.filters);
  ForChunks(w, workspace, room, [&](const Chunk<T>& chunk) HWY_ATTR {
    const int n = static_cast<int>(chunk.width()), k = static_cast<int>(chunk.depth());
    const Rows<const T> seen = PatchesOf(chunk, x);
    const Rows<T> out = Gathered(chunk, y);
    gemm(CblasNoTrans, CblasNoTrans, m, n, k, weights + chunk.startW(), k, seen.data, seen.stride, T(0),
         out.data, out.stride);
    for (size_t f = 0; chunk.count > 1 && f < w.filters; f++) {
      for (size_t i = 0; i < chunk.count; i++) {
        T* to = y + chunk.startY() + i * chunk.nextY() + f * w.outputs();
        Copy(to, chunk.gathered + (f * chunk.count + i) * chunk.each(), chunk.each());
      }
    }
  });
}

template <class T>
HWY_INLINE void Transpose(T* x, const T* y, const T* weights, const Window& w, T* workspace, size_t room) {
  const int m = static_cast<int>(w.filters);
  std::fill(x, x + w.batch * w.groups * w.channels * w.inputs(), T(0));
  ForChunks(w, workspace, room, [&](const Chunk<T>& chunk) HWY_ATTR {
    const int n = static_cast<int>(chunk.width()), k = static_cast<int>(chunk.depth());
    const Rows<const T> filters = FiltersOf(chunk, y);
    const bool direct = chunk.identity();
    T* columns = direct ? x + chunk.startX() + chunk.begin : chunk.columns;
    gemm(CblasTrans, CblasNoTrans, k, n, m, weights + chunk.startW(), k, filters.data, filters.stride, T(0),
         columns, direct ? static_cast<int>(w.inputs()) : n);
    for (size_t i = 0; !direct && i < chunk.count; i++) {
      T* image = x + chunk.startX() + i * chunk.nextX();
      AddPatches(image, columns + i * chunk.each(), chunk.width(), w, chunk.begin, chunk.end);
    }
  });
}

template <class T>
HWY_INLINE void Weights(T* weights, const T* x, const T* y, const Window& w, T* workspace, size_t room) {
  const int m = static_cast<int>(w.filters);
  ForChunks(w, workspace, room, [&](const Chunk<T>& chunk) HWY_ATTR {
    const int n = static_cast<int>(chunk.width()), k = static_cast<int>(chunk.depth());
    const Rows<const T> seen = PatchesOf(chunk, x);
    const Rows<const T> filters = FiltersOf(chunk, y);
    gemm(CblasNoTrans, CblasTrans, m, k, n, filters.data, filters.stride, seen.data, seen.stride,
         chunk.first() ? T(0) : T(1), weights + chunk.startW(), k);
  });
}

template <class T>
HWY_INLINE void Convolution(int op, T* out, const T* a, const T* b, const int32_t* geometry, T* workspace,
                            size_t room) {
  const Window w(geometry);
  // One channel and few filters to a group: nothing to multiply as matrices.
  if (w.channels == 1 && w.filters < direct::kFilters) {
    if (op == 0) return DepthwiseForward(out, a, b, w);
    if (op == 1) return DepthwiseTranspose(out, a, b, w);
    return DepthwiseWeights(out, a, b, w);
  }
  const direct::Frame frame(w, op == 1, hn::Lanes(hn::ScalableTag<T>()));
  if (op == 2) {
    if (direct::Suits(w, frame, direct::GradientRoom(frame), room)) {
      return direct::WeightGradient(out, a, b, w, frame, workspace, room);
    }
    return Weights(out, a, b, w, workspace, room);
  }
  if (direct::Suits(w, frame, direct::ProductRoom(frame, w.groups), room)) {
    return direct::Product(out, a, b, w, frame, op == 1, workspace);
  }
  if (op == 0) {
    Forward(out, a, b, w, workspace, room);
  } else {
    Transpose(out, a, b, w, workspace, room);
  }
}

void Convolution64(int op, double* out, const double* a, const double* b, const int32_t* geometry,
                   double* workspace, size_t room) {
  Convolution(op, out, a, b, geometry, workspace, room);
}
void Convolution32(int op, float* out, const float* a, const float* b, const int32_t* geometry,
                   float* workspace, size_t room) {
  Convolution(op, out, a, b, geometry, workspace, room);
}

}  // namespace HWY_NAMESPACE
}  // namespace tensor
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema {
namespace tensor {

EXTREMA_EXPORT(Convolution64);
EXTREMA_EXPORT(Convolution32);

template <>
void convolution(int op, double* out, const double* a, const double* b, const int32_t* geometry,
                 double* workspace, size_t room) {
  EXTREMA_DISPATCH(Convolution64)(op, out, a, b, geometry, workspace, room);
}
template <>
void convolution(int op, float* out, const float* a, const float* b, const int32_t* geometry,
                 float* workspace, size_t room) {
  EXTREMA_DISPATCH(Convolution32)(op, out, a, b, geometry, workspace, room);
}
}  // namespace tensor
}  // namespace extrema
#endif
