#include "descent/dense.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>

namespace extrema::descent {

namespace {

// A pivot at most this part of its diagonal entry is a null one.
constexpr double kNullPivot = 1e-13;
// Blocks beyond this size take a bound of their norm.
constexpr size_t kForNorm = 256;
// Shorter products do not repay the call.
constexpr size_t kShort = 24;

double dot(const double* a, const double* b, size_t n) {
  if (n > kShort) return cblas_ddot(static_cast<int>(n), a, 1, b, 1);
  double sum = 0;
  for (size_t k = 0; k < n; k++) sum += a[k] * b[k];
  return sum;
}

// By Householder's tridiagonal form and bisection on Sturm sequences; from above, within rounding.
double largestEigenvalue(double* h, size_t n, double* off, double* w) {
  for (size_t k = 0; k + 2 < n; k++) {
    double* row = h + k * n;
    double squares = 0;
    for (size_t j = k + 1; j < n; j++) squares += row[j] * row[j];
    const double first = row[k + 1];
    const double rest = squares - first * first;
    if (!(rest > 1e-32 * squares)) {
      off[k] = first;
      continue;
    }
    const double alpha = first > 0 ? -std::sqrt(squares) : std::sqrt(squares);
    off[k] = alpha;
    row[k + 1] = first - alpha;
    const double factor = 1 / (squares - alpha * first);
    double inner = 0;
    for (size_t i = k + 1; i < n; i++) {
      double sum = 0;
      for (size_t j = k + 1; j < n; j++) sum += h[i * n + j] * row[j];
      w[i] = factor * sum;
      inner += w[i] * row[i];
    }
    for (size_t i = k + 1; i < n; i++) w[i] -= 0.5 * factor * inner * row[i];
    for (size_t i = k + 1; i < n; i++) {
      for (size_t j = k + 1; j < n; j++) h[i * n + j] -= row[i] * w[j] + w[i] * row[j];
    }
  }
  off[n - 2] = h[(n - 2) * n + n - 1];
  double high = 0;
  for (size_t i = 0; i < n; i++) {
    const double left = i > 0 ? std::fabs(off[i - 1]) : 0, right = i + 1 < n ? std::fabs(off[i]) : 0;
    high = std::max(high, h[i * n + i] + left + right);
  }
  // Whether some eigenvalue exceeds x: the pivots of T - x I are not all negative.
  const auto exceeds = [&](double x) {
    double pivot = h[0] - x;
    if (pivot >= 0) return true;
    for (size_t i = 1; i < n; i++) {
      pivot = h[i * n + i] - x - (off[i - 1] * off[i - 1]) / pivot;
      if (pivot >= 0) return true;
    }
    return false;
  };
  double low = 0;
  for (int k = 0; k < 80 && high - low > 1e-15 * high; k++) {
    const double middle = 0.5 * (low + high);
    (exceeds(middle) ? low : high) = middle;
  }
  return high;
}

}  // namespace

ptrdiff_t factorize(double* factor, size_t size, bool semidefinite) {
  for (size_t j = 0; j < size; j++) {
    double* row = factor + j * size;
    const double diagonal = row[j];
    const double pivot = diagonal - dot(row, row, j);
    const double least = kNullPivot * static_cast<double>(size) * diagonal;
    if (!(pivot > least)) {
      if (!semidefinite || pivot < -1e-6 * diagonal || std::isnan(pivot)) return static_cast<ptrdiff_t>(j);
      row[j] = 0;
      for (size_t i = j + 1; i < size; i++) factor[i * size + j] = 0;
      continue;
    }
    const double root = std::sqrt(pivot);
    row[j] = root;
    for (size_t i = j + 1; i < size; i++) {
      double* other = factor + i * size;
      other[j] = (other[j] - dot(other, row, j)) / root;
    }
  }
  return -1;
}

void forward(const double* factor, size_t size, double* v) {
  for (size_t i = 0; i < size; i++) {
    const double* row = factor + i * size;
    v[i] = row[i] == 0 ? 0 : (v[i] - dot(row, v, i)) / row[i];
  }
}

void backward(const double* factor, size_t size, double* v) {
  for (size_t i = size; i-- > 0;) {
    const double* row = factor + i * size;
    v[i] = row[i] == 0 ? 0 : v[i] / row[i];
    for (size_t k = 0; k < i; k++) v[k] -= row[k] * v[i];
  }
}

double normAbove(double* h, size_t size, double* scratch) {
  if (size == 1) return h[0];
  double rows = 0, trace = 0;
  for (size_t a = 0; a < size; a++) {
    double sum = 0;
    for (size_t b = 0; b < size; b++) sum += std::fabs(h[a * size + b]);
    rows = std::max(rows, sum);
    trace += h[a * size + a];
  }
  const double bound = std::min(rows, trace);
  return size > kForNorm ? bound : std::min(bound, largestEigenvalue(h, size, scratch, scratch + size));
}

}  // namespace extrema::descent
