#pragma once

#include <algorithm>
#include <vector>

#include "core/team.h"

namespace extrema::linear {

// Over one range, by the best instruction set.
double dotRange(const double* x, const double* y, size_t n);
double subtractRange(double a, const double* q, double* r, size_t n);
void advanceRange(double a, double b, const double* z, double* p, double* x, size_t n);
bool finiteRange(const double* x, size_t n);

bool isFinite(Team& team, const double* x, size_t n);
// ERR_NOT_FINITE, naming the entry that is not finite in x: n numbers, or the rows of a matrix with so many
// columns (0 for a vector).
[[noreturn]] void refuseNotFinite(const char* name, const double* x, size_t n, size_t columns);

// The vector operations of an iteration, in chunks of a team; partial sums are added in chunk order.
class Vectors {
 public:
  Vectors(size_t n, Team& team)
      : n_(n), chunks_(std::clamp<size_t>(n / kLeastChunk, 1, kMostChunks)), partial_(chunks_), team_(team) {}

  size_t size() const { return n_; }

  // fn(begin, end) for all ranges.
  template <class F>
  void forEach(F&& fn) {
    team_.run(static_cast<uint32_t>(chunks_), [&](uint32_t c, unsigned) { fn(begin(c), begin(c + 1)); });
  }
  // The sum of what fn(begin, end) returns.
  template <class F>
  double sum(F&& fn) {
    team_.run(static_cast<uint32_t>(chunks_),
              [&](uint32_t c, unsigned) { partial_[c] = fn(begin(c), begin(c + 1)); });
    double total = 0;
    for (const double part : partial_) total += part;
    return total;
  }

  double dot(const double* x, const double* y) {
    return sum([=](size_t from, size_t to) { return dotRange(x + from, y + from, to - from); });
  }
  void copy(const double* x, double* y) {
    forEach([=](size_t from, size_t to) { std::copy(x + from, x + to, y + from); });
  }
  void clear(double* x) {
    forEach([=](size_t from, size_t to) { std::fill(x + from, x + to, 0.0); });
  }
  // y = a x
  void scaled(double a, const double* x, double* y) {
    forEach([=](size_t from, size_t to) {
      for (size_t i = from; i < to; i++) y[i] = a * x[i];
    });
  }
  // y += a x
  void axpy(double a, const double* x, double* y) {
    forEach([=](size_t from, size_t to) {
      for (size_t i = from; i < to; i++) y[i] += a * x[i];
    });
  }
  // y = x + b y
  void xpby(const double* x, double b, double* y) {
    forEach([=](size_t from, size_t to) {
      for (size_t i = from; i < to; i++) y[i] = x[i] + b * y[i];
    });
  }
  // r -= a q; returns r·r.
  double subtract(double a, const double* q, double* r) {
    return sum([=](size_t from, size_t to) { return subtractRange(a, q + from, r + from, to - from); });
  }
  // x += a p, p = z + b p
  void advance(double a, double b, const double* z, double* p, double* x) {
    forEach([=](size_t from, size_t to) { advanceRange(a, b, z + from, p + from, x + from, to - from); });
  }
  // r = b - r; returns r·r.
  double residual(const double* b, double* r) {
    return sum([=](size_t from, size_t to) {
      for (size_t i = from; i < to; i++) r[i] = b[i] - r[i];
      return dotRange(r + from, r + from, to - from);
    });
  }

 private:
  static constexpr size_t kLeastChunk = 1 << 14, kMostChunks = 128;
  size_t begin(size_t c) const { return n_ * c / chunks_; }

  size_t n_, chunks_;
  std::vector<double> partial_;
  Team& team_;
};

}  // namespace extrema::linear
