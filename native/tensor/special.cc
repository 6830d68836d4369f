#include "tensor/special.h"

#include <cmath>
#include <limits>

namespace extrema {
namespace tensor {

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kSqrtHalf = 0.70710678118654752440;
// Bernoulli numbers B_2, B_4, …
constexpr double kBernoulli[] = {1.0 / 6,  -1.0 / 30,     1.0 / 42, -1.0 / 30,
                                 5.0 / 66, -691.0 / 2730, 7.0 / 6,  -3617.0 / 510};
constexpr int kTerms = 8;
// From here on eight terms of the asymptotic series give all digits.
constexpr double kFar = 10;

double sinPi(double x) { return std::sin(kPi * (x - 2 * std::floor(x / 2 + 0.5))); }

// exp(x^2) erfc(x) for x > 0.7: Cody's rational functions as in simd/special-inl.h.
double scaledErfc(double x) {
  if (x <= 4) {
    constexpr double p[] = {2.15311535474403846e-8, 0.564188496988670089, 8.88314979438837594,
                            66.1191906371416295,    298.635138197400131,  881.95222124176909,
                            1712.04761263407058,    2051.07837782607147,  1230.33935479799725};
    constexpr double q[] = {1,
                            15.7449261107098347,
                            117.693950891312499,
                            537.181101862009858,
                            1621.38957456669019,
                            3290.79923573345963,
                            4362.61909014324716,
                            3439.36767414372164,
                            1230.33935480374942};
    double top = p[0], bottom = q[0];
    for (int i = 1; i < 9; i++) {
      top = top * x + p[i];
      bottom = bottom * x + q[i];
    }
    return top / bottom;
  }
  constexpr double p[] = {0.0163153871373020978, 0.305326634961232344,  0.360344899949804439,
                          0.125781726111229246,  0.0160837851487422766, 6.58749161529837803e-4};
  constexpr double q[] = {1,
                          2.56852019228982242,
                          1.87295284992346725,
                          0.527905102951428412,
                          0.0605183413124413191,
                          0.00233520497626869185};
  const double z = 1 / (x * x);
  double top = p[0], bottom = q[0];
  for (int i = 1; i < 6; i++) {
    top = top * z + p[i];
    bottom = bottom * z + q[i];
  }
  return (0.56418958354775628695 - z * top / bottom) / x;
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

}  // namespace

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
