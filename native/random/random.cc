#include "random/random.h"

#include <cstring>

#include "random/normal.h"
#include "random/philox.h"
#include "simd/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "random/random.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

template <class Transform>
void Fill(const uint32_t key[2], const uint32_t counter[4], double* out, size_t n,
          const Transform& transform) {
  uint32_t at[4] = {counter[0], counter[1], counter[2], counter[3]};
  uint32_t block[4];
  for (size_t i = 0; i < n; i += 2) {
    philox(key, at, block);
    advance(at, 1);
    out[i] = transform(uint64_t{block[1]} << 32 | block[0]);
    if (i + 1 < n) out[i + 1] = transform(uint64_t{block[3]} << 32 | block[2]);
  }
}

void FillUniform(const uint32_t* key, const uint32_t* counter, double* out, size_t n) {
  Fill(key, counter, out, n, [](uint64_t word) { return static_cast<double>(word >> 11) * 0x1p-53; });
}

void FillNormal(const uint32_t* key, const uint32_t* counter, double* out, size_t n) {
  Fill(key, counter, out, n, normalFromWord);
}

#else

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<double>;
using U = hn::RebindToUnsigned<D>;
using V = hn::Vec<D>;
using W = hn::Vec<U>;

struct Words {
  W even, odd;
};

// Lane j: the two 64-bit words of the block at `counter` + j. Of each lane only the lower half counts as a
// Philox word; the upper half carries what is left of the products.
HWY_INLINE Words Philox(const uint32_t* key, W low, uint32_t c2, uint32_t c3) {
  const U du;
  const hn::Repartition<uint32_t, U> du32;
  const W m0 = hn::Set(du, kPhiloxM0);
  const W m1 = hn::Set(du, kPhiloxM1);
  uint32_t k0 = key[0], k1 = key[1];
  W x0 = low, x1 = hn::ShiftRight<32>(low), x2 = hn::Set(du, c2), x3 = hn::Set(du, c3);
  for (int round = 0; round < 10; round++) {
    const W product0 = hn::MulEven(hn::BitCast(du32, x0), hn::BitCast(du32, m0));
    const W product1 = hn::MulEven(hn::BitCast(du32, x2), hn::BitCast(du32, m1));
    x0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product1), x1), hn::Set(du, k0));
    x1 = product1;
    x2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product0), x3), hn::Set(du, k1));
    x3 = product0;
    k0 += kPhiloxW0;
    k1 += kPhiloxW1;
  }
  const W lower = hn::Set(du, 0xFFFFFFFF);
  return {hn::Or(hn::And(x0, lower), hn::ShiftLeft<32>(x1)),
          hn::Or(hn::And(x2, lower), hn::ShiftLeft<32>(x3))};
}

// Exact for words below 2^52: they become the mantissa of a number in [2^52, 2^53), less `base`.
HWY_INLINE V ToDouble(W word, double base = 0x1p52) {
  const D d;
  return hn::Sub(hn::BitCast(d, hn::Or(word, hn::BitCast(U(), hn::Set(d, 0x1p52)))), hn::Set(d, base));
}

HWY_INLINE V Uniform(W word) {
  const D d;
  const W bits = hn::ShiftRight<11>(word);
  const V high = ToDouble(hn::ShiftRight<32>(bits));
  const V low = ToDouble(hn::And(bits, hn::Set(U(), 0xFFFFFFFF)));
  return hn::Mul(hn::Add(hn::Mul(high, hn::Set(d, 0x1p32)), low), hn::Set(d, 0x1p-53));
}

// No MulAdd here: the scalar twins have none.
template <int kCount>
HWY_INLINE V Horner(V x, const double (&c)[kCount]) {
  const D d;
  V sum = hn::Set(d, c[kCount - 1]);
  for (int i = kCount - 2; i >= 0; i--) sum = hn::Add(hn::Mul(sum, x), hn::Set(d, c[i]));
  return sum;
}

