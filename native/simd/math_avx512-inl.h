// Exp and Log of whole 512-bit vectors: better overloads than the templates of math-inl.h, which includes
// this file inside its namespace. Uses what Highway does not offer: two-register table look-up, VSCALEF,
// VGETEXP, VGETMANT.

namespace math {

// 2^(j/16).
alignas(64) static constexpr double kExpTable[16] = {
    0x1.0000000000000p+0, 0x1.0b5586cf9890fp+0, 0x1.172b83c7d517bp+0, 0x1.2387a6e756238p+0,
    0x1.306fe0a31b715p+0, 0x1.3dea64c123422p+0, 0x1.4bfdad5362a27p+0, 0x1.5ab07dd485429p+0,
    0x1.6a09e667f3bcdp+0, 0x1.7a11473eb0187p+0, 0x1.8ace5422aa0dbp+0, 0x1.9c49182a3f090p+0,
    0x1.ae89f995ad3adp+0, 0x1.c199bdd85529cp+0, 0x1.d5818dcfba487p+0, 0x1.ea4afa2a490dap+0};
alignas(64) static constexpr float kExpTable32[16] = {
    1.0f,        1.04427373f, 1.09050775f, 1.13878858f, 1.18920708f, 1.24185777f, 1.29683959f, 1.35425556f,
    1.41421354f, 1.47682619f, 1.54221082f, 1.61049032f, 1.68179286f, 1.75625217f, 1.8340081f,  1.91520655f};

// (exp r - 1 - r) / r^2, |r| <= log 2 / 32; errors of exp 2^-56.3 and 2^-29.2.
static constexpr double kExpTablePolynomial[5] = {0.49999999999999606, 0.16666666664413468,
                                                  0.041666666693301692, 0.008333472059408608,
                                                  0.0013888593798002502};
static constexpr float kExpTablePolynomial32[2] = {0.500016332f, 0.166667193f};

// 1/c for the sixteen intervals of m in [3/4, 3/2) that the four leading mantissa bits tell apart, and log c.
// c = 1 around 1, where the logarithm itself is small; elsewhere c is near the middle, at a place where log c
// happens to be a double (a float) to a few further bits.
alignas(64) static constexpr double kLogInverse[16] = {
    0x1.0000000000000p+0, 0x1.d41daa7b75514p-1, 0x1.bacf15edbc046p-1, 0x1.a41aa311dd781p-1,
    0x1.8f9ba10c4746ep-1, 0x1.7d063ff84cf38p-1, 0x1.6c16f88ccf49ep-1, 0x1.5c981a3db5c8cp-1,
    0x1.4e5dc1b36fcafp+0, 0x1.4140f775dffa7p+0, 0x1.3521ed15f057cp+0, 0x1.29e41fb2d9c19p+0,
    0x1.1f70422b1ffddp+0, 0x1.15b1eb61de3e5p+0, 0x1.0c96ef93b953dp+0, 0x1.0000000000000p+0};
alignas(64) static constexpr double kLogTable[16] = {0x0.0p+0,
                                                     0x1.6f0994f67a8a3p-4,
                                                     0x1.29576a16c939ap-3,
                                                     0x1.9523ced864d57p-3,
                                                     0x1.fb93ed7752d21p-3,
                                                     0x1.2e8d5fc2d7528p-2,
                                                     0x1.5d1b40e98559dp-2,
                                                     0x1.89a46b56fc26cp-2,
                                                     -0x1.11780957ec68cp-2,
                                                     -0x1.d101a8b593bc2p-3,
                                                     -0x1.823cd90669406p-3,
                                                     -0x1.366024eef01abp-3,
                                                     -0x1.da72251ecb7d7p-4,
                                                     -0x1.4d3165b5953a7p-4,
                                                     -0x1.89462c63403e2p-5,
                                                     0x0.0p+0};
alignas(64) static constexpr float kLogInverse32[16] = {
    1.0f,         0.9142856f,   0.864864707f, 0.820512831f, 0.780487716f, 0.744168878f,
    0.711093903f, 0.680850804f, 1.3061446f,   1.25493765f,  1.20758283f,  1.16362619f,
    1.12277126f,  1.08471f,     1.04921472f,  1.0f};
alignas(64) static constexpr float kLogTable32[16] = {
    0.0f,          0.0896122828f,  0.145182192f,   0.19782573f,   0.247836277f,  0.295487285f,
    0.340950787f,  0.38441208f,    -0.267079741f,  -0.227085888f, -0.188620701f, -0.151541159f,
    -0.115799971f, -0.0813126713f, -0.0480419993f, 0.0f};

// (log(1 + r) - r) / r^2, -1/32 <= r <= 1/16; errors of log 2^-56.6 and 2^-28.4.
static constexpr double kLogTablePolynomial[9] = {
    -0.50000000000000033, 0.33333333333347592, -0.24999999999838091,
    0.19999999927401574,  -0.1666666620014387, 0.14285820786410916,
    -0.1250185342451712,  0.11070821602238479, -0.087406463047318569};
static constexpr float kLogTablePolynomial32[4] = {-0.5f, 0.333344519f, -0.250061035f, 0.18846035f};

}  // namespace math

