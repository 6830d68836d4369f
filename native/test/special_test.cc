// The special functions of tensors: those on vectors against the C library in long double, for every
// instruction set of this machine, and those on numbers against identities.

#include "tensor/special.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "simd/dispatch.h"
#include "tensor/elementwise.h"

namespace {

using namespace extrema;

int failures = 0;

void fail(const std::string& what) {
  if (++failures <= 40) std::printf("FAIL %s: %s\n", simdTargetName(), what.c_str());
}

template <typename T>
double ulpError(T y, long double truth) {
  const int precision = std::numeric_limits<T>::digits;
  const int exponent = std::max(std::ilogb(truth), std::numeric_limits<T>::min_exponent - 1);
  return static_cast<double>(std::fabs(static_cast<long double>(y) - truth) /
                             std::ldexp(1.0L, exponent - precision + 1));
}

struct Case {
  const char* name;
  int op;  // of unaryOps in lib/backend/tensor.ts
  long double (*truth)(long double);
  double from, to, mostUlp;
};

long double sigmoid(long double x) { return 1 / (1 + std::exp(-x)); }
long double softplus(long double x) { return std::max(x, 0.0L) + std::log1p(std::exp(-std::fabs(x))); }
long double relu(long double x) { return std::max(x, 0.0L); }

const Case kCases[] = {
    {"log1p", 3, [](long double x) { return std::log1p(x); }, -0.999, 50, 4},
    {"log1p near 0", 3, [](long double x) { return std::log1p(x); }, -1e-3, 1e-3, 4},
    {"expm1", 4, [](long double x) { return std::expm1(x); }, -40, 40, 4},
    {"expm1 near 0", 4, [](long double x) { return std::expm1(x); }, -1e-3, 1e-3, 4},
    {"tanh", 14, [](long double x) { return std::tanh(x); }, -12, 12, 4},
    {"tanh near 0", 14, [](long double x) { return std::tanh(x); }, -1e-3, 1e-3, 4},
    {"sigmoid", 15, sigmoid, -30, 30, 4},
    {"softplus", 16, softplus, -30, 30, 5},
    {"erf", 17, [](long double x) { return std::erf(x); }, -6, 6, 5},
    {"erf near 0", 17, [](long double x) { return std::erf(x); }, -1e-3, 1e-3, 4},
    {"erfc", 18, [](long double x) { return std::erfc(x); }, -3, 3, 20},
    {"relu", 23, relu, -5, 5, 0},
};

template <typename T>
void compare(const Case& c) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> place(c.from, c.to);
  std::vector<T> x(100003), y(x.size());
  for (T& v : x) v = static_cast<T>(place(random));
  tensor::unary(c.op, y.data(), x.data(), x.size(), 0.0);
  double worst = 0;
  T where = 0;
  for (size_t i = 0; i < x.size(); i++) {
    const double error = ulpError(y[i], c.truth(static_cast<long double>(x[i])));
    if (!(error <= worst)) {
      worst = error;
      where = x[i];
    }
  }
  std::printf("%-7s %s, %d bits: %.2f ulp at most, at %.9g\n", simdTargetName(), c.name,
              static_cast<int>(8 * sizeof(T)), worst, static_cast<double>(where));
  if (!(worst <= c.mostUlp)) fail(std::string(c.name) + " is off by more than it may");
}

void near(const char* what, double came, double expected, double tolerance) {
  if (std::fabs(came - expected) <= tolerance * std::max(1.0, std::fabs(expected))) return;
  fail(std::string(what) + ": expected " + std::to_string(expected) + ", got " + std::to_string(came));
}