// normal::logOfTail, operation by operation.
HWY_INLINE V LogOfTail(V p) {
  const D d;
  const U du;
  const W shifted = hn::Add(hn::BitCast(du, p), hn::Set(du, normal::kBitsOfOne - normal::kBitsOfSqrtHalf));
  const V k = ToDouble(hn::ShiftRight<52>(shifted), 0x1p52 + 1023);
  const W mantissa = hn::And(shifted, hn::Set(du, normal::kMantissa));
  const V m = hn::BitCast(d, hn::Add(mantissa, hn::Set(du, normal::kBitsOfSqrtHalf)));
  const V one = hn::Set(d, 1.0);
  const V s = hn::Div(hn::Sub(m, one), hn::Add(m, one));
  const V t = hn::Mul(s, s);
  const V twice = hn::Add(s, s);
  const V logm = hn::Add(twice, hn::Mul(twice, hn::Mul(t, Horner(t, normal::kArtanh))));
  const V low = hn::Add(hn::Mul(k, hn::Set(d, normal::kLn2Low)), logm);
  return hn::Add(hn::Mul(k, hn::Set(d, normal::kLn2High)), low);
}

// normal::fraction
HWY_INLINE V Fraction(W word, double zero) {
  const D d;
  const V high = ToDouble(hn::ShiftRight<32>(word), 0x1p52 + zero);
  const V low = ToDouble(hn::And(word, hn::Set(U(), 0xFFFFFFFF)), 0x1p52 - 0.5);
  return hn::Mul(hn::Add(hn::Mul(high, hn::Set(d, 0x1p32)), low), hn::Set(d, 0x1p-64));
}

// For the far tails: one word in 3.6e10.
HWY_NOINLINE V NormalByLane(hn::VecArg<W> word) {
  HWY_ALIGN uint64_t words[hn::MaxLanes(U())];
  HWY_ALIGN double values[hn::MaxLanes(D())];
  hn::Store(word, U(), words);
  for (size_t j = 0; j < hn::Lanes(D()); j++) values[j] = normalFromWord(words[j]);
  return hn::Load(D(), values);
}

// normalFromWord for words whose probabilities are all in the tails, operation by operation.
HWY_INLINE V TailNormal(W word) {
  const D d;
  const U du;
  const hn::RebindToSigned<D> di;
  const W upper = hn::BitCast(du, hn::BroadcastSignBit(hn::BitCast(di, word)));  // all ones in the upper half
  const V root = hn::Sqrt(hn::Neg(LogOfTail(Fraction(hn::Xor(word, upper), 0))));
  if (HWY_UNLIKELY(!hn::AllTrue(d, hn::Le(root, hn::Set(d, normal::kFar))))) return NormalByLane(word);
  const V r = hn::Sub(root, hn::Set(d, normal::kNear));
  const V x = hn::Div(Horner(r, normal::kNearNumerator), Horner(r, normal::kNearDenominator));
  return hn::BitCast(d, hn::Or(hn::BitCast(du, x), hn::ShiftLeft<63>(hn::Not(upper))));
}

constexpr size_t kChunk = 1024;  // what the fill of normals works on at a time, an even number

// Words in the tails (15 % of all) and where their normals go: gathered to fill whole vectors.
class Tails {
 public:
  HWY_INLINE void Add(W word, W place, hn::Mask<D> tail) {
    const U du;
    const auto mask = hn::RebindMask(du, tail);
    hn::CompressStore(place, mask, du, places_ + count_);
    count_ += hn::CompressStore(word, mask, du, words_ + count_);
  }

  // Writes the normals to their places below n.
  HWY_INLINE void Resolve(double* out, size_t n) {
    const D d;
    const U du;
    constexpr uint64_t kSomeTail = uint64_t{1} << 60;
    hn::StoreU(hn::Set(du, kSomeTail), du, words_ + count_);
    HWY_ALIGN double values[hn::MaxLanes(d)];
    for (size_t i = 0; i < count_; i += hn::Lanes(d)) {
      hn::Store(TailNormal(hn::Load(du, words_ + i)), d, values);
      for (size_t j = 0; j < hn::Lanes(d) && i + j < count_; j++) {
        if (places_[i + j] < n) out[places_[i + j]] = values[j];
      }
    }
    count_ = 0;
  }

