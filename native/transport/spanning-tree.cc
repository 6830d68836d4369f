#include "transport/spanning-tree.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace extrema::transport {

namespace {

// What is left of a flow after as much has been taken from it is rounding.
constexpr double kRounding = 0x1p-46;

}  // namespace

SpanningTree::SpanningTree(size_t n, size_t m)
    : n_(static_cast<int32_t>(n)),
      root_(static_cast<int32_t>(n + m)),
      parent_(n + m + 1),
      thread_(n + m + 1),
      before_(n + m + 1),
      last_(n + m + 1),
      size_(n + m + 1),
      up_(n + m + 1),
      level_(n + m + 1),
      flow_(n + m + 1),
      cost_(n + m + 1),
      pi_(n + m + 1),
      stem_(n + m + 1),
      stemBefore_(n + m + 1),
      stemLast_(n + m + 1),
      stemAfter_(n + m + 1),
      stemSize_(n + m + 1) {}

void SpanningTree::hang(int32_t u, int32_t parent, bool up, double cost, double flow) {
  parent_[u] = parent;
  up_[u] = up;
  cost_[u] = cost;
  flow_[u] = flow;
  level_[u] = level_[parent];
  pi_[u] = up ? pi_[parent] - cost : pi_[parent] + cost;
}

void SpanningTree::build(const std::vector<Shipment>& shipments, const double* left, const double* f,
                         const double* g) {
  // Arcs of each node.
  std::vector<int32_t> start(root_ + 1, 0), arc(2 * shipments.size());
  for (const Shipment& s : shipments) {
    start[s.row + 1]++;
    start[n_ + s.column + 1]++;
  }
  for (int32_t u = 0; u < root_; u++) start[u + 1] += start[u];
  std::vector<int32_t> next(start.begin(), start.end() - 1);
  for (size_t k = 0; k < shipments.size(); k++) {
    arc[next[shipments[k].row]++] = static_cast<int32_t>(k);
    arc[next[n_ + shipments[k].column]++] = static_cast<int32_t>(k);
  }

  std::vector<int32_t> preorder{root_}, stack;
  std::vector<uint8_t> seen(root_, 0);
  preorder.reserve(root_ + 1);
  parent_[root_] = -1;
  pi_[root_] = 0;
  level_[root_] = 0;
  surpluses_ = deficits_ = 0;
  const auto addComponent = [&](int32_t top) {
    const size_t begin = preorder.size();
    const bool down = left[top] > 0 && top >= n_;
    seen[top] = 1;
    hang(top, root_, !down, 0, left[top]);
    if (left[top] > 0) {
      (down ? deficits_ : surpluses_)++;
      level_[top] = down;
    }
    stack.push_back(top);
    const double offset = (top < n_ ? -f[top] : g[top - n_]) - pi_[top];
    while (!stack.empty()) {
      const int32_t u = stack.back();
      stack.pop_back();
      preorder.push_back(u);
      for (int32_t k = start[u]; k < start[u + 1]; k++) {
        const Shipment& s = shipments[arc[k]];
        const int32_t other = u < n_ ? n_ + s.column : s.row;
        if (seen[other]) continue;
        seen[other] = 1;
        hang(other, u, other < n_, s.cost, s.flow);
        stack.push_back(other);
      }
    }
    for (size_t k = begin; k < preorder.size(); k++) pi_[preorder[k]] += offset;
    cost_[top] = down ? offset : -offset;
  };
  for (int32_t u = 0; u < root_; u++) {
    if (left[u] > 0) addComponent(u);
  }
  for (int32_t u = 0; u < root_; u++) {
    if (!seen[u]) addComponent(u);
  }
  orderBy(preorder);
  if (!unbalanced()) dropArtificial();
}

void SpanningTree::orderBy(const std::vector<int32_t>& preorder) {
  const size_t count = preorder.size();
  for (size_t k = 0; k < count; k++) {
    const int32_t u = preorder[k], v = preorder[k + 1 < count ? k + 1 : 0];
    thread_[u] = v;
    before_[v] = u;
    size_[u] = 1;
    last_[u] = u;
  }
  for (size_t k = count - 1; k > 0; k--) {
    const int32_t u = preorder[k], parent = parent_[u];
    size_[parent] += size_[u];
    if (last_[parent] == parent) last_[parent] = last_[u];
  }
}

