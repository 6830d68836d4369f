#include "tensor/special.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "simd/erf-coefficients.h"

namespace extrema {
namespace tensor {

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kSqrt2OverPi = 0.79788456080286535588;
constexpr double kSqrtHalf = 0.70710678118654752440;
// Bernoulli numbers B_2, B_4, …
constexpr double kBernoulli[] = {1.0 / 6,  -1.0 / 30,     1.0 / 42, -1.0 / 30,
                                 5.0 / 66, -691.0 / 2730, 7.0 / 6,  -3617.0 / 510};
constexpr int kTerms = 8;
// From here on eight terms of the asymptotic series give all digits.
constexpr double kFar = 10;

double sinPi(double x) { return std::sin(kPi * (x - 2 * std::floor(x / 2 + 0.5))); }

// c[0] x^(n-1) + … + c[n-1]
template <size_t kCount>
double horner(double x, const double (&c)[kCount]) {
  double y = c[0];
  for (size_t i = 1; i < kCount; i++) y = y * x + c[i];
  return y;
}

// exp(x^2) erfc(x) for x > 0.7
double scaledErfc(double x) {
  if (x <= 4) return horner(x, cody::kMiddleP) / horner(x, cody::kMiddleQ);
  const double z = 1 / (x * x);
  return (0.56418958354775628695 - z * horner(z, cody::kFarP) / horner(z, cody::kFarQ)) / x;
}

double digamma(double x) {
  if (x <= 0) {
    if (x == std::floor(x)) return std::numeric_limits<double>::quiet_NaN();
    const double r = x - std::floor(x + 0.5);
    return digamma(1 - x) - kPi / std::tan(kPi * r);
  }
  double sum = 0, z = x;
  for (; z < kFar; z += 1) sum -= 1 / z;
  const double inverse = 1 / (z * z);
  double series = 0;
  for (int k = kTerms; k >= 1; k--) series = (series + kBernoulli[k - 1] / (2 * k)) * inverse;
  return sum + std::log(z) - 0.5 / z - series;
}

// The derivative of order n of π cot(π x): π^(n+1) P_n(c) with c = cot(π x), P_0 = c, P_n+1 = -(1 + c²) P_n'.
double cotangentDerivative(int n, double x) {
  const double r = x - std::floor(x + 0.5), a = std::fabs(r);
  const double c = a > 0.25 ? std::copysign(std::tan(kPi * (0.5 - a)), r) : 1 / std::tan(kPi * r);
  std::vector<double> coefficients(static_cast<size_t>(n) + 2), next(coefficients.size());
  coefficients[1] = 1;
  for (int k = 0; k < n; k++) {
    std::fill(next.begin(), next.end(), 0.0);
    for (size_t j = 1; j + 1 < next.size(); j++) {
      next[j - 1] -= static_cast<double>(j) * coefficients[j];
      next[j + 1] -= static_cast<double>(j) * coefficients[j];
    }
    coefficients.swap(next);
  }
  double sum = 0;
  for (size_t j = coefficients.size(); j-- > 0;) sum = sum * c + coefficients[j];
  return std::pow(kPi, n + 1) * sum;
}

}  // namespace

double inverseMills(double x) {
  if (x < -1) return kSqrt2OverPi / scaledErfc(-x * kSqrtHalf);
  return kSqrt2OverPi * std::exp(-0.5 * x * x) / std::erfc(-x * kSqrtHalf);
}

double logNdtr(double x) {
  const double t = -x * kSqrtHalf;
  if (x < -1) return std::log(0.5 * scaledErfc(t)) - t * t;
  return std::log1p(-0.5 * std::erfc(-t));
}

double logGamma(double x) {
  if (x <= 0) {
    if (x == std::floor(x)) return std::numeric_limits<double>::infinity();
    return std::log(kPi / std::fabs(sinPi(x))) - logGamma(1 - x);
  }
  if (x == 1 || x == 2) return 0;
  if (x == std::numeric_limits<double>::infinity()) return x;
  double product = 1, z = x;
  for (; z < kFar; z += 1) product *= z;
  const double inverse = 1 / (z * z);
  double series = 0;
  for (int k = kTerms; k >= 1; k--) series = series * inverse + kBernoulli[k - 1] / (2 * k * (2 * k - 1));
  return (z - 0.5) * std::log(z) - z + 0.91893853320467274178 + series / z - std::log(product);
}

double polygamma(int n, double x) {
  if (n == 0) return digamma(x);
  if (x <= 0 && x == std::floor(x)) {
    return n % 2 == 1 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  }
  if (x < 0) return (n % 2 == 0 ? 1 : -1) * polygamma(n, 1 - x) - cotangentDerivative(n, x);
  double sum = 0, z = x;
  for (; z < kFar + n; z += 1) sum += std::pow(z, -(n + 1));
  const double inverse = 1 / (z * z);
  double rest = 0, coefficient = (n + 1) / 2.0, power = inverse;
  for (int k = 1; k <= kTerms; k++) {
    rest += kBernoulli[k - 1] * coefficient * power;
    coefficient *= double(n + 2 * k) * (n + 2 * k + 1) / (double(2 * k + 1) * (2 * k + 2));
    power *= inverse;
  }
  sum += (1.0 / n + 0.5 / z + rest) * std::pow(z, -n);
  double factorial = 1;
  for (int i = 2; i <= n; i++) factorial *= i;
  return n % 2 == 1 ? factorial * sum : -factorial * sum;
}

}  // namespace tensor
}  // namespace extrema