// Stirling's function of positive and negative numbers against the C library, and ψ against its recurrence,
// its reflection and sums of its series.
void gammaTests() {
  for (double x : {1e-8, 0.1, 0.5, 1.0, 1.5, 2.0, 3.7, 9.9, 10.1, 171.0, 1e6, -0.5, -2.3, -30.7}) {
    near("logGamma", tensor::logGamma(x), static_cast<double>(std::lgamma(static_cast<long double>(x))),
         1e-14);
  }
  for (double x : {0.0, -1.0, -20.0}) {
    if (!std::isinf(tensor::logGamma(x))) fail("logGamma has no pole");
    if (!std::isnan(tensor::polygamma(0, x)) || !std::isnan(tensor::polygamma(2, x)))
      fail("polygamma takes a value at a pole without a sign");
    if (!std::isinf(tensor::polygamma(1, x))) fail("trigamma has no pole");
  }
  constexpr long double kPi = 3.14159265358979323846264338327950288L;
  for (int n = 0; n <= 6; n++) {
    double factorial = 1;
    for (int i = 2; i <= n; i++) factorial *= i;
    const double sign = n % 2 == 0 ? 1 : -1;
    for (double x : {0.3, 1.0, 2.5, 7.0, 9.5, 40.0, -0.6, -3.25, -12.75}) {
      const double here = tensor::polygamma(n, x), after = tensor::polygamma(n, x + 1);
      const double step = sign * factorial / std::pow(x, n + 1);
      const double size = std::fabs(here) + std::fabs(after) + std::fabs(step);
      near("polygamma's recurrence", (after - here) / size, step / size, 1e-13);
    }
    // 2^(n+1) ψ(2x) = ψ(x) + ψ(x + 1/2), and + 2 log 2 for n = 0.
    for (double x : {0.4, 3.0, 25.0, -0.3, -7.15625, -100000.15625}) {
      const double both = tensor::polygamma(n, x) + tensor::polygamma(n, x + 0.5);
      const double twice = std::pow(2.0, n + 1) * tensor::polygamma(n, 2 * x);
      const double size = std::fabs(twice) + std::fabs(both) + 1;
      near("polygamma of twice the number", twice / size, (both + (n == 0 ? 2 * std::log(2.0) : 0)) / size,
           1e-9);
    }
  }
  near("trigamma(1)", tensor::polygamma(1, 1), static_cast<double>(kPi * kPi / 6), 1e-15);
  near("trigamma far to the left", tensor::polygamma(1, -std::exp2(51) - 0.5), static_cast<double>(kPi * kPi),
       1e-15);
}

// log Φ by Φ itself where that is accurate, and by Mills' bounds far to the left.
void normalTests() {
  for (double x : {-0.9, -0.1, 0.0, 0.5, 1.0, 3.0, 6.0}) {
    const auto wide = static_cast<long double>(x);
    const long double cdf = 0.5L * std::erfc(-wide * std::sqrt(0.5L));
    near("logNdtr", tensor::logNdtr(x), static_cast<double>(std::log(cdf)), 1e-15);
  }
  for (double x : {-1.1, -3.0, -8.0, -36.0, -1e3, -1e8, -1e160}) {
    const double r = tensor::inverseMills(x);
    // (sqrt(x² + 8) - 3x) / 4 < r < (sqrt(x² + 4) - x) / 2, by M. R. Sampford (1953) and Z. W. Birnbaum
    // (1942).
    const double below = x < -1e9 ? -x : (std::sqrt(x * x + 8) - 3 * x) / 4;
    if (!(r >= below * (1 - 1e-15))) fail("inverseMills is too small at " + std::to_string(x));
    const double above = x < -1e9 ? -x : (std::sqrt(x * x + 4) - x) / 2;
    if (!(r <= above * (1 + 1e-15))) fail("inverseMills is too large at " + std::to_string(x));
    if (x < -1e3) continue;
    const long double direct = std::sqrt(2 / 3.14159265358979323846264338327950288L) *
                               std::exp(-0.5L * x * x) /
                               std::erfc(-static_cast<long double>(x) * std::sqrt(0.5L));
    if (x > -100) near("inverseMills", r, static_cast<double>(direct), 1e-14);
  }
}

}  // namespace

int main() {
  gammaTests();
  normalTests();
  for (int t = 0; t < simd::kTargetCount; ++t) {
    if (!simd::targetAvailable(static_cast<simd::Target>(t))) continue;
    simd::selectTarget(static_cast<simd::Target>(t));
    for (const Case& c : kCases) {
      compare<double>(c);
      compare<float>(c);
    }
  }
  std::printf(failures ? "%d failures\n" : "ok\n", failures);
  return failures ? 1 : 0;
}
