#include "moe/demand.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "moe/rows.h"

namespace extrema::moe {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Tokens handled between two looks at the monitor.
constexpr size_t kPollTokens = 1 << 14;

}  // namespace

Demand::Demand(const Routing& routing, Monitor& monitor)
    : prices(routing.experts),
      load(routing.experts),
      routing_(routing),
      monitor_(monitor),
      width_(routing.k + 1),
      value_(routing.tokens * width_),
      expert_(routing.tokens * width_),
      scratch_(routing.experts + 64),
      offers_(routing.tokens),
      column_(routing.tokens * routing.experts) {
  constexpr size_t kTile = 16;
  const size_t tokens = routing.tokens, experts = routing.experts;
  for (size_t first = 0; first < tokens; first += kTile) {
    if (monitor.cancelled()) return;
    for (size_t e = 0; e < experts; e++) {
      for (size_t t = first; t < std::min(tokens, first + kTile); t++)
        column_[e * tokens + t] = routing.scores[t * experts + e];
    }
  }
}

void Demand::evaluateToken(size_t t) {
  greatest(routing_.scores + t * routing_.experts, prices.data(), routing_.experts, width_, scratch_.data(),
           &value_[t * width_], &expert_[t * width_]);
}

void Demand::evaluate() {
  for (size_t t = 0; t < routing_.tokens; t++) {
    if (t % kPollTokens == 0 && monitor_.cancelled()) return;
    evaluateToken(t);
  }
}

void Demand::balance(size_t e) {
  const size_t k = routing_.k, capacity = static_cast<size_t>(routing_.capacity[e]);
  const double floor = routing_.partial ? 0 : -kInfinity;
  const double* score = &column_[e * routing_.tokens];
  size_t count = 0;
  for (size_t t = 0; t < routing_.tokens; t++) {
    const int32_t* expert = &expert_[t * width_];
    const double* value = &value_[t * width_];
    double other = value[k - 1];
    for (size_t r = 0; r < k; r++) {
      if (expert[r] == static_cast<int32_t>(e)) other = value[k];
    }
    const double offer = score[t] - std::max(other, floor);
    if (offer > 0) offers_[count++] = offer;
  }
  double price = 0;
  if (count > capacity) {
    const auto begin = offers_.begin(), end = begin + static_cast<ptrdiff_t>(count);
    const auto next = begin + static_cast<ptrdiff_t>(capacity);
    std::nth_element(begin, next, end, std::greater<double>());
    price = capacity == 0 ? 2 * *next : (*std::min_element(begin, next) + *next) / 2;
  }
  if (price != prices[e]) setPrice(e, price);
}

void Demand::setPrice(size_t e, double price) {
  prices[e] = price;
  const double* score = &column_[e * routing_.tokens];
  for (size_t t = 0; t < routing_.tokens; t++) {
    int32_t* expert = &expert_[t * width_];
    double* value = &value_[t * width_];
    const double now = score[t] - price;
    size_t r = 0;
    while (r < width_ && expert[r] != static_cast<int32_t>(e)) r++;
    const bool falls = r < width_ && now < value[r];
    if (r == width_) {
      if (now <= value[--r]) continue;
    }
    for (; r > 0 && now > value[r - 1]; r--) {
      value[r] = value[r - 1];
      expert[r] = expert[r - 1];
    }
    for (; r + 1 < width_ && now < value[r + 1]; r++) {
      value[r] = value[r + 1];
      expert[r] = expert[r + 1];
    }
    value[r] = now;
    expert[r] = static_cast<int32_t>(e);
    if (falls && r + 1 == width_) evaluateToken(t);  // another expert may be the last of the list now
  }
}

size_t Demand::taken(size_t t, const int32_t** experts) const {
  *experts = &expert_[t * width_];
  if (!routing_.partial) return routing_.k;
  size_t count = 0;
  while (count < routing_.k && value_[t * width_ + count] >= 0) count++;
  return count;
}

double Demand::imbalance() {
  std::fill(load.begin(), load.end(), 0);
  const int32_t* experts;
  for (size_t t = 0; t < routing_.tokens; t++) {
    const size_t count = taken(t, &experts);
    for (size_t r = 0; r < count; r++) load[static_cast<size_t>(experts[r])]++;
  }
  double total = 0;
  for (size_t e = 0; e < load.size(); e++) {
    const double over = static_cast<double>(load[e]) - routing_.capacity[e];
    if (over > 0 || prices[e] > 0) total += over > 0 ? over : -over;
  }
  return total;
}

double Demand::bound() const {
  double total = 0;
  for (size_t t = 0; t < routing_.tokens; t++) {
    for (size_t r = 0; r < routing_.k; r++) {
      const double value = value_[t * width_ + r];
      total += routing_.partial && value < 0 ? 0 : value;
    }
  }
  for (size_t e = 0; e < prices.size(); e++) total += routing_.capacity[e] * prices[e];
  return total;
}

double Demand::spread() const {
  double total = 0;
  for (size_t t = 0; t < routing_.tokens; t++) {
    const double *value = &value_[t * width_], last = value[routing_.k];
    total += value[0] - (last > -kInfinity ? last : value[routing_.k - 1]);
  }
  return total / static_cast<double>(routing_.tokens);
}

}  // namespace extrema::moe
