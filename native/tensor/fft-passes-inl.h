// The passes of a Fourier transform over split complex numbers. Included once per target.
//
// kBatch: every place of the planes holds a vector, with the same place of as many transforms. Otherwise the
// numbers of one transform lie behind each other, and vectors run along them as far as a pass has runs.

#if defined(EXTREMA_TENSOR_FFT_PASSES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EXTREMA_TENSOR_FFT_PASSES_INL_H_
#undef EXTREMA_TENSOR_FFT_PASSES_INL_H_
#else
#define EXTREMA_TENSOR_FFT_PASSES_INL_H_
#endif

#include <utility>

#include "hwy/highway.h"
#include "tensor/fft-plan.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace tensor {
namespace HWY_NAMESPACE {
namespace passes {

namespace hn = hwy::HWY_NAMESPACE;

// Complex numbers and room for as many.
template <class T>
struct Planes {
  T *re, *im, *spareRe, *spareIm;

  void flip() {
    std::swap(re, spareRe);
    std::swap(im, spareIm);
  }
  // Transforms of i conj(x) are i conj of the inverse transforms.
  void exchange() {
    std::swap(re, im);
    std::swap(spareRe, spareIm);
  }
};

// body(d, place in the planes, index) over a run of indices.
template <bool kBatch, class D, class F>
HWY_INLINE void Along(D d, size_t count, const F& body) {
  const size_t lanes = hn::Lanes(d);
  if constexpr (kBatch) {
    for (size_t i = 0; i < count; i++) body(d, i * lanes, i);
  } else {
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) body(d, i, i);
    const hn::CappedTag<hn::TFromD<D>, 1> one;
    for (; i < count; i++) body(one, i, i);
  }
}

// Factors of the numbers that a vector holds.
template <bool kBatch, class D, class T>
HWY_INLINE hn::Vec<D> Factor(D d, const T* factors) {
  if constexpr (kBatch) {
    return hn::Set(d, *factors);
  } else {
    return hn::LoadU(d, factors);
  }
}

// (re + i im) (cosine + i sine) to memory.
template <class D, class V, class T>
HWY_INLINE void StoreProduct(D d, V re, V im, V cosine, V sine, T* outRe, T* outIm) {
  hn::StoreU(hn::NegMulAdd(im, sine, hn::Mul(re, cosine)), d, outRe);
  hn::StoreU(hn::MulAdd(im, cosine, hn::Mul(re, sine)), d, outIm);
}

// Where a pass reads and writes: block k, number q of its radix, place in the run.
template <bool kBatch, class D, class T>
struct Pass {
  Pass(D d, const FftPlan<T>& plan, const FftStage& stage, const Planes<T>& planes)
      : planes(planes),
        cosine(plan.cosine.data() + stage.twiddles),
        sine(plan.sine.data() + stage.twiddles),
        rest(stage.rest),
        done(stage.done),
        width(kBatch ? hn::Lanes(d) : 1),
        step(rest * width),
        jump(rest * done * width) {}

  template <class E>
  HWY_INLINE void load(E e, size_t from, hn::Vec<E>& re, hn::Vec<E>& im) const {
    re = hn::LoadU(e, planes.re + from);
    im = hn::LoadU(e, planes.im + from);
  }
  template <class E, class V>
  HWY_INLINE void store(E e, size_t to, V re, V im) const {
    hn::StoreU(re, e, planes.spareRe + to);
    hn::StoreU(im, e, planes.spareIm + to);
  }
  // With the twiddle factor of output q >= 1; those of the last pass are 1.
  template <bool kLast, class E, class V>
  HWY_INLINE void storeTurned(E e, size_t q, size_t i, size_t to, V re, V im) const {
    if constexpr (kLast) {
      store(e, to + q * jump, re, im);
    } else {
      const size_t at = (q - 1) * rest + i;
      StoreProduct(e, re, im, Factor<kBatch>(e, cosine + at), Factor<kBatch>(e, sine + at),
                   planes.spareRe + to + q * jump, planes.spareIm + to + q * jump);
    }
  }

