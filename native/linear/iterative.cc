#include "linear/iterative.h"

#include <cstdint>

#include "core/error.h"

namespace extrema::linear {

namespace {

// A fixed number in [-1, 1) for each place, the same as in lib/backend/portable/linear/course.ts.
double scattered(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  x ^= x >> 16;
  return static_cast<double>(x) / 2147483648.0 - 1;
}

// Far above rounding errors, far below what a mistake would leave.
constexpr double kAsymmetry = 1e-10;

}  // namespace

void Course::checkSymmetry(Operator& a, double* u, double* v, double* w, Vectors& vectors, Team& team) {
  if (!settings_.checkSymmetry) return;
  vectors.forEach([=](size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
      u[i] = scattered(2 * static_cast<uint32_t>(i) + 1);
      v[i] = scattered(2 * static_cast<uint32_t>(i) + 2);
    }
  });
  a.apply(u, w, team);
  const double uu = vectors.dot(u, u), one = vectors.dot(v, w), length = vectors.dot(w, w);
  a.apply(v, w, team);
  const double two = vectors.dot(u, w);
  if (std::abs(one - two) > kAsymmetry * std::sqrt(uu * length))
    throw Error("ERR_NOT_POSITIVE",
                "matrix: expected a symmetric one, got one that two random vectors show is not");
  report_.matvecs += 2;
}

void checkRange(double value) {
  if (!std::isfinite(value))
    throw Error("ERR_NOT_FINITE", "matrix: expected products within the range of float64, got an overflow");
}

void project(const double* null, double* x, Vectors& vectors) {
  if (null != nullptr) vectors.axpy(-vectors.dot(null, x), null, x);
}

}  // namespace extrema::linear