double SpanningTree::unshipped() const {
  double surplus = 0, deficit = 0;
  forUnshipped([&](int32_t u, double flow) { (up_[u] ? surplus : deficit) += flow; });
  return std::min(surplus, deficit);
}

double SpanningTree::value() const {
  double total = 0;
  forShipments([&](const Shipment& s) { total += s.flow * s.cost; });
  return total;
}

std::vector<int32_t> SpanningTree::components() const {
  std::vector<int32_t> top(root_);
  for (int32_t u = thread_[root_]; u != root_; u = thread_[u]) {
    top[u] = parent_[u] == root_ ? u : top[parent_[u]];
  }
  return top;
}

void SpanningTree::dropArtificial() {
  for (int32_t u = thread_[root_]; u != root_; u = thread_[last_[u]]) {
    flow_[u] = 0;
    if (!up_[u]) cost_[u] = -cost_[u];
    up_[u] = 1;
  }
  std::fill(level_.begin(), level_.end(), uint8_t{0});
  surpluses_ = deficits_ = 0;
}

// Moves `amount` around the cycle s -> t -> join -> s.
void SpanningTree::ship(int32_t s, int32_t t, int32_t join, double amount) {
  const auto add = [&](int32_t u, bool more) {
    const bool artificial = parent_[u] == root_;
    const bool had = flow_[u] > 0;
    if (more) {
      flow_[u] += amount;
    } else {
      flow_[u] -= amount;
      if (flow_[u] <= kRounding * amount) flow_[u] = 0;
    }
    if (artificial && (flow_[u] > 0) != had) (up_[u] ? surpluses_ : deficits_) += had ? -1 : 1;
  };
  for (int32_t u = s; u != join; u = parent_[u]) add(u, !up_[u]);
  for (int32_t u = t; u != join; u = parent_[u]) add(u, up_[u]);
}

void SpanningTree::pivot(int32_t s, int32_t t, double cost) {
  const bool wasUnbalanced = unbalanced();
  const double reduced = cost + pi_[s] - pi_[t];
  int32_t join = s;
  for (int32_t v = t; join != v;) {
    if (size_[join] < size_[v]) {
      join = parent_[join];
    } else {
      v = parent_[v];
    }
  }

  // The arc that limits the flow; of several the last around the cycle from the join (Cunningham 1976).
  double amount = std::numeric_limits<double>::infinity();
  for (int32_t u = s; u != join; u = parent_[u]) {
    if (up_[u]) amount = std::min(amount, flow_[u]);
  }
  for (int32_t u = t; u != join; u = parent_[u]) {
    if (!up_[u]) amount = std::min(amount, flow_[u]);
  }
  const double limit = amount + kRounding * amount;
  int32_t out = -1;
  bool fromS = false;
  for (int32_t u = t; u != join; u = parent_[u]) {
    if (!up_[u] && flow_[u] <= limit) out = u;
  }
  if (out < 0) {
    fromS = true;
    for (out = s; !(up_[out] && flow_[out] <= limit);) out = parent_[out];
  }
  if (amount > 0) ship(s, t, join, amount);

  // The subtree that the leaving arc cuts off hangs by the entering arc from now on.
  const int32_t in = fromS ? s : t, newParent = fromS ? t : s;
  if (parent_[out] == root_ && flow_[out] > 0) (up_[out] ? surpluses_ : deficits_)--;
  transplant(in, newParent, out, join);
  up_[in] = fromS;
  cost_[in] = cost;
  flow_[in] = amount;
  shift(in, fromS ? -reduced : reduced, level_[newParent]);
  if (wasUnbalanced && !unbalanced()) dropArtificial();
}