  const Planes<T> planes;
  const T *cosine, *sine;
  const size_t rest, done, width, step, jump;
};

// In the last pass the numbers of a block lie behind each other: the vectors of a single transform run across
// blocks instead.
template <bool kLast, bool kBatch>
constexpr bool kAcross = kLast && !kBatch;

template <bool kLast, bool kBatch, class D, class T>
HWY_INLINE void Pass2(D d, const Pass<kBatch, D, T>& pass) {
  const auto butterfly = [&](auto e, size_t i, size_t to, auto ar, auto ai, auto br, auto bi) {
    pass.store(e, to, hn::Add(ar, br), hn::Add(ai, bi));
    pass.template storeTurned<kLast>(e, 1, i, to, hn::Sub(ar, br), hn::Sub(ai, bi));
  };
  size_t k = 0;
  if constexpr (kAcross<kLast, kBatch>) {
    for (; k + hn::Lanes(d) <= pass.done; k += hn::Lanes(d)) {
      hn::Vec<D> ar, ai, br, bi;
      hn::LoadInterleaved2(d, pass.planes.re + 2 * k, ar, br);
      hn::LoadInterleaved2(d, pass.planes.im + 2 * k, ai, bi);
      butterfly(d, 0, k, ar, ai, br, bi);
    }
  }
  for (; k < pass.done; k++) {
    const size_t from = 2 * k * pass.step, to = k * pass.step;
    Along<kBatch>(d, pass.rest, [&](auto e, size_t at, size_t i) {
      using V = hn::Vec<decltype(e)>;
      V ar, ai, br, bi;
      pass.load(e, from + at, ar, ai);
      pass.load(e, from + pass.step + at, br, bi);
      butterfly(e, i, to + at, ar, ai, br, bi);
    });
  }
}

template <bool kLast, bool kBatch, class D, class T>
HWY_INLINE void Pass3(D d, const Pass<kBatch, D, T>& pass) {
  constexpr T kHalf = T(0.5), kSine = T(0.86602540378443864676);
  for (size_t k = 0; k < pass.done; k++) {
    const size_t from = 3 * k * pass.step, to = k * pass.step;
    Along<kBatch>(d, pass.rest, [&](auto e, size_t at, size_t i) {
      using V = hn::Vec<decltype(e)>;
      V ar, ai, br, bi, cr, ci;
      pass.load(e, from + at, ar, ai);
      pass.load(e, from + pass.step + at, br, bi);
      pass.load(e, from + 2 * pass.step + at, cr, ci);
      const V sr = hn::Add(br, cr), si = hn::Add(bi, ci);
      const V half = hn::Set(e, kHalf), sine = hn::Set(e, kSine);
      const V mr = hn::NegMulAdd(half, sr, ar), mi = hn::NegMulAdd(half, si, ai);
      const V nr = hn::Mul(sine, hn::Sub(br, cr)), ni = hn::Mul(sine, hn::Sub(bi, ci));
      pass.store(e, to + at, hn::Add(ar, sr), hn::Add(ai, si));
      pass.template storeTurned<kLast>(e, 1, i, to + at, hn::Add(mr, ni), hn::Sub(mi, nr));
      pass.template storeTurned<kLast>(e, 2, i, to + at, hn::Sub(mr, ni), hn::Add(mi, nr));
    });
  }
}

template <bool kLast, bool kBatch, class D, class T>
HWY_INLINE void Pass4(D d, const Pass<kBatch, D, T>& pass) {
  const auto butterfly = [&](auto e, size_t i, size_t to, auto ar, auto ai, auto br, auto bi, auto cr,
                             auto ci, auto dr, auto di) {
    const auto sr = hn::Add(ar, cr), si = hn::Add(ai, ci), tr = hn::Sub(ar, cr), ti = hn::Sub(ai, ci);
    const auto ur = hn::Add(br, dr), ui = hn::Add(bi, di), vr = hn::Sub(br, dr), vi = hn::Sub(bi, di);
    pass.store(e, to, hn::Add(sr, ur), hn::Add(si, ui));
    pass.template storeTurned<kLast>(e, 1, i, to, hn::Add(tr, vi), hn::Sub(ti, vr));
    pass.template storeTurned<kLast>(e, 2, i, to, hn::Sub(sr, ur), hn::Sub(si, ui));
    pass.template storeTurned<kLast>(e, 3, i, to, hn::Sub(tr, vi), hn::Add(ti, vr));
  };
  size_t k = 0;
  if constexpr (kAcross<kLast, kBatch>) {
    for (; k + hn::Lanes(d) <= pass.done; k += hn::Lanes(d)) {
      hn::Vec<D> ar, ai, br, bi, cr, ci, dr, di;
      hn::LoadInterleaved4(d, pass.planes.re + 4 * k, ar, br, cr, dr);
      hn::LoadInterleaved4(d, pass.planes.im + 4 * k, ai, bi, ci, di);
      butterfly(d, 0, k, ar, ai, br, bi, cr, ci, dr, di);
    }
  }
  for (; k < pass.done; k++) {
    const size_t from = 4 * k * pass.step, to = k * pass.step;
    Along<kBatch>(d, pass.rest, [&](auto e, size_t at, size_t i) {
      using V = hn::Vec<decltype(e)>;
      V ar, ai, br, bi, cr, ci, dr, di;
      pass.load(e, from + at, ar, ai);
      pass.load(e, from + pass.step + at, br, bi);
      pass.load(e, from + 2 * pass.step + at, cr, ci);
      pass.load(e, from + 3 * pass.step + at, dr, di);
      butterfly(e, i, to + at, ar, ai, br, bi, cr, ci, dr, di);
    });
  }
}

template <bool kLast, bool kBatch, class D, class T>
HWY_INLINE void Pass5(D d, const Pass<kBatch, D, T>& pass) {
  constexpr T kCos1 = T(0.30901699437494742410), kCos2 = T(-0.80901699437494742410);
  constexpr T kSin1 = T(0.95105651629515357212), kSin2 = T(0.58778525229247312917);
  for (size_t k = 0; k < pass.done; k++) {
    const size_t from = 5 * k * pass.step, to = k * pass.step;
    Along<kBatch>(d, pass.rest, [&](auto e, size_t at, size_t i) {
      using V = hn::Vec<decltype(e)>;
      V r[5], m[5];
      for (size_t j = 0; j < 5; j++) pass.load(e, from + j * pass.step + at, r[j], m[j]);
      const V s1r = hn::Add(r[1], r[4]), s1i = hn::Add(m[1], m[4]), s2r = hn::Add(r[2], r[3]),
              s2i = hn::Add(m[2], m[3]);
      const V d1r = hn::Sub(r[1], r[4]), d1i = hn::Sub(m[1], m[4]), d2r = hn::Sub(r[2], r[3]),
              d2i = hn::Sub(m[2], m[3]);
      const V c1 = hn::Set(e, kCos1), c2 = hn::Set(e, kCos2), s1 = hn::Set(e, kSin1), s2 = hn::Set(e, kSin2);
      const V ar = hn::MulAdd(c2, s2r, hn::MulAdd(c1, s1r, r[0]));
      const V ai = hn::MulAdd(c2, s2i, hn::MulAdd(c1, s1i, m[0]));
      const V br = hn::MulAdd(c1, s2r, hn::MulAdd(c2, s1r, r[0]));
      const V bi = hn::MulAdd(c1, s2i, hn::MulAdd(c2, s1i, m[0]));
      const V pr = hn::MulAdd(s2, d2r, hn::Mul(s1, d1r)), pi = hn::MulAdd(s2, d2i, hn::Mul(s1, d1i));
      const V qr = hn::NegMulAdd(s1, d2r, hn::Mul(s2, d1r)), qi = hn::NegMulAdd(s1, d2i, hn::Mul(s2, d1i));
      pass.store(e, to + at, hn::Add(r[0], hn::Add(s1r, s2r)), hn::Add(m[0], hn::Add(s1i, s2i)));
      pass.template storeTurned<kLast>(e, 1, i, to + at, hn::Add(ar, pi), hn::Sub(ai, pr));
      pass.template storeTurned<kLast>(e, 2, i, to + at, hn::Add(br, qi), hn::Sub(bi, qr));
      pass.template storeTurned<kLast>(e, 3, i, to + at, hn::Sub(br, qi), hn::Add(bi, qr));
      pass.template storeTurned<kLast>(e, 4, i, to + at, hn::Sub(ar, pi), hn::Add(ai, pr));
    });
  }
}

// Any odd radix p: outputs q and p - q from sums and differences of the inputs j and p - j.
template <bool kLast, bool kBatch, class D, class T>
HWY_INLINE void PassOdd(D d, const Pass<kBatch, D, T>& pass, size_t radix, const T* cosine, const T* sine) {
  const size_t half = radix / 2;
  for (size_t k = 0; k < pass.done; k++) {
    const size_t from = radix * k * pass.step, to = k * pass.step;
    Along<kBatch>(d, pass.rest, [&](auto e, size_t at, size_t i) {
      using V = hn::Vec<decltype(e)>;
      V sumRe[kLargestFactor / 2], sumIm[kLargestFactor / 2], gapRe[kLargestFactor / 2],
          gapIm[kLargestFactor / 2];
      V firstRe, firstIm;
      pass.load(e, from + at, firstRe, firstIm);
      V totalRe = firstRe, totalIm = firstIm;
      for (size_t j = 1; j <= half; j++) {
        V ar, ai, br, bi;
        pass.load(e, from + j * pass.step + at, ar, ai);
        pass.load(e, from + (radix - j) * pass.step + at, br, bi);
        sumRe[j - 1] = hn::Add(ar, br);
        sumIm[j - 1] = hn::Add(ai, bi);
        gapRe[j - 1] = hn::Sub(ar, br);
        gapIm[j - 1] = hn::Sub(ai, bi);
        totalRe = hn::Add(totalRe, sumRe[j - 1]);
        totalIm = hn::Add(totalIm, sumIm[j - 1]);
      }
      pass.store(e, to + at, totalRe, totalIm);
      for (size_t q = 1; q <= half; q++) {
        V mr = firstRe, mi = firstIm, nr = hn::Zero(e), ni = hn::Zero(e);
        for (size_t j = 1, root = q; j <= half; j++, root = root + q >= radix ? root + q - radix : root + q) {
          const V c = hn::Set(e, cosine[root]), s = hn::Set(e, sine[root]);
          mr = hn::MulAdd(c, sumRe[j - 1], mr);
          mi = hn::MulAdd(c, sumIm[j - 1], mi);
          nr = hn::MulAdd(s, gapRe[j - 1], nr);
          ni = hn::MulAdd(s, gapIm[j - 1], ni);
        }
        // The sines of the roots are those of negative angles: y_q = m + i n.
        pass.template storeTurned<kLast>(e, q, i, to + at, hn::Sub(mr, ni), hn::Add(mi, nr));
        pass.template storeTurned<kLast>(e, radix - q, i, to + at, hn::Add(mr, ni), hn::Sub(mi, nr));
      }
    });
  }
}

template <bool kLast, bool kBatch, class D, class T>
HWY_INLINE void RunPass(D d, const FftPlan<T>& plan, const FftStage& stage, const Planes<T>& planes) {
  const Pass<kBatch, D, T> pass(d, plan, stage, planes);
  switch (stage.radix) {
    case 2:
      return Pass2<kLast>(d, pass);
    case 3:
      return Pass3<kLast>(d, pass);
    case 4:
      return Pass4<kLast>(d, pass);
    case 5:
      return Pass5<kLast>(d, pass);
    default:
      return PassOdd<kLast>(d, pass, stage.radix, plan.cosine.data() + stage.roots,
                            plan.sine.data() + stage.roots);
  }
}

template <bool kBatch, class D, class T>
HWY_INLINE void SmoothTransform(D d, const FftPlan<T>& plan, Planes<T>& planes) {
  for (const FftStage& stage : plan.stages) {
    if (stage.rest == 1) {
      RunPass<true, kBatch>(d, plan, stage, planes);
    } else {
      RunPass<false, kBatch>(d, plan, stage, planes);
    }
    planes.flip();
  }
}

// x *= factors, of n complex numbers.
template <bool kBatch, class D, class T>
HWY_INLINE void MultiplyBy(D d, size_t n, const T* cosine, const T* sine, const Planes<T>& planes) {
  Along<kBatch>(d, n, [&](auto e, size_t at, size_t i) {
    StoreProduct(e, hn::LoadU(e, planes.re + at), hn::LoadU(e, planes.im + at), Factor<kBatch>(e, cosine + i),
                 Factor<kBatch>(e, sine + i), planes.re + at, planes.im + at);
  });
}

// Transforms the numbers of the planes, which have room for plan.work() of them.
template <bool kBatch, class D, class T>
void Transform(D d, const FftPlan<T>& plan, Planes<T>& planes) {
  if (!plan.inner) {
    SmoothTransform<kBatch>(d, plan, planes);
    return;
  }
  const FftPlan<T>& inner = *plan.inner;
  MultiplyBy<kBatch>(d, plan.n, plan.chirpCosine.data(), plan.chirpSine.data(), planes);
  const size_t width = kBatch ? hn::Lanes(d) : 1;
  for (size_t i = plan.n * width; i < inner.n * width; i++) planes.re[i] = planes.im[i] = 0;
  SmoothTransform<kBatch>(d, inner, planes);
  MultiplyBy<kBatch>(d, inner.n, plan.kernelCosine.data(), plan.kernelSine.data(), planes);
  planes.exchange();
  SmoothTransform<kBatch>(d, inner, planes);
  planes.exchange();
  MultiplyBy<kBatch>(d, plan.n, plan.chirpCosine.data(), plan.chirpSine.data(), planes);
}

}  // namespace passes
}  // namespace HWY_NAMESPACE
}  // namespace tensor
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#endif  // EXTREMA_TENSOR_FFT_PASSES_INL_H_
