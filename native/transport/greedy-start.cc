#include <algorithm>
#include <cmath>
#include <numeric>

#include "transport/network-simplex.h"
#include "transport/spanning-tree.h"

namespace extrema::transport {

namespace {

// Reduced costs that are smaller in relation to the potentials are rounding.
constexpr double kTight = 0x1p-40;
// So is what a shipment leaves at a node.
constexpr double kRounding = 0x1p-46;

class GreedyStart {
 public:
  GreedyStart(const Arcs& arcs, const double* f, const double* g, size_t n, size_t m, double* left,
              std::vector<Shipment>& shipments)
      : arcs_(arcs),
        n_(static_cast<int32_t>(n)),
        left_(left),
        shipments_(shipments),
        start_(n + m + 1),
        degree_(n + m) {
    std::vector<double> reduced(arcs.size());
    order_.resize(arcs.size());
    std::iota(order_.begin(), order_.end(), 0);
    for (size_t k = 0; k < arcs.size(); k++) reduced[k] = arcs.cost[k] - f[arcs.row[k]] - g[arcs.column[k]];
    std::sort(order_.begin(), order_.end(), [&](int32_t x, int32_t y) {
      return reduced[x] < reduced[y] || (reduced[x] == reduced[y] && x < y);
    });
    for (; tight_ < order_.size(); tight_++) {
      const int32_t k = order_[tight_];
      if (reduced[k] > kTight * (std::fabs(f[arcs.row[k]]) + std::fabs(g[arcs.column[k]]))) break;
    }
    link();
  }

  void run() {
    for (size_t u = 0; u < degree_.size(); u++) {
      if (degree_[u] == 1) leaves_.push_back(static_cast<int32_t>(u));
    }
    for (size_t at = 0; at < tight_; at++) {
      for (; !leaves_.empty();) {
        const int32_t u = leaves_.back();
        leaves_.pop_back();
        if (left_[u] > 0 && degree_[u] == 1) shipLeaf(u);
      }
      ship(order_[at], true);
    }
    for (size_t at = tight_; at < order_.size(); at++) ship(order_[at], false);
  }

 private:
  int32_t columnNode(int32_t arc) const { return n_ + arcs_.column[arc]; }

  // Tight arcs of each node.
  void link() {
    for (size_t at = 0; at < tight_; at++) {
      degree_[arcs_.row[order_[at]]]++;
      degree_[columnNode(order_[at])]++;
    }
    for (size_t u = 0; u < degree_.size(); u++) start_[u + 1] = start_[u] + degree_[u];
    std::vector<int32_t> next(start_.begin(), start_.end() - 1);
    arc_.resize(2 * tight_);
    for (size_t at = 0; at < tight_; at++) {
      arc_[next[arcs_.row[order_[at]]]++] = order_[at];
      arc_[next[columnNode(order_[at])]++] = order_[at];
    }
  }

  int32_t other(int32_t u, int32_t arc) const { return u < n_ ? columnNode(arc) : arcs_.row[arc]; }

  void shipLeaf(int32_t u) {
    for (int32_t k = start_[u]; k < start_[u + 1]; k++) {
      if (left_[other(u, arc_[k])] > 0) return ship(arc_[k], true);
    }
  }

  void ship(int32_t arc, bool tight) {
    const int32_t i = arcs_.row[arc], j = columnNode(arc);
    const double amount = std::min(left_[i], left_[j]);
    if (!(amount > 0)) return;
    shipments_.push_back({i, arcs_.column[arc], arcs_.cost[arc], amount});
    for (const int32_t u : {i, j}) {
      left_[u] -= amount;
      if (left_[u] > kRounding * amount) continue;
      left_[u] = 0;
      if (tight) release(u);
    }
  }

  // Node u is done: its neighbours have one choice less.
  void release(int32_t u) {
    for (int32_t k = start_[u]; k < start_[u + 1]; k++) {
      const int32_t v = other(u, arc_[k]);
      if (left_[v] > 0 && --degree_[v] == 1) leaves_.push_back(v);
    }
  }

  const Arcs& arcs_;
  const int32_t n_;
  double* left_;
  std::vector<Shipment>& shipments_;
  std::vector<int32_t> order_, start_, degree_, arc_, leaves_;
  size_t tight_ = 0;
};

}  // namespace

void greedyStart(const Arcs& arcs, const double* f, const double* g, const double* a, size_t n,
                 const double* b, size_t m, std::vector<Shipment>& shipments, double* left) {
  std::copy_n(a, n, left);
  std::copy_n(b, m, left + n);
  GreedyStart(arcs, f, g, n, m, left, shipments).run();
}

}  // namespace extrema::transport
