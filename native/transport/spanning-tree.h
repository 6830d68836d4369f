#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/aligned.h"

namespace extrema::transport {

// An arc from row `row` to column `column` (counted from 0) that carries `flow`.
struct Shipment {
  int32_t row, column;
  double cost, flow;
};

// The basis of the network simplex method: a spanning tree over n rows (nodes 0 … n-1), m columns (n … n+m-1)
// and an artificial root, as it is kept in LEMON and in Cunningham's strongly feasible form: arcs without
// flow point to the root, so that degenerate pivots cannot cycle.
//
// Nodes hang below the root in components. An arc up to the root carries what a component has over (0 where
// supply and demand are equal), an arc down from it what the component lacks. The cost of these artificial
// arcs is beyond all others, plus a part that is free: it sets the component's potentials. The part beyond is
// kept apart, as a `level`, 0 below arcs up and 1 below arcs down: the reduced cost of an arc s -> t is the
// pair (level_s - level_t, C_st + pi_s - pi_t), in lexicographic order. Potentials are f_i = -pi_i and
// g_j = pi_j.
class SpanningTree {
 public:
  SpanningTree(size_t n, size_t m);

  // Starts from a forest of arcs with flow; `left` (n + m) is what they leave of supplies and demands, at one
  // node of a component at most. A component takes the potential of its top from f or g.
  void build(const std::vector<Shipment>& shipments, const double* left, const double* f, const double* g);

  // Lets the arc s -> t of cost `cost` enter. What is artificial is dropped once nothing is over or lacking.
  void pivot(int32_t s, int32_t t, double cost);

  // Some component has a surplus and another a deficit.
  bool unbalanced() const { return surpluses_ > 0 && deficits_ > 0; }
  // What is over in all components together, or lacking if that is less.
  double unshipped() const;
  // Lets all components hang by arcs up without flow. What they had over or lacked is dropped.
  void dropArtificial();

  // Potentials anew from the costs of the tree's arcs: rounding has no history.
  void recomputePotentials();
  // Flows anew from the supplies and demands, leaf by leaf; what has been found to be without flow stays so.
  void recomputeFlows(const double* a, const double* b);

  // Arcs with flow between rows and columns.
  template <class F>
  void forShipments(F visit) const {
    for (int32_t u = 0; u < root_; u++) {
      if (parent_[u] == root_ || !(flow_[u] > 0)) continue;
      const int32_t row = u < n_ ? u : parent_[u], column = u < n_ ? parent_[u] : u;
      visit(Shipment{row, column - n_, cost_[u], flow_[u]});
    }
  }
  // Nodes that hang below the root with a surplus (rows) or a deficit (columns) and how much it is.
  template <class F>
  void forUnshipped(F visit) const {
    for (int32_t u = thread_[root_]; u != root_; u = thread_[last_[u]]) {
      if (flow_[u] > 0) visit(u, flow_[u]);
    }
  }

  // The topmost node of each node's component.
  std::vector<int32_t> components() const;

  // <C, P>
  double value() const;

  const double* pi() const { return pi_.data(); }
  const uint8_t* level() const { return level_.data(); }

 private:
  void hang(int32_t u, int32_t parent, bool up, double cost, double flow);
  void orderBy(const std::vector<int32_t>& preorder);
  void ship(int32_t s, int32_t t, int32_t join, double amount);
  void transplant(int32_t in, int32_t newParent, int32_t out, int32_t join);
  void addPotential(int32_t first, int32_t last, int32_t count, double change);
  void shift(int32_t in, double change, uint8_t level);

  const int32_t n_, root_;
  // Of each node, with its arc to the parent. `thread` is a preorder of the tree, `last` the last in it of
  // the subtree.
  std::vector<int32_t> parent_, thread_, before_, last_, size_;
  std::vector<uint8_t> up_;  // the arc leads from the node to its parent
  std::vector<uint8_t> level_;
  Aligned<double> flow_, cost_, pi_;
  std::vector<int32_t> stem_, stemBefore_, stemLast_, stemAfter_, stemSize_;
  int32_t surpluses_ = 0, deficits_ = 0;
};

}  // namespace extrema::transport
