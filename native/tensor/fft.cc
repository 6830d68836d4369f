#include "tensor/fft.h"

#include <algorithm>
#include <cstdint>
#include <list>
#include <type_traits>
#include <utility>
#include <vector>

#include "simd/dispatch.h"
#include "tensor/fft-plan.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/fft.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/partial-inl.h"
#include "tensor/fft-passes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace tensor {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace ours = extrema::HWY_NAMESPACE;
using passes::Planes;

// As many lines side by side as a vector has lanes pay from the third on, while they stay in the cache.
template <class T, class D>
bool SideBySide(D d, size_t lines, size_t work) {
  constexpr size_t kMostBytes = size_t{1} << 20;
  return hn::Lanes(d) > 1 && lines > 2 && 4 * work * hn::Lanes(d) * sizeof(T) <= kMostBytes;
}

// The planes begin at different places of a page, so that no store looks like the one before a load.
template <class T>
constexpr size_t Pitch(size_t numbers) {
  return numbers + 320 / sizeof(T);
}

template <class T>
Planes<T> PlanesIn(T* memory, size_t numbers) {
  const size_t pitch = Pitch<T>(numbers);
  return {memory, memory + pitch, memory + 2 * pitch, memory + 3 * pitch};
}

template <class T>
size_t Room(size_t lines, size_t work) {
  const hn::ScalableTag<T> d;
  return 4 * Pitch<T>(SideBySide<T>(d, lines, work) ? work * hn::Lanes(d) : work);
}

// Lines of a tensor: number t of line l is at starts[l] + t * stride. Those past `count` are zeros.
template <class T>
struct Lines {
  const size_t* starts;
  size_t count, stride;
};

template <class T, class D>
HWY_INLINE void Gather(D d, T* planes, const T* x, const Lines<T>& lines, size_t length) {
  const size_t lanes = hn::Lanes(d);
  if (lines.count < lanes) std::fill_n(planes, length * lanes, T(0));
  for (size_t l = 0; l < lines.count; l++) {
    const T* line = x + lines.starts[l];
    for (size_t t = 0; t < length; t++) planes[t * lanes + l] = line[t * lines.stride];
  }
}

template <class T, class D>
HWY_INLINE void Scatter(D d, T* out, const T* planes, const Lines<T>& lines, size_t length, T scale) {
  const size_t lanes = hn::Lanes(d);
  for (size_t l = 0; l < lines.count; l++) {
    T* line = out + lines.starts[l];
    for (size_t t = 0; t < length; t++) line[t * lines.stride] = planes[t * lanes + l] * scale;
  }
}

// Lines that lie side by side in memory.
template <class T, class D>
HWY_INLINE void LoadColumns(D d, T* planes, const T* x, size_t length, size_t stride, size_t count) {
  const size_t lanes = hn::Lanes(d);
  for (size_t t = 0; t < length; t++) {
    const T* from = x + t * stride;
    hn::StoreU(count == lanes ? hn::LoadU(d, from) : ours::LoadN(d, from, count), d, planes + t * lanes);
  }
}

template <class T, class D>
HWY_INLINE void StoreColumns(D d, T* out, const T* planes, size_t length, size_t stride, size_t count,
                             T scale) {
  const size_t lanes = hn::Lanes(d);
  const auto factor = hn::Set(d, scale);
  for (size_t t = 0; t < length; t++) {
    const auto v = hn::Mul(factor, hn::LoadU(d, planes + t * lanes));
    if (count == lanes) {
      hn::StoreU(v, d, out + t * stride);
    } else {
      ours::StoreN(v, d, out + t * stride, count);
    }
  }
}

