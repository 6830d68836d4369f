#include "transport/line.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/team.h"

namespace extrema::transport {

namespace {

constexpr int kDigitBits = 11;
constexpr int kDigits = 6;
constexpr size_t kBuckets = size_t{1} << kDigitBits;

// Ascending as unsigned numbers where the values ascend.
uint64_t sortKey(double value) {
  value += 0.0;  // -0 and 0 are the same place
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits >> 63 ? ~bits : bits | uint64_t{1} << 63;
}

double distance(double x, double y, double order) {
  const double gap = std::abs(x - y);
  if (order == 1) return gap;
  return order == 2 ? gap * gap : std::pow(gap, order);
}

// d distance / dx
double slope(double x, double y, double order) {
  const double gap = std::abs(x - y);
  if (gap == 0) return 0;
  const double size = order == 1 ? 1 : order == 2 ? 2 * gap : order * std::pow(gap, order - 1);
  return x > y ? size : -size;
}

// Merges the masses: arc(i, j, mass, advanced) for every arc from left to right, `i` and `j` in sorted
// places.
template <class Arc>
void merge(const int32_t* xOrder, const double* a, size_t n, const int32_t* yOrder, const double* b, size_t m,
           Arc&& arc) {
  size_t i = 0, j = 0;
  double left = a[xOrder[0]], right = b[yOrder[0]];
  for (;;) {
    const bool lastRow = i + 1 == n, lastColumn = j + 1 == m;
    if (lastColumn ? !lastRow : !lastRow && left <= right) {
      arc(xOrder[i], yOrder[j], left, true);
      right = std::max(0.0, right - left);
      left = a[xOrder[++i]];
    } else {
      arc(xOrder[i], yOrder[j], right, false);
      if (lastColumn) return;
      left = std::max(0.0, left - right);
      right = b[yOrder[++j]];
    }
  }
}

}  // namespace

LineSort::LineSort(size_t n)
    : keys_(n), otherKeys_(n), order_(n), otherOrder_(n), counts_(kDigits * kBuckets) {}

const int32_t* LineSort::run(const double* values, size_t n) {
  std::fill_n(counts_.data(), kDigits * kBuckets, 0u);
  for (size_t i = 0; i < n; i++) {
    const uint64_t key = sortKey(values[i]);
    keys_[i] = key;
    order_[i] = static_cast<int32_t>(i);
    for (int digit = 0; digit < kDigits; digit++)
      counts_[digit * kBuckets + (key >> (digit * kDigitBits) & (kBuckets - 1))]++;
  }
  for (int digit = 0; digit < kDigits; digit++) {
    uint32_t* start = counts_.data() + digit * kBuckets;
    const int shift = digit * kDigitBits;
    if (start[keys_[0] >> shift & (kBuckets - 1)] == n) continue;  // all the same
    uint32_t sum = 0;
    for (size_t k = 0; k < kBuckets; k++) {
      const uint32_t count = start[k];
      start[k] = sum;
      sum += count;
    }
    for (size_t i = 0; i < n; i++) {
      const uint32_t place = start[keys_[i] >> shift & (kBuckets - 1)]++;
      otherKeys_[place] = keys_[i];
      otherOrder_[place] = order_[i];
    }
    std::swap(keys_, otherKeys_);
    std::swap(order_, otherOrder_);
  }
  return order_.data();
}

double wasserstein1d(const double* x, const double* a, size_t n, const double* y, const double* b, size_t m,
                     double order, const LinePlan& plan, Monitor& monitor) {
  LineSort xSort(n), ySort(m);
  const int32_t* xOrder = xSort.run(x, n);
  if (monitor.cancelled()) return 0;
  const int32_t* yOrder = ySort.run(y, m);
  if (monitor.cancelled()) return 0;
  double value = 0;
  size_t count = 0;
  bool first = true, advancedRow = false;
  merge(xOrder, a, n, yOrder, b, m, [&](int32_t i, int32_t j, double mass, bool nextRow) {
    const double cost = distance(x[i], y[j], order);
    value += mass * cost;
    plan.row[count] = i;
    plan.column[count] = j;
    plan.mass[count++] = mass;
    if (first) plan.f[i] = 0;
    if (first || !advancedRow) {
      plan.g[j] = cost - plan.f[i];
    } else {
      plan.f[i] = cost - plan.g[j];
    }
    first = false;
    advancedRow = nextRow;
  });
  return value;
}

namespace {

// Directions whose slopes are held at a time.
constexpr size_t kBlock = 32;

void project(const double* points, size_t n, size_t d, const double* direction, double* out) {
  for (size_t i = 0; i < n; i++) {
    double sum = 0;
    for (size_t k = 0; k < d; k++) sum += points[i * d + k] * direction[k];
    out[i] = sum;
  }
}

struct Worker {
  explicit Worker(const Sliced& s) : x(s.n), y(s.m), xSort(s.n), ySort(s.m) {}
  Aligned<double> x, y;
  LineSort xSort, ySort;
};

// gradient += sum over the block of slopes_l direction_l / count
void addGradient(Team& team, const Sliced& s, size_t first, size_t block, const Aligned<double>& slopes,
                 size_t n, double* gradient) {
  const uint32_t chunks = static_cast<uint32_t>(std::min<size_t>(n, 64));
  team.run(chunks, [&](uint32_t chunk, unsigned) {
    for (size_t i = n * chunk / chunks; i < n * (chunk + 1) / chunks; i++) {
      for (size_t l = 0; l < block; l++) {
        const double slope = slopes[l * n + i] / static_cast<double>(s.count);
        const double* direction = s.directions + (first + l) * s.d;
        for (size_t k = 0; k < s.d; k++) gradient[i * s.d + k] += slope * direction[k];
      }
    }
  });
}

}  // namespace

size_t slicedWasserstein(const Sliced& s, Monitor& monitor) {
  Team team(static_cast<unsigned>(std::min<size_t>(s.threads, s.count)), monitor);
  std::vector<Worker> workers;
  for (unsigned k = 0; k < team.size(); k++) workers.emplace_back(s);
  const bool wantsX = s.gradientX != nullptr, wantsY = s.gradientY != nullptr;
  Aligned<double> slopesX(wantsX ? kBlock * s.n : 0), slopesY(wantsY ? kBlock * s.m : 0);
  for (size_t first = 0; first < s.count; first += kBlock) {
    const size_t block = std::min(kBlock, s.count - first);
    team.run(static_cast<uint32_t>(block), [&](uint32_t l, unsigned worker) {
      Worker& w = workers[worker];
      const double* direction = s.directions + (first + l) * s.d;
      project(s.x, s.n, s.d, direction, w.x.data());
      project(s.y, s.m, s.d, direction, w.y.data());
      const int32_t* xOrder = w.xSort.run(w.x.data(), s.n);
      const int32_t* yOrder = w.ySort.run(w.y.data(), s.m);
      double* slopeX = wantsX ? slopesX.data() + l * s.n : nullptr;
      double* slopeY = wantsY ? slopesY.data() + l * s.m : nullptr;
      if (wantsX) std::fill_n(slopeX, s.n, 0.0);
      if (wantsY) std::fill_n(slopeY, s.m, 0.0);
      double value = 0;
      merge(xOrder, s.a, s.n, yOrder, s.b, s.m, [&](int32_t i, int32_t j, double mass, bool) {
        value += mass * distance(w.x[i], w.y[j], s.order);
        if (!wantsX && !wantsY) return;
        const double change = mass * slope(w.x[i], w.y[j], s.order);
        if (wantsX) slopeX[i] += change;
        if (wantsY) slopeY[j] -= change;
      });
      s.values[first + l] = value;
    });
    if (monitor.cancelled()) return first;
    if (wantsX) addGradient(team, s, first, block, slopesX, s.n, s.gradientX);
    if (wantsY) addGradient(team, s, first, block, slopesY, s.m, s.gradientY);
    monitor.progress(static_cast<double>(first + block), static_cast<double>(s.count - first - block));
    if (monitor.expired()) return first + block;
  }
  return s.count;
}

}  // namespace extrema::transport
