#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__FAST_MATH__)
#error "the random streams are defined by IEEE arithmetic without contraction or reordering"
#endif

namespace extrema {

// Normal variates by inversion: M. J. Wichura, "Algorithm AS 241: the percentage points of the normal
// distribution", Applied Statistics 37 (1988), 477-484. Only + - * / and sqrt, each rounded once, in the same
// order as in lib/backend/portable/random/normal.ts and random.cc: the same bits on every machine, which
// std::log does not promise. Relative error below 1e-15. Needs -ffp-contract=off.
namespace normal {

// Coefficients, lowest order first, of numerators and denominators.
constexpr double kCentreNumerator[8] = {3.3871328727963665, 133.14166789178438, 1971.5909503065513,
                                        13731.69376550946,  45921.95393154987,  67265.7709270087,
                                        33430.57558358813,  2509.0809287301227};
constexpr double kCentreDenominator[8] = {1,
                                          42.31333070160091,
                                          687.1870074920579,
                                          5394.196021424751,
                                          21213.794301586597,
                                          39307.89580009271,
                                          28729.085735721943,
                                          5226.495278852854};
constexpr double kNearNumerator[8] = {1.4234371107496835,   4.630337846156546,    5.769497221460691,
                                      3.6478483247632045,   1.2704582524523684,   0.2417807251774506,
                                      0.022723844989269184, 0.0007745450142783414};
constexpr double kNearDenominator[8] = {1,
                                        2.053191626637759,
                                        1.6763848301838038,
                                        0.6897673349851,
                                        0.14810397642748008,
                                        0.015198666563616457,
                                        0.0005475938084995345,
                                        1.0507500716444169e-09};
constexpr double kFarNumerator[8] = {6.657904643501103,      5.463784911164114,     1.7848265399172913,
                                     0.29656057182850487,    0.026532189526576124,  0.0012426609473880784,
                                     2.7115555687434876e-05, 2.0103343992922881e-07};
constexpr double kFarDenominator[8] = {1,
                                       0.599832206555888,
                                       0.1369298809227358,
                                       0.014875361290850615,
                                       0.0007868691311456133,
                                       1.8463183175100548e-05,
                                       1.421511758316446e-07,
                                       2.0442631033899397e-15};

constexpr double kCentreEnd = 0.425;  // |p - 1/2| up to here by the central function
constexpr double kCentre = 0.180625;  // kCentreEnd^2
constexpr double kNear = 1.6;         // the tail functions are expanded about these values of sqrt(-log p)
constexpr double kFar = 5;

// ln 2 to 37 bits, so that its product with an exponent is exact, and the rest.
constexpr double kLn2High = 0x1.62e42fefap-1;
constexpr double kLn2Low = 1.6465949582897082e-12;
// (artanh s - s) / s^3 in s^2: Taylor series, enough for s^2 <= 0.0295.
constexpr double kArtanh[9] = {1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9, 1.0 / 11,
                               1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19};

template <int kCount>
inline double horner(double x, const double (&c)[kCount]) {
  double sum = c[kCount - 1];
  for (int i = kCount - 2; i >= 0; i--) sum = sum * x + c[i];
  return sum;
}

constexpr uint64_t kBitsOfSqrtHalf = 0x3FE6A09E667F3BCD;
constexpr uint64_t kBitsOfOne = 0x3FF0000000000000;
constexpr uint64_t kMantissa = 0x000FFFFFFFFFFFFF;

// The natural logarithm of p, to 1e-15 relative in the tails: p <= 0.075.
inline double logOfTail(double p) {
  // p = m 2^k with m in [sqrt(1/2), sqrt(2)).
  uint64_t bits;
  std::memcpy(&bits, &p, sizeof bits);
  bits += kBitsOfOne - kBitsOfSqrtHalf;
  const double k = static_cast<double>(static_cast<int>(bits >> 52) - 1023);
  bits = (bits & kMantissa) + kBitsOfSqrtHalf;
  double m;
  std::memcpy(&m, &bits, sizeof m);
  const double s = (m - 1) / (m + 1);
  const double t = s * s;
  const double twice = 2 * s;
  return k * kLn2High + (k * kLn2Low + (twice + twice * (t * horner(t, kArtanh))));
}

// The quantile at 1/2 + q, |q| <= kCentreEnd.
inline double centre(double q) {
  const double r = kCentre - q * q;
  return q * horner(r, kCentreNumerator) / horner(r, kCentreDenominator);
}

// The magnitude of the quantile at p in [2^-65, 0.075].
inline double tail(double p) {
  const double r = std::sqrt(-logOfTail(p));
  if (r <= kFar) return horner(r - kNear, kNearNumerator) / horner(r - kNear, kNearDenominator);
  return horner(r - kFar, kFarNumerator) / horner(r - kFar, kFarDenominator);
}

// (word + 1/2) / 2^64 - zero / 2^32, rounded once.
inline double fraction(uint64_t word, double zero) {
  const double high = static_cast<double>(static_cast<uint32_t>(word >> 32)) - zero;
  const double low = static_cast<double>(static_cast<uint32_t>(word)) + 0.5;
  return (high * 0x1p32 + low) * 0x1p-64;
}

}  // namespace normal

// The standard normal quantile at (word + 1/2) / 2^64. Odd about the middle, never 0; magnitudes reach 9.16.
inline double normalFromWord(uint64_t word) {
  // Distance from 1/2 and lower probability are rounded from the word separately: each keeps its digits where
  // it is used.
  const double q = normal::fraction(word, 0x1p31);
  if (std::fabs(q) <= normal::kCentreEnd) return normal::centre(q);
  return q < 0 ? -normal::tail(normal::fraction(word, 0)) : normal::tail(normal::fraction(~word, 0));
}

}  // namespace extrema