template <class T>
HWY_INLINE void Complex(const FftPlan<T>& plan, T* memory, T* outRe, T* outIm, const T* re, const T* im,
                        size_t outer, size_t inner, T scale) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d), n = plan.n, work = plan.work();
  const size_t count = outer * inner;
  if (!SideBySide<T>(d, count, work)) {
    for (size_t line = 0; line < count; line++) {
      const size_t start = line / inner * n * inner + line % inner;
      Planes<T> planes = PlanesIn(memory, work);
      for (size_t t = 0; t < n; t++) {
        planes.re[t] = re[start + t * inner];
        planes.im[t] = im[start + t * inner];
      }
      passes::Transform<false>(d, plan, planes);
      for (size_t t = 0; t < n; t++) {
        outRe[start + t * inner] = scale * planes.re[t];
        outIm[start + t * inner] = scale * planes.im[t];
      }
    }
    return;
  }
  if (inner >= lanes) {
    for (size_t o = 0; o < outer; o++) {
      for (size_t j = 0; j < inner; j += lanes) {
        const size_t start = o * n * inner + j, wide = std::min(lanes, inner - j);
        Planes<T> planes = PlanesIn(memory, work * lanes);
        LoadColumns(d, planes.re, re + start, n, inner, wide);
        LoadColumns(d, planes.im, im + start, n, inner, wide);
        passes::Transform<true>(d, plan, planes);
        StoreColumns(d, outRe + start, planes.re, n, inner, wide, scale);
        StoreColumns(d, outIm + start, planes.im, n, inner, wide, scale);
      }
    }
    return;
  }
  size_t starts[HWY_MAX_BYTES / sizeof(T)];
  for (size_t first = 0; first < count; first += lanes) {
    const Lines<T> lines{starts, std::min(lanes, count - first), inner};
    for (size_t l = 0; l < lines.count; l++) {
      starts[l] = (first + l) / inner * n * inner + (first + l) % inner;
    }
    Planes<T> planes = PlanesIn(memory, work * lanes);
    Gather(d, planes.re, re, lines, n);
    Gather(d, planes.im, im, lines, n);
    passes::Transform<true>(d, plan, planes);
    Scatter(d, outRe, planes.re, lines, n, scale);
    Scatter(d, outIm, planes.im, lines, n, scale);
  }
}

// body(tag, place of mode h) for the modes at both ends, which are real.
template <bool kBatch, class D, class F>
HWY_INLINE void EndModes(D d, size_t h, const F& body) {
  if constexpr (kBatch) {
    body(d, h * hn::Lanes(d));
  } else {
    body(hn::CappedTag<hn::TFromD<D>, 1>(), h);
  }
}

// body(tag, k, place of mode k, where the vector of the opposite modes h - k begins) for 0 < k < h.
template <bool kBatch, class D, class F>
HWY_INLINE void OppositeModes(D d, size_t h, const F& body) {
  const size_t lanes = hn::Lanes(d);
  size_t k = 1;
  if constexpr (kBatch) {
    for (; k < h; k++) body(d, k, k * lanes, (h - k) * lanes);
  } else {
    for (; k + lanes <= h; k += lanes) body(d, k, k, h - k - lanes + 1);
    const hn::CappedTag<hn::TFromD<D>, 1> one;
    for (; k < h; k++) body(one, k, k, h - k);
  }
}

// Opposite modes: those of one transform lie the other way round.
template <bool kBatch, class D, class T>
HWY_INLINE hn::Vec<D> Opposite(D d, const T* modes) {
  if constexpr (kBatch) {
    return hn::LoadU(d, modes);
  } else {
    return hn::Reverse(d, hn::LoadU(d, modes));
  }
}

// The n / 2 + 1 modes X of 2h = n real numbers from the transform Z of x_2t + i x_2t+1, to the spare planes:
// X_k = E + exp(-2πi k / n) O with E = ½ (Z_k + conj Z_h-k) and O = -½ i (Z_k - conj Z_h-k).
template <bool kBatch, class T, class D>
HWY_INLINE void SplitReal(D d, const RealFftPlan<T>& plan, const Planes<T>& z) {
  const size_t h = plan.n / 2;
  EndModes<kBatch>(d, h, [&](auto e, size_t last) {
    const auto firstRe = hn::LoadU(e, z.re), firstIm = hn::LoadU(e, z.im);
    hn::StoreU(hn::Add(firstRe, firstIm), e, z.spareRe);
    hn::StoreU(hn::Zero(e), e, z.spareIm);
    hn::StoreU(hn::Sub(firstRe, firstIm), e, z.spareRe + last);
    hn::StoreU(hn::Zero(e), e, z.spareIm + last);
  });
  OppositeModes<kBatch>(d, h, [&](auto e, size_t k, size_t at, size_t opposite) {
    const auto half = hn::Set(e, T(0.5));
    const auto zr = hn::LoadU(e, z.re + at), zi = hn::LoadU(e, z.im + at);
    const auto yr = Opposite<kBatch>(e, z.re + opposite), yi = Opposite<kBatch>(e, z.im + opposite);
    const auto er = hn::Mul(half, hn::Add(zr, yr)), ei = hn::Mul(half, hn::Sub(zi, yi));
    const auto odr = hn::Mul(half, hn::Add(zi, yi)), odi = hn::Mul(half, hn::Sub(yr, zr));
    const auto c = passes::Factor<kBatch>(e, plan.cosine.data() + k);
    const auto s = passes::Factor<kBatch>(e, plan.sine.data() + k);
    hn::StoreU(hn::NegMulAdd(s, odi, hn::MulAdd(c, odr, er)), e, z.spareRe + at);
    hn::StoreU(hn::MulAdd(s, odr, hn::MulAdd(c, odi, ei)), e, z.spareIm + at);
  });
}

