#include "constrained/bunch-kaufman.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace extrema::constrained {

void BunchKaufman::factor(Monitor& monitor) {
  const size_t n = n_;
  std::vector<double> first(n), second(n);
  double largest = 0;
  for (const double value : a_) largest = std::max(largest, std::fabs(value));
  const double tiny = static_cast<double>(n) * std::numeric_limits<double>::epsilon() * largest;
  for (size_t k = 0; k < n;) {
    if (monitor.cancelled()) return;
    size_t row;
    const size_t step = choose(k, row), last = k + step - 1;
    partner_[k] = row;
    width_[k] = static_cast<unsigned char>(step);
    if (row != last) swap(k, last, row);
    double* top = &a_[k * n];
    if (step == 1) {
      const double pivot = top[k];
      if (std::fabs(pivot) > tiny) (pivot > 0 ? positive : negative)++;
      if (pivot != 0) {
        for (size_t i = k + 1; i < n; i++) first[i] = top[i] / pivot;
        for (size_t i = k + 1; i < n; i++) {
          const double factor = first[i];
          if (factor == 0) continue;
          double* own = &a_[i * n];
          for (size_t j = i; j < n; j++) own[j] -= factor * top[j];
        }
        std::copy(first.begin() + static_cast<std::ptrdiff_t>(k + 1), first.end(), top + k + 1);
      }
    } else {
      positive++;
      negative++;
      double* next = top + n;
      const double d11 = top[k], d12 = top[k + 1], d22 = next[k + 1];
      const double determinant = (d11 / d12) * (d22 / d12) - 1;
      for (size_t i = k + 2; i < n; i++) {
        const double x = top[i] / d12, y = next[i] / d12;
        first[i] = ((d22 / d12) * x - y) / determinant;
        second[i] = ((d11 / d12) * y - x) / determinant;
      }
      for (size_t i = k + 2; i < n; i++) {
        const double p = first[i], q = second[i];
        double* own = &a_[i * n];
        for (size_t j = i; j < n; j++) own[j] -= p * top[j] + q * next[j];
      }
      for (size_t i = k + 2; i < n; i++) {
        top[i] = first[i];
        next[i] = second[i];
      }
    }
    k += step;
  }
  flops += static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n) / 3;
}

size_t BunchKaufman::choose(size_t k, size_t& row) const {
  static const double alpha = (1 + std::sqrt(17.0)) / 8;
  const size_t n = n_;
  const double own = std::fabs(a_[k * n + k]);
  double most = 0;
  size_t at = k;
  for (size_t j = k + 1; j < n; j++) {
    if (std::fabs(a_[k * n + j]) <= most) continue;
    most = std::fabs(a_[k * n + j]);
    at = j;
  }
  row = k;
  if (own >= alpha * most) return 1;
  double other = 0;
  for (size_t j = k; j < at; j++) other = std::max(other, std::fabs(a_[j * n + at]));
  for (size_t j = at + 1; j < n; j++) other = std::max(other, std::fabs(a_[at * n + j]));
  if (own * other >= alpha * most * most) return 1;
  row = at;
  return std::fabs(a_[at * n + at]) >= alpha * other ? 1 : 2;
}

void BunchKaufman::swap(size_t k, size_t p, size_t q) {
  const size_t n = n_;
  for (size_t j = q + 1; j < n; j++) std::swap(a_[p * n + j], a_[q * n + j]);
  for (size_t j = p + 1; j < q; j++) std::swap(a_[p * n + j], a_[j * n + q]);
  std::swap(a_[p * n + p], a_[q * n + q]);
  if (p != k) std::swap(a_[k * n + p], a_[k * n + q]);
}

bool BunchKaufman::solve(double* x) const {
  const size_t n = n_;
  for (size_t k = 0; k < n; k += width_[k]) {
    std::swap(x[k + width_[k] - 1], x[partner_[k]]);
    const double *top = &a_[k * n], *next = top + n;
    if (width_[k] == 1) {
      if (top[k] == 0) return false;
      for (size_t i = k + 1; i < n; i++) x[i] -= top[i] * x[k];
      x[k] /= top[k];
    } else {
      for (size_t i = k + 2; i < n; i++) x[i] -= top[i] * x[k] + next[i] * x[k + 1];
      const double d11 = top[k], d12 = top[k + 1], d22 = next[k + 1];
      const double determinant = (d11 / d12) * (d22 / d12) - 1;
      const double u = x[k] / d12, v = x[k + 1] / d12;
      x[k] = ((d22 / d12) * u - v) / determinant;
      x[k + 1] = ((d11 / d12) * v - u) / determinant;
    }
  }
  for (size_t k = n; k-- > 0;) {
    if (width_[k] == 0) continue;
    for (size_t r = k; r < k + width_[k]; r++) {
      double sum = 0;
      for (size_t i = k + width_[k]; i < n; i++) sum += a_[r * n + i] * x[i];
      x[r] -= sum;
    }
    std::swap(x[k + width_[k] - 1], x[partner_[k]]);
  }
  return true;
}

}  // namespace extrema::constrained
