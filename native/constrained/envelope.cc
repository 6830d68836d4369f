#include "constrained/envelope.h"

#include <algorithm>
#include <cmath>

namespace extrema::constrained {

namespace {
constexpr double kWork = 1 << 16;  // operations between two looks at the clock
}

Envelope::Envelope(const System& a, const int32_t* order, size_t expected, double floor)
    : a_(a),
      order_(order),
      expected_(expected),
      floor_(floor),
      place_(a.rows),
      first_(a.rows),
      start_(a.rows + 1),
      pivots_(a.rows),
      y_(a.rows) {
  for (size_t k = 0; k < a.rows; k++) place_[static_cast<size_t>(order[k])] = k;
  for (size_t k = 0; k < a.rows; k++) {
    const size_t row = static_cast<size_t>(order[k]);
    size_t least = k;
    for (size_t t = a.begin(row); t < a.end(row); t++)
      least = std::min(least, place_[static_cast<size_t>(a.indices[t])]);
    first_[k] = least;
    start_[k + 1] = start_[k] + (k - least);
  }
  values_.resize(start_[a.rows]);
}

void Envelope::factor(Monitor& monitor) {
  const size_t n = a_.rows;
  double largest = 0, work = 0;
  for (size_t t = 0; t < a_.entries(); t++) largest = std::max(largest, std::fabs(a_.data[t]));
  const double least = floor_ * largest;
  for (size_t i = 0; i < n; i++) {
    const size_t from = first_[i], source = static_cast<size_t>(order_[i]);
    double* row = values_.data() + start_[i];  // from column `from` on
    double pivot = 0;
    for (size_t t = a_.begin(source); t < a_.end(source); t++) {
      const size_t j = place_[static_cast<size_t>(a_.indices[t])];
      if (j < i) {
        row[j - from] += a_.data[t];
      } else if (j == i) {
        pivot += a_.data[t];
      }
    }
    for (size_t j = from; j < i; j++) {
      const size_t begin = std::max(from, first_[j]);
      const double* other = values_.data() + start_[j] + (begin - first_[j]);
      row[j - from] -= dot(row + (begin - from), other, j - begin);
      work += static_cast<double>(j - begin + 1);
    }
    for (size_t j = from; j < i; j++) {
      const double value = row[j - from];
      row[j - from] = value / pivots_[j];
      pivot -= value * row[j - from];
    }
    if (!(std::fabs(pivot) > least)) {
      pivot = source < expected_ ? least : -least;
      replaced++;
    }
    pivots_[i] = pivot;
    (pivot > 0 ? positive : negative)++;
    if (work < kWork) continue;
    flops += 2 * work;
    work = 0;
    if (monitor.cancelled() || monitor.expired()) return;
  }
  flops += 2 * work;
}

bool Envelope::solve(double* x) {
  const size_t n = a_.rows;
  for (size_t i = 0; i < n; i++) {
    const double* row = values_.data() + start_[i];
    double sum = x[order_[i]];
    for (size_t j = first_[i]; j < i; j++) sum -= row[j - first_[i]] * y_[j];
    y_[i] = sum;
  }
  for (size_t i = 0; i < n; i++) y_[i] /= pivots_[i];
  for (size_t i = n; i-- > 0;) {
    const double* row = values_.data() + start_[i];
    for (size_t j = first_[i]; j < i; j++) y_[j] -= row[j - first_[i]] * y_[i];
  }
  for (size_t i = 0; i < n; i++) x[order_[i]] = y_[i];
  flops += 4 * static_cast<double>(values_.size());
  return true;
}

}  // namespace extrema::constrained