// The way back, from the spare planes: Z_k = (X_k + conj X_h-k) + i exp(2πi k / n) (X_k - conj X_h-k), whose
// inverse transform is x_2t + i x_2t+1. Of X_0 and X_h only the real parts count.
template <bool kBatch, class T, class D>
HWY_INLINE void JoinReal(D d, const RealFftPlan<T>& plan, const Planes<T>& z) {
  const size_t h = plan.n / 2;
  EndModes<kBatch>(d, h, [&](auto e, size_t last) {
    const auto firstRe = hn::LoadU(e, z.spareRe), lastRe = hn::LoadU(e, z.spareRe + last);
    hn::StoreU(hn::Add(firstRe, lastRe), e, z.re);
    hn::StoreU(hn::Sub(firstRe, lastRe), e, z.im);
  });
  OppositeModes<kBatch>(d, h, [&](auto e, size_t k, size_t at, size_t opposite) {
    const auto xr = hn::LoadU(e, z.spareRe + at), xi = hn::LoadU(e, z.spareIm + at);
    const auto yr = Opposite<kBatch>(e, z.spareRe + opposite), yi = Opposite<kBatch>(e, z.spareIm + opposite);
    const auto sr = hn::Add(xr, yr), si = hn::Sub(xi, yi), tr = hn::Sub(xr, yr), ti = hn::Add(xi, yi);
    // i (c - i s) (t_r + i t_i) with the sine of the negative angle
    const auto c = passes::Factor<kBatch>(e, plan.cosine.data() + k);
    const auto s = passes::Factor<kBatch>(e, plan.sine.data() + k);
    hn::StoreU(hn::NegMulAdd(c, ti, hn::MulAdd(s, tr, sr)), e, z.re + at);
    hn::StoreU(hn::MulAdd(s, ti, hn::MulAdd(c, tr, si)), e, z.im + at);
  });
}

// `lines.stride` is 1: x are rows, the modes are rows of n / 2 + 1.
template <bool kBatch, class T, class D>
HWY_INLINE void RealLines(D d, const RealFftPlan<T>& plan, T* memory, T* outRe, T* outIm, const T* x,
                          const Lines<T>& rows, const Lines<T>& modes, T scale, T interior) {
  const hn::ScalableTag<T> wide;
  const size_t lanes = hn::Lanes(d), n = plan.n, h = n / 2, length = h + 1;
  const size_t room = std::max(plan.complex->work(), length) * lanes;
  Planes<T> planes = PlanesIn(memory, room);
  if (n % 2 == 0) {
    Gather(d, planes.re, x, {rows.starts, rows.count, 2}, h);
    Gather(d, planes.im, x + 1, {rows.starts, rows.count, 2}, h);
    passes::Transform<kBatch>(wide, *plan.complex, planes);
    SplitReal<kBatch>(wide, plan, planes);
    planes.flip();
  } else {
    Gather(d, planes.re, x, rows, n);
    std::fill_n(planes.im, n * lanes, T(0));
    passes::Transform<kBatch>(wide, *plan.complex, planes);
    std::fill_n(planes.im, lanes, T(0));
  }
  const size_t last = (n + 1) / 2;  // of the interior modes, one past the end
  if (interior != 1) {
    for (size_t i = lanes; i < last * lanes; i++) {
      planes.re[i] *= interior;
      planes.im[i] *= interior;
    }
  }
  Scatter(d, outRe, planes.re, modes, length, scale);
  Scatter(d, outIm, planes.im, modes, length, scale);
}

