#include "transport/cloud-order.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace extrema::transport {

namespace {

constexpr size_t kCell = 8;

size_t longestSide(const double* points, size_t d, const int32_t* begin, const int32_t* end) {
  size_t axis = 0;
  double longest = -std::numeric_limits<double>::infinity();
  for (size_t k = 0; k < d; k++) {
    double least = std::numeric_limits<double>::infinity(), most = -least;
    for (const int32_t* i = begin; i < end; i++) {
      const double value = points[static_cast<size_t>(*i) * d + k];
      least = std::min(least, value);
      most = std::max(most, value);
    }
    if (most - least > longest) {
      longest = most - least;
      axis = k;
    }
  }
  return axis;
}

// As deep as the size has digits.
void split(const double* points, size_t d, int32_t* begin, int32_t* end, const Monitor& monitor) {
  const size_t count = static_cast<size_t>(end - begin);
  if (monitor.cancelled()) return;
  if (count <= kCell) {
    std::sort(begin, end);
    return;
  }
  const double* side = points + longestSide(points, d, begin, end);
  size_t left = kCell;
  while (2 * left < count) left *= 2;
  std::nth_element(begin, begin + left, end, [&](int32_t i, int32_t j) {
    const double a = side[static_cast<size_t>(i) * d], b = side[static_cast<size_t>(j) * d];
    return a < b || (a == b && i < j);
  });
  split(points, d, begin, begin + left, monitor);
  split(points, d, begin + left, end, monitor);
}

}  // namespace

void cloudOrder(const double* points, size_t n, size_t d, int32_t* order, const Monitor& monitor) {
  std::iota(order, order + n, 0);
  split(points, d, order, order + n, monitor);
}

}  // namespace extrema::transport