// Turns the stem in … out upside down and moves its subtree below `newParent`.
void SpanningTree::transplant(int32_t in, int32_t newParent, int32_t out, int32_t join) {
  const int32_t oldParent = parent_[out], total = size_[out];
  const int32_t oldBefore = before_[out], oldLast = last_[out], oldAfter = thread_[oldLast];
  size_t length = 0;
  for (int32_t u = in;; u = parent_[u]) {
    stem_[length] = u;
    stemBefore_[length] = before_[u];
    stemLast_[length] = last_[u];
    stemAfter_[length] = thread_[last_[u]];
    stemSize_[length] = size_[u];
    length++;
    if (u == out) break;
  }

  // Out of the old place.
  thread_[oldBefore] = oldAfter;
  before_[oldAfter] = oldBefore;
  for (int32_t u = oldParent; u >= 0 && last_[u] == oldLast; u = parent_[u]) last_[u] = oldBefore;
  for (int32_t u = oldParent; u != join; u = parent_[u]) size_[u] -= total;

  // Each node of the stem comes behind the subtree of the one below it, with the rest of its own.
  const int32_t newAfter = thread_[newParent];
  int32_t tail = newParent;
  const auto append = [&](int32_t first, int32_t last) {
    thread_[tail] = first;
    before_[first] = tail;
    tail = last;
  };
  append(in, stemLast_[0]);
  for (size_t k = 1; k < length; k++) {
    append(stem_[k], stemBefore_[k - 1]);
    if (stemLast_[k - 1] != stemLast_[k]) append(stemAfter_[k - 1], stemLast_[k]);
  }
  thread_[tail] = newAfter;
  before_[newAfter] = tail;

  for (size_t k = length - 1; k > 0; k--) {
    const int32_t u = stem_[k], child = stem_[k - 1];
    parent_[u] = child;
    up_[u] = !up_[child];
    cost_[u] = cost_[child];
    flow_[u] = flow_[child];
    size_[u] = total - stemSize_[k - 1];
    last_[u] = tail;
  }
  parent_[in] = newParent;
  size_[in] = total;
  last_[in] = tail;
  for (int32_t u = newParent; u >= 0 && last_[u] == newParent; u = parent_[u]) last_[u] = tail;
  for (int32_t u = newParent; u != join; u = parent_[u]) size_[u] += total;
}

// Potentials of the subtree, or those of all others the opposite way where they are fewer: only differences
// count.
void SpanningTree::shift(int32_t in, double change, uint8_t level) {
  const int32_t end = thread_[last_[in]];
  if (level_[in] != level) {
    for (int32_t u = in; u != end; u = thread_[u]) level_[u] = level;
  }
  if (2 * size_[in] <= root_) {
    addPotential(in, last_[in], size_[in], change);
  } else {
    addPotential(end, before_[in], root_ + 1 - size_[in], -change);
  }
}

// To `count` nodes of the thread from `first` to `last`. From both ends: each step waits for the one before,
// so that two chains take little longer than one of them.
void SpanningTree::addPotential(int32_t first, int32_t last, int32_t count, double change) {
  int32_t u = first, v = last;
  for (; count > 1; count -= 2) {
    pi_[u] += change;
    pi_[v] += change;
    u = thread_[u];
    v = before_[v];
  }
  if (count == 1) pi_[u] += change;
}

void SpanningTree::recomputePotentials() {
  pi_[root_] = 0;
  for (int32_t u = thread_[root_]; u != root_; u = thread_[u]) {
    pi_[u] = up_[u] ? pi_[parent_[u]] - cost_[u] : pi_[parent_[u]] + cost_[u];
  }
}

void SpanningTree::recomputeFlows(const double* a, const double* b) {
  Aligned<double> excess(root_ + 1);
  for (int32_t u = 0; u < root_; u++) excess[u] = u < n_ ? a[u] : -b[u - n_];
  for (int32_t u = before_[root_]; u != root_; u = before_[u]) {
    if (!(flow_[u] > 0)) continue;
    flow_[u] = std::max(0.0, up_[u] ? excess[u] : -excess[u]);
    excess[parent_[u]] += excess[u];
  }
}

}  // namespace extrema::transport