template <bool kBatch, class T, class D>
HWY_INLINE void InverseLines(D d, const RealFftPlan<T>& plan, T* memory, T* out, const T* re, const T* im,
                             const Lines<T>& rows, const Lines<T>& modes, T scale, T interior) {
  const hn::ScalableTag<T> wide;
  const size_t lanes = hn::Lanes(d), n = plan.n, h = n / 2, length = h + 1;
  const size_t room = std::max(plan.complex->work(), length) * lanes;
  Planes<T> planes = PlanesIn(memory, room);
  T *modesRe = n % 2 == 0 ? planes.spareRe : planes.re, *modesIm = n % 2 == 0 ? planes.spareIm : planes.im;
  Gather(d, modesRe, re, modes, length);
  Gather(d, modesIm, im, modes, length);
  if (interior != 1) {
    for (size_t i = lanes; i < (n + 1) / 2 * lanes; i++) {
      modesRe[i] *= interior;
      modesIm[i] *= interior;
    }
  }
  if (n % 2 == 0) {
    JoinReal<kBatch>(wide, plan, planes);
    planes.exchange();
    passes::Transform<kBatch>(wide, *plan.complex, planes);
    planes.exchange();
    Scatter(d, out, planes.re, {rows.starts, rows.count, 2}, h, scale);
    Scatter(d, out + 1, planes.im, {rows.starts, rows.count, 2}, h, scale);
    return;
  }
  std::fill_n(modesIm, lanes, T(0));
  for (size_t k = 1; k <= h; k++) {
    for (size_t l = 0; l < lanes; l++) {
      planes.re[(n - k) * lanes + l] = planes.re[k * lanes + l];
      planes.im[(n - k) * lanes + l] = -planes.im[k * lanes + l];
    }
  }
  planes.exchange();
  passes::Transform<kBatch>(wide, *plan.complex, planes);
  planes.exchange();
  Scatter(d, out, planes.re, rows, n, scale);
}

// run(kBatch as a type, tag, row lines, mode lines) over rows of n numbers and as many rows of modes.
template <class T, class F>
HWY_INLINE void OverRows(const RealFftPlan<T>& plan, size_t rows, const F& run) {
  const hn::ScalableTag<T> d;
  const hn::CappedTag<T, 1> one;
  const size_t lanes = hn::Lanes(d), length = plan.n / 2 + 1;
  const bool batch = SideBySide<T>(d, rows, std::max(plan.complex->work(), length));
  size_t rowStarts[HWY_MAX_BYTES / sizeof(T)], modeStarts[HWY_MAX_BYTES / sizeof(T)];
  const size_t step = batch ? lanes : 1;
  for (size_t first = 0; first < rows; first += step) {
    const size_t count = std::min(step, rows - first);
    for (size_t l = 0; l < count; l++) {
      rowStarts[l] = (first + l) * plan.n;
      modeStarts[l] = (first + l) * length;
    }
    const Lines<T> lines{rowStarts, count, 1}, modes{modeStarts, count, 1};
    if (batch) {
      run(std::true_type(), d, lines, modes);
    } else {
      run(std::false_type(), one, lines, modes);
    }
  }
}

template <class T>
HWY_INLINE void Real(const RealFftPlan<T>& plan, T* memory, T* outRe, T* outIm, const T* x, size_t rows,
                     T scale, T interior) {
  OverRows(plan, rows, [&](auto batch, auto d, const Lines<T>& lines, const Lines<T>& modes) {
    RealLines<decltype(batch)::value>(d, plan, memory, outRe, outIm, x, lines, modes, scale, interior);
  });
}

template <class T>
HWY_INLINE void Inverse(const RealFftPlan<T>& plan, T* memory, T* out, const T* re, const T* im, size_t rows,
                        T scale, T interior) {
  OverRows(plan, rows, [&](auto batch, auto d, const Lines<T>& lines, const Lines<T>& modes) {
    InverseLines<decltype(batch)::value>(d, plan, memory, out, re, im, lines, modes, scale, interior);
  });
}