 private:
  // Partly filled vectors are stored whole, and the last chunk may be computed past its end.
  static constexpr size_t kRoom = kChunk + 3 * hn::MaxLanes(U());
  HWY_ALIGN uint64_t words_[kRoom];
  HWY_ALIGN uint64_t places_[kRoom];
  size_t count_ = 0;
};

struct UniformOf {
  HWY_INLINE V operator()(W word, size_t) const { return Uniform(word); }
};

// normalFromWord in the centre, operation by operation; the tails come later.
struct NormalOf {
  Tails& tails;
  HWY_INLINE V operator()(W word, size_t place) const {
    const D d;
    const U du;
    const V q = Fraction(word, 0x1p31);
    const auto tail = hn::Gt(hn::Abs(q), hn::Set(d, normal::kCentreEnd));
    if (!hn::AllFalse(d, tail)) {
      tails.Add(word, hn::Add(hn::Set(du, place), hn::ShiftLeft<1>(hn::Iota(du, 0))), tail);
    }
    const V r = hn::Sub(hn::Set(d, normal::kCentre), hn::Mul(q, q));
    const V numerator = hn::Mul(q, Horner(r, normal::kCentreNumerator));
    return hn::Div(numerator, Horner(r, normal::kCentreDenominator));
  }
};

// `low` stands for the lower half of the counter, and must not wrap within the n elements.
template <class Transform>
HWY_INLINE void Fill(const uint32_t* key, uint64_t low, const uint32_t* counter, double* out, size_t n,
                     const Transform& transform) {
  const D d;
  const U du;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  const auto pairs = [&](double* to) HWY_ATTR {
    const W blocks = hn::Add(hn::Set(du, low + i / 2), hn::Iota(du, 0));
    const Words words = Philox(key, blocks, counter[2], counter[3]);
    hn::StoreInterleaved2(transform(words.even, i), transform(words.odd, i + 1), d, to);
  };
  for (; i + 2 * lanes <= n; i += 2 * lanes) pairs(out + i);
  if (i == n) return;
  HWY_ALIGN double rest[2 * hn::MaxLanes(d)];
  pairs(rest);
  std::memcpy(out + i, rest, (n - i) * sizeof(double));
}

HWY_INLINE uint64_t LowerHalf(const uint32_t* counter) { return counter[0] | uint64_t{counter[1]} << 32; }

void FillUniform(const uint32_t* key, const uint32_t* counter, double* out, size_t n) {
  Fill(key, LowerHalf(counter), counter, out, n, UniformOf());
}

void FillNormal(const uint32_t* key, const uint32_t* counter, double* out, size_t n) {
  Tails tails;
  for (size_t i = 0; i < n; i += kChunk) {
    const size_t count = n - i < kChunk ? n - i : kChunk;
    Fill(key, LowerHalf(counter) + i / 2, counter, out + i, count, NormalOf{tails});
    tails.Resolve(out + i, count);
  }
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema {

EXTREMA_EXPORT(FillUniform);
EXTREMA_EXPORT(FillNormal);

namespace {

using Kernel = void (*)(const uint32_t*, const uint32_t*, double*, size_t);

// Cuts the range where the lower 64 bits of the counter wrap, which the kernels do not look out for.
void fill(Kernel kernel, const uint32_t* key, const uint32_t* counter, double* out, size_t n) {
  const uint64_t blocks = 0 - (counter[0] | uint64_t{counter[1]} << 32);  // until then, 0 for 2^64
  const size_t first = blocks != 0 && n / 2 + n % 2 > blocks ? 2 * blocks : n;
  kernel(key, counter, out, first);
  if (first == n) return;
  uint32_t next[4] = {counter[0], counter[1], counter[2], counter[3]};
  advance(next, blocks);
  kernel(key, next, out + first, n - first);
}

}  // namespace

void fillUniform(const uint32_t key[2], const uint32_t counter[4], double* out, size_t n) {
  fill(EXTREMA_DISPATCH(FillUniform), key, counter, out, n);
}

void fillNormal(const uint32_t key[2], const uint32_t counter[4], double* out, size_t n) {
  fill(EXTREMA_DISPATCH(FillNormal), key, counter, out, n);
}

}  // namespace extrema
#endif