HWY_INLINE hwy::HWY_NAMESPACE::Vec512<double> Exp(hwy::HWY_NAMESPACE::Full512<double> d,
                                                  hwy::HWY_NAMESPACE::Vec512<double> x) {
  namespace hn = hwy::HWY_NAMESPACE;
  using V = hn::Vec512<double>;
  const auto keep = _mm512_cmp_pd_mask(x.raw, _mm512_set1_pd(-708.04984494198413), _CMP_NLT_UQ);
  x = math::NotAbove(d, x, 710.0);
  const V shift = hn::Set(d, 0x1.8p48);  // adding it rounds to a multiple of 1/16
  const V rounded = hn::MulAdd(x, hn::Set(d, 1.4426950408889634), shift);
  const V k = hn::Sub(rounded, shift);
  V r = hn::NegMulAdd(k, hn::Set(d, math::Ln2<double>::kHigh), x);
  r = hn::NegMulAdd(k, hn::Set(d, math::Ln2<double>::kLow), r);
  const V r2 = hn::Mul(r, r);
  const V expm1 = hn::MulAdd(math::Polynomial(d, r, r2, math::kExpTablePolynomial), r2, r);
  const V power{_mm512_permutex2var_pd(_mm512_load_pd(math::kExpTable), _mm512_castpd_si512(rounded.raw),
                                       _mm512_load_pd(math::kExpTable + 8))};
  // VSCALEF multiplies by 2^floor(k).
  return V{_mm512_maskz_scalef_pd(keep, hn::MulAdd(power, expm1, power).raw, k.raw)};
}

HWY_INLINE hwy::HWY_NAMESPACE::Vec512<float> Exp(hwy::HWY_NAMESPACE::Full512<float> d,
                                                 hwy::HWY_NAMESPACE::Vec512<float> x) {
  namespace hn = hwy::HWY_NAMESPACE;
  using V = hn::Vec512<float>;
  const auto keep = _mm512_cmp_ps_mask(x.raw, _mm512_set1_ps(-86.9899712f), _CMP_NLT_UQ);
  x = math::NotAbove(d, x, 89.0f);
  const V shift = hn::Set(d, 0x1.8p19f);
  const V rounded = hn::MulAdd(x, hn::Set(d, 1.44269504f), shift);
  const V k = hn::Sub(rounded, shift);
  V r = hn::NegMulAdd(k, hn::Set(d, math::Ln2<float>::kHigh), x);
  r = hn::NegMulAdd(k, hn::Set(d, math::Ln2<float>::kLow), r);
  const V q =
      hn::MulAdd(hn::Set(d, math::kExpTablePolynomial32[1]), r, hn::Set(d, math::kExpTablePolynomial32[0]));
  const V expm1 = hn::MulAdd(q, hn::Mul(r, r), r);
  const V power{_mm512_permutexvar_ps(_mm512_castps_si512(rounded.raw), _mm512_load_ps(math::kExpTable32))};
  return V{_mm512_maskz_scalef_ps(keep, hn::MulAdd(power, expm1, power).raw, k.raw)};
}

// Zero, infinity, NaN and negative numbers come out right through VGETEXP (-inf, inf, NaN) and VGETMANT
// (NaN).
HWY_INLINE hwy::HWY_NAMESPACE::Vec512<double> Log(hwy::HWY_NAMESPACE::Full512<double> d,
                                                  hwy::HWY_NAMESPACE::Vec512<double> x) {
  namespace hn = hwy::HWY_NAMESPACE;
  using V = hn::Vec512<double>;
  const V m{_mm512_getmant_pd(x.raw, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_nan)};
  const V k = hn::Sub(V{_mm512_getexp_pd(x.raw)}, V{_mm512_getexp_pd(m.raw)});
  const __m512i index = _mm512_srli_epi64(_mm512_castpd_si512(m.raw), 48);
  const V inverse{_mm512_permutex2var_pd(_mm512_load_pd(math::kLogInverse), index,
                                         _mm512_load_pd(math::kLogInverse + 8))};
  const V logc{
      _mm512_permutex2var_pd(_mm512_load_pd(math::kLogTable), index, _mm512_load_pd(math::kLogTable + 8))};
  const V r = hn::MulSub(m, inverse, hn::Set(d, 1.0));
  const V r2 = hn::Mul(r, r);
  const V log1p = hn::MulAdd(math::Polynomial(d, r, r2, math::kLogTablePolynomial), r2, r);
  return hn::Add(hn::MulAdd(k, hn::Set(d, 0.69314718055994531), logc), log1p);
}

HWY_INLINE hwy::HWY_NAMESPACE::Vec512<float> Log(hwy::HWY_NAMESPACE::Full512<float> d,
                                                 hwy::HWY_NAMESPACE::Vec512<float> x) {
  namespace hn = hwy::HWY_NAMESPACE;
  using V = hn::Vec512<float>;
  const V m{_mm512_getmant_ps(x.raw, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_nan)};
  const V k = hn::Sub(V{_mm512_getexp_ps(x.raw)}, V{_mm512_getexp_ps(m.raw)});
  const __m512i index = _mm512_srli_epi32(_mm512_castps_si512(m.raw), 19);
  const V inverse{_mm512_permutexvar_ps(index, _mm512_load_ps(math::kLogInverse32))};
  const V logc{_mm512_permutexvar_ps(index, _mm512_load_ps(math::kLogTable32))};
  const V r = hn::MulSub(m, inverse, hn::Set(d, 1.0f));
  const V r2 = hn::Mul(r, r);
  const V log1p = hn::MulAdd(math::Polynomial(d, r, r2, math::kLogTablePolynomial32), r2, r);
  return hn::Add(hn::MulAdd(k, hn::Set(d, 0.693147181f), logc), log1p);
}