void Complex64(const FftPlan<double>& plan, double* memory, double* outRe, double* outIm, const double* re,
               const double* im, size_t outer, size_t inner, double scale) {
  Complex(plan, memory, outRe, outIm, re, im, outer, inner, scale);
}
void Complex32(const FftPlan<float>& plan, float* memory, float* outRe, float* outIm, const float* re,
               const float* im, size_t outer, size_t inner, float scale) {
  Complex(plan, memory, outRe, outIm, re, im, outer, inner, scale);
}
void Real64(const RealFftPlan<double>& plan, double* memory, double* outRe, double* outIm, const double* x,
            size_t rows, double scale, double interior) {
  Real(plan, memory, outRe, outIm, x, rows, scale, interior);
}
void Real32(const RealFftPlan<float>& plan, float* memory, float* outRe, float* outIm, const float* x,
            size_t rows, float scale, float interior) {
  Real(plan, memory, outRe, outIm, x, rows, scale, interior);
}
void Inverse64(const RealFftPlan<double>& plan, double* memory, double* out, const double* re,
               const double* im, size_t rows, double scale, double interior) {
  Inverse(plan, memory, out, re, im, rows, scale, interior);
}
void Inverse32(const RealFftPlan<float>& plan, float* memory, float* out, const float* re, const float* im,
               size_t rows, float scale, float interior) {
  Inverse(plan, memory, out, re, im, rows, scale, interior);
}

