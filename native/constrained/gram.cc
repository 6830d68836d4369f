#include "constrained/gram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace extrema::constrained {

double Gram::solve(const double* c, double* y) {
  double largest = 0;
  for (size_t i = 0; i < size_; i++) {
    order_[i] = i;
    left_[i] = matrix[i * size_ + i];
    largest = std::max(largest, left_[i]);
  }
  const double least = static_cast<double>(size_) * std::numeric_limits<double>::epsilon() * largest;
  size_t rank = 0;
  for (; rank < size_; rank++) {
    size_t best = rank;
    for (size_t i = rank + 1; i < size_; i++) {
      if (left_[order_[i]] > left_[order_[best]]) best = i;
    }
    const size_t pivot = order_[best];
    if (!(left_[pivot] > least)) break;
    std::swap(order_[best], order_[rank]);
    const double root = std::sqrt(left_[pivot]);
    double* above = &factor_[pivot * size_];
    above[rank] = root;
    for (size_t i = rank + 1; i < size_; i++) {
      const size_t row = order_[i];
      double* own = &factor_[row * size_];
      double value = row > pivot ? matrix[row * size_ + pivot] : matrix[pivot * size_ + row];
      for (size_t t = 0; t < rank; t++) value -= own[t] * above[t];
      value /= root;
      own[rank] = value;
      left_[row] -= value * value;
    }
  }
  for (size_t k = 0; k < rank; k++) {
    const double* row = &factor_[order_[k] * size_];
    double value = c[order_[k]];
    for (size_t t = 0; t < k; t++) value -= row[t] * work_[t];
    work_[k] = value / row[k];
  }
  std::fill_n(y, size_, 0.0);
  for (size_t k = rank; k-- > 0;) {
    double value = work_[k];
    for (size_t t = k + 1; t < rank; t++) value -= factor_[order_[t] * size_ + k] * work_[t];
    work_[k] = value / factor_[order_[k] * size_ + k];
    y[order_[k]] = work_[k];
  }
  const double r = static_cast<double>(rank), s = static_cast<double>(size_);
  return r * r * (3 * s - 2 * r) / 3 + 2 * r * r;
}

}  // namespace extrema::constrained