// Numbers of scratch memory that so many lines need.
size_t Room64(size_t lines, size_t work) { return Room<double>(lines, work); }
size_t Room32(size_t lines, size_t work) { return Room<float>(lines, work); }

}  // namespace HWY_NAMESPACE
}  // namespace tensor
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema {
namespace tensor {

EXTREMA_EXPORT(Complex64);
EXTREMA_EXPORT(Complex32);
EXTREMA_EXPORT(Real64);
EXTREMA_EXPORT(Real32);
EXTREMA_EXPORT(Inverse64);
EXTREMA_EXPORT(Inverse32);
EXTREMA_EXPORT(Room64);
EXTREMA_EXPORT(Room32);

namespace {

// The transform of Bluestein's kernel, conj of the chirp around 0, in float64 for both types.
template <class T>
void completeChirp(FftPlan<T>& plan) {
  const size_t n = plan.n, m = plan.inner->n;
  const std::shared_ptr<FftPlan<double>> inner = makeFftPlan<double>(m);
  std::vector<double> re(m), im(m), memory(EXTREMA_DISPATCH(Room64)(1, m));
  for (size_t j = 0, square = 0; j < n; square = (square + 2 * j + 1) % (2 * n), j++) {
    double c, s;
    unitRoot(square, 2 * n, c, s);
    re[j] = re[(m - j) % m] = c;
    im[j] = im[(m - j) % m] = -s;
  }
  EXTREMA_DISPATCH(Complex64)
  (*inner, memory.data(), re.data(), im.data(), re.data(), im.data(), 1, 1, 1.0 / static_cast<double>(m));
  plan.kernelCosine.assign(re.begin(), re.end());
  plan.kernelSine.assign(im.begin(), im.end());
}

template <class T>
std::shared_ptr<const FftPlan<T>> completePlan(size_t n) {
  std::shared_ptr<FftPlan<T>> plan = makeFftPlan<T>(n);
  if (plan->inner) completeChirp(*plan);
  return plan;
}

template <class T>
std::shared_ptr<const RealFftPlan<T>> realPlan(size_t n) {
  auto plan = std::make_shared<RealFftPlan<T>>();
  plan->n = n;
  plan->complex = completePlan<T>(n % 2 == 0 ? n / 2 : n);
  for (size_t k = 0; k <= n / 2; k++) {
    double c, s;
    unitRoot(k, n, c, s);
    plan->cosine.push_back(static_cast<T>(c));
    plan->sine.push_back(static_cast<T>(s));
  }
  return plan;
}

// The plans that a thread has used last.
template <class Plan>
class Cache {
 public:
  template <class Make>
  std::shared_ptr<const Plan> get(size_t n, const Make& make) {
    for (auto i = plans_.begin(); i != plans_.end(); ++i) {
      if ((*i)->n != n) continue;
      plans_.splice(plans_.begin(), plans_, i);
      return plans_.front();
    }
    plans_.push_front(make(n));
    if (plans_.size() > kMost) plans_.pop_back();
    return plans_.front();
  }

 private:
  static constexpr size_t kMost = 16;
  std::list<std::shared_ptr<const Plan>> plans_;
};

template <class T>
std::shared_ptr<const FftPlan<T>> planFor(size_t n) {
  static thread_local Cache<FftPlan<T>> cache;
  return cache.get(n, completePlan<T>);
}

template <class T>
std::shared_ptr<const RealFftPlan<T>> realPlanFor(size_t n) {
  static thread_local Cache<RealFftPlan<T>> cache;
  return cache.get(n, realPlan<T>);
}

// Scratch memory on a cache-line border. A thread keeps what fits into its cache.
template <class T>
class Scratch {
 public:
  explicit Scratch(size_t numbers) {
    constexpr size_t kLine = 64;
    const size_t bytes = numbers * sizeof(T) + kLine;
    std::vector<unsigned char>& memory = bytes <= kMostKept ? kept() : own_;
    if (memory.size() < bytes) memory.resize(bytes);
    const auto address = reinterpret_cast<uintptr_t>(memory.data());
    data_ = reinterpret_cast<T*>((address + kLine - 1) / kLine * kLine);
  }
  T* data() { return data_; }

 private:
  static constexpr size_t kMostKept = size_t{2} << 20;
  static std::vector<unsigned char>& kept() {
    static thread_local std::vector<unsigned char> memory;
    return memory;
  }
  std::vector<unsigned char> own_;
  T* data_ = nullptr;
};

template <class T>
size_t workOf(const RealFftPlan<T>& plan) {
  return std::max(plan.complex->work(), plan.n / 2 + 1);
}

}  // namespace

template <>
void fft(double* outRe, double* outIm, const double* re, const double* im, size_t outer, size_t n,
         size_t inner, double scale) {
  const auto plan = planFor<double>(n);
  Scratch<double> scratch(EXTREMA_DISPATCH(Room64)(outer * inner, plan->work()));
  EXTREMA_DISPATCH(Complex64)(*plan, scratch.data(), outRe, outIm, re, im, outer, inner, scale);
}
template <>
void fft(float* outRe, float* outIm, const float* re, const float* im, size_t outer, size_t n, size_t inner,
         double scale) {
  const auto plan = planFor<float>(n);
  Scratch<float> scratch(EXTREMA_DISPATCH(Room32)(outer * inner, plan->work()));
  EXTREMA_DISPATCH(Complex32)
  (*plan, scratch.data(), outRe, outIm, re, im, outer, inner, static_cast<float>(scale));
}
template <>
void rfft(double* outRe, double* outIm, const double* x, size_t rows, size_t n, double scale,
          double interior) {
  const auto plan = realPlanFor<double>(n);
  Scratch<double> scratch(EXTREMA_DISPATCH(Room64)(rows, workOf(*plan)));
  EXTREMA_DISPATCH(Real64)(*plan, scratch.data(), outRe, outIm, x, rows, scale, interior);
}
template <>
void rfft(float* outRe, float* outIm, const float* x, size_t rows, size_t n, double scale, double interior) {
  const auto plan = realPlanFor<float>(n);
  Scratch<float> scratch(EXTREMA_DISPATCH(Room32)(rows, workOf(*plan)));
  EXTREMA_DISPATCH(Real32)
  (*plan, scratch.data(), outRe, outIm, x, rows, static_cast<float>(scale), static_cast<float>(interior));
}
template <>
void irfft(double* out, const double* re, const double* im, size_t rows, size_t n, double scale,
           double interior) {
  const auto plan = realPlanFor<double>(n);
  Scratch<double> scratch(EXTREMA_DISPATCH(Room64)(rows, workOf(*plan)));
  EXTREMA_DISPATCH(Inverse64)(*plan, scratch.data(), out, re, im, rows, scale, interior);
}
template <>
void irfft(float* out, const float* re, const float* im, size_t rows, size_t n, double scale,
           double interior) {
  const auto plan = realPlanFor<float>(n);
  Scratch<float> scratch(EXTREMA_DISPATCH(Room32)(rows, workOf(*plan)));
  EXTREMA_DISPATCH(Inverse32)
  (*plan, scratch.data(), out, re, im, rows, static_cast<float>(scale), static_cast<float>(interior));
}

}  // namespace tensor
}  // namespace extrema
#endif
