#include <algorithm>
#include <limits>

#include "core/error.h"
#include "moe/demand.h"
#include "moe/rows.h"

namespace extrema::moe {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Most sweeps for the prices to start from, and how much imbalance for each expert a sweep must take away:
// moving that many tokens along paths costs as much.
constexpr int kSweeps = 30;
constexpr double kProgress = 2;

// Successive shortest paths in the residual network, whose nodes are the experts, one more for "no expert" if
// tokens may take fewer than k, and the sink behind them. A unit is one of the k places of a token. Moving a
// unit from expert a to b loses s_ta - s_tb; only the unit that loses least matters, so a path costs
// O(experts²) however many tokens there are. Prices are the potentials: s_ta - s_tb - p_a + p_b >= 0 for all
// units of a and all b that the token does without.
class Paths {
 public:
  Paths(const Routing& routing, Demand& demand, RoutingReport& report, Monitor& monitor)
      : routing_(routing),
        report_(report),
        monitor_(monitor),
        nodes_(routing.experts + (routing.partial ? 1 : 0)),
        sink_(nodes_),
        price_(nodes_ + 1),
        room_(nodes_ + 1),
        excess_(nodes_ + 1),
        head_(nodes_, -1),
        at_(routing.tokens * routing.k),
        next_(at_.size()),
        previous_(at_.size()),
        loss_(nodes_ * routing.experts),
        unit_(nodes_ * routing.experts),
        leave_(nodes_, kInfinity),
        leaver_(nodes_, -1),
        distance_(nodes_ + 1),
        parent_(nodes_ + 1),
        done_(nodes_ + 1),
        dirty_(nodes_),
        held_(routing.k),
        heldLoss_(routing.k),
        heldUnit_(routing.k) {
    std::copy(demand.prices.begin(), demand.prices.end(), price_.begin());
    for (size_t t = routing.tokens; t-- > 0;) {
      const int32_t* taken;
      const size_t count = demand.taken(t, &taken);
      for (size_t r = routing.k; r-- > 0;)
        enter(t * routing.k + r, r < count ? static_cast<size_t>(taken[r]) : routing.experts);
    }
    // An expert with a price is filled, whatever the load: what it lacks is to come from those with too much.
    int64_t filled = 0;
    for (size_t e = 0; e < nodes_; e++) {
      int64_t load = 0;
      for (int64_t u = head_[e]; u >= 0; u = next_[static_cast<size_t>(u)]) load++;
      const int64_t capacity = capacityOf(e), taken = price_[e] > 0 ? capacity : std::min(load, capacity);
      room_[e] = capacity - taken;
      excess_[e] = load - taken;
      filled += taken;
    }
    excess_[sink_] = filled - static_cast<int64_t>(at_.size());
  }

  // True when everything is in its place.
  bool run() {
    for (size_t e = 0; e < nodes_; e++) {
      if (monitor_.cancelled()) return false;
      findLosses(e);
    }
    for (;;) {
      int64_t left = 0;
      for (const int64_t excess : excess_) left += std::max<int64_t>(0, excess);
      if (left == 0) return true;
      monitor_.progress(report_.augmentations, static_cast<double>(left));
      if (monitor_.cancelled() || monitor_.expired()) return false;
      push(search());
      report_.augmentations++;
    }
  }

  void write(int32_t* choices, double* prices) const {
    for (size_t u = 0; u < at_.size(); u++)
      choices[u] = at_[u] < routing_.experts ? static_cast<int32_t>(at_[u]) : -1;
    for (size_t e = 0; e < routing_.experts; e++) prices[e] = std::max(0.0, price_[e] - price_[sink_]);
  }

 private:
  bool isExpert(size_t e) const { return e < routing_.experts; }
  int64_t capacityOf(size_t e) const {
    return isExpert(e) ? routing_.capacity[e] : static_cast<int64_t>(at_.size());
  }
  double score(size_t unit, size_t e) const {
    return isExpert(e) ? routing_.scores[unit / routing_.k * routing_.experts + e] : 0;
  }

  void enter(size_t unit, size_t e) {
    at_[unit] = e;
    previous_[unit] = -1;
    next_[unit] = head_[e];
    if (head_[e] >= 0) previous_[static_cast<size_t>(head_[e])] = static_cast<int64_t>(unit);
    head_[e] = static_cast<int64_t>(unit);
  }
  void leave(size_t unit) {
    if (previous_[unit] >= 0) {
      next_[static_cast<size_t>(previous_[unit])] = next_[unit];
    } else {
      head_[at_[unit]] = next_[unit];
    }
    if (next_[unit] >= 0) previous_[static_cast<size_t>(next_[unit])] = previous_[unit];
  }

  bool holds(size_t token, size_t e) const {
    for (size_t r = 0; r < routing_.k; r++) {
      if (at_[token * routing_.k + r] == e) return true;
    }
    return false;
  }

  // Offers what moving `unit` from a would lose. The experts that its token holds already are left as they
  // are.
  void offer(size_t a, size_t unit) {
    const size_t token = unit / routing_.k;
    double* loss = &loss_[a * routing_.experts];
    int64_t* units = &unit_[a * routing_.experts];
    for (size_t r = 0; r < routing_.k; r++) {
      const size_t e = held_[r] = at_[token * routing_.k + r];
      if (!isExpert(e)) continue;
      heldLoss_[r] = loss[e];
      heldUnit_[r] = units[e];
    }
    const double own = score(unit, a);
    lowerLosses(routing_.scores + token * routing_.experts, own, static_cast<int64_t>(unit), loss, units,
                routing_.experts);
    for (size_t r = 0; r < routing_.k; r++) {
      if (!isExpert(held_[r])) continue;
      loss[held_[r]] = heldLoss_[r];
      units[held_[r]] = heldUnit_[r];
    }
    if (own < leave_[a]) {
      leave_[a] = own;
      leaver_[a] = static_cast<int64_t>(unit);
    }
  }

  // The least losses of moving away from a, from scratch.
  void findLosses(size_t a) {
    std::fill_n(&loss_[a * routing_.experts], routing_.experts, kInfinity);
    std::fill_n(&unit_[a * routing_.experts], routing_.experts, -1);
    leave_[a] = kInfinity;
    leaver_[a] = -1;
    for (int64_t u = head_[a]; u >= 0; u = next_[static_cast<size_t>(u)]) offer(a, static_cast<size_t>(u));
    dirty_[a] = false;
  }

  double lossOf(size_t a, size_t b) const {
    return isExpert(b) ? loss_[a * routing_.experts + b] : leave_[a];
  }
  size_t unitOf(size_t a, size_t b) const {
    return static_cast<size_t>(isExpert(b) ? unit_[a * routing_.experts + b] : leaver_[a]);
  }

  // Dijkstra's search from all nodes with too much to the nearest with too little; prices move by the
  // distances.
  size_t search() {
    std::fill(distance_.begin(), distance_.end(), kInfinity);
    std::fill(done_.begin(), done_.end(), false);
    for (size_t e = 0; e <= sink_; e++) {
      if (excess_[e] <= 0) continue;
      distance_[e] = 0;
      parent_[e] = e;
    }
    for (;;) {
      size_t a = sink_ + 1;
      for (size_t e = 0; e <= sink_; e++) {
        if (!done_[e] && (a > sink_ || distance_[e] < distance_[a])) a = e;
      }
      const double here = distance_[a];
      if (here == kInfinity)
        throw Error("ERR_INTERNAL", "route: no way to room; the capacities were checked");
      if (excess_[a] < 0) {
        for (size_t e = 0; e <= sink_; e++) price_[e] += here - std::min(here, distance_[e]);
        length_ = here;
        return a;
      }
      done_[a] = true;
      for (size_t b = 0; b <= sink_; b++) {
        if (done_[b]) continue;
        double loss;
        if (b == sink_) {
          loss = room_[a] > 0 ? 0 : kInfinity;
        } else if (a == sink_) {
          loss = room_[b] < capacityOf(b) ? 0 : kInfinity;
        } else {
          loss = lossOf(a, b);
        }
        const double through = here + std::max(0.0, loss - price_[a] + price_[b]);
        if (through >= distance_[b]) continue;
        distance_[b] = through;
        parent_[b] = a;
      }
    }
  }

  // Moves along the path to `target`: one unit, or where paths of no length show that there are ties, as many
  // as go.
  void push(size_t target) {
    size_t source = target;
    for (; parent_[source] != source; source = parent_[source]) {
    }
    int64_t amount = std::min(excess_[source], -excess_[target]);
    if (length_ > 0) amount = 1;
    for (size_t b = target; b != source && amount > 1; b = parent_[b])
      amount = std::min(amount, alike(parent_[b], b, amount));
    excess_[source] -= amount;
    excess_[target] += amount;
    moved_.clear();
    for (size_t b = target; b != source; b = parent_[b]) {
      const size_t a = parent_[b];
      if (b == sink_) {
        room_[a] -= amount;
      } else if (a == sink_) {
        room_[b] += amount;
      } else if (amount == 1) {
        moved_.push_back({unitOf(a, b), a, b});
      } else {
        alike(a, b, amount, true);
      }
    }
    for (const Move& move : moved_) {
      leave(move.unit);
      enter(move.unit, move.to);
    }
    for (const Move& move : moved_) update(move);
    for (size_t e = 0; e < nodes_; e++) {
      if (dirty_[e]) findLosses(e);
    }
  }

  // How many units, up to `most`, go from a to b at the least loss; they are added to the moves if `take`.
  int64_t alike(size_t a, size_t b, int64_t most, bool take = false) {
    if (b == sink_) return std::min(most, room_[a]);
    if (a == sink_) return std::min(most, capacityOf(b) - room_[b]);
    const double loss = lossOf(a, b);
    int64_t count = 0;
    for (int64_t u = head_[a]; u >= 0 && count < most; u = next_[static_cast<size_t>(u)]) {
      const size_t unit = static_cast<size_t>(u);
      if (score(unit, a) - score(unit, b) != loss || (isExpert(b) && holds(unit / routing_.k, b))) continue;
      count++;
      if (take) moved_.push_back({unit, a, b});
    }
    return count;
  }

  struct Move {
    size_t unit, from, to;
  };

  // After a move: marks what lost its best unit as dirty, and offers the unit where it has become free to go.
  void update(const Move& move) {
    const int64_t unit = static_cast<int64_t>(move.unit);
    const size_t token = move.unit / routing_.k, experts = routing_.experts;
    dirty_[move.from] = true;
    if (!dirty_[move.to]) offer(move.to, move.unit);
    // The token's other units may now go to `from`, but no longer to `to`.
    for (size_t r = 0; r < routing_.k; r++) {
      const size_t other = token * routing_.k + r, e = at_[other];
      if (static_cast<int64_t>(other) == unit || dirty_[e]) continue;
      if (isExpert(move.to) && unit_[e * experts + move.to] == static_cast<int64_t>(other)) {
        dirty_[e] = true;
      } else if (isExpert(move.from) && !holds(token, move.from)) {
        const double loss = score(other, e) - score(other, move.from);
        if (loss >= loss_[e * experts + move.from]) continue;
        loss_[e * experts + move.from] = loss;
        unit_[e * experts + move.from] = static_cast<int64_t>(other);
      }
    }
  }

  const Routing& routing_;
  RoutingReport& report_;
  Monitor& monitor_;
  size_t nodes_, sink_;
  std::vector<double> price_;
  std::vector<int64_t> room_, excess_;  // room: what the node could still send to the sink
  std::vector<int64_t> head_;           // lists of the units at each node
  std::vector<size_t> at_;
  std::vector<int64_t> next_, previous_;
  std::vector<double> loss_;  // nodes × experts: of the unit that loses least
  std::vector<int64_t> unit_;
  std::vector<double> leave_;  // the same for leaving without another expert
  std::vector<int64_t> leaver_;
  std::vector<double> distance_;
  std::vector<size_t> parent_;
  std::vector<char> done_, dirty_;
  std::vector<size_t> held_;
  std::vector<double> heldLoss_;
  std::vector<int64_t> heldUnit_;
  std::vector<Move> moved_;
  double length_ = 0;
};

}  // namespace

void route(const Routing& routing, int32_t* choices, double* prices, RoutingReport& report,
           Monitor& monitor) {
  Demand demand(routing, monitor);
  demand.evaluate();
  double imbalance = demand.imbalance();
  for (int sweep = 0; sweep < kSweeps && imbalance > 0 && !monitor.cancelled() && !monitor.expired();
       sweep++) {
    for (size_t e = 0; e < routing.experts && !monitor.cancelled(); e++) demand.balance(e);
    report.sweeps++;
    const double now = demand.imbalance();
    const bool goesOn = imbalance - now >= kProgress * static_cast<double>(routing.experts);
    imbalance = now;
    if (!goesOn) break;
  }
  if (monitor.cancelled()) return;
  Paths paths(routing, demand, report, monitor);
  if (!paths.run()) report.ended = Ended::timeLimit;
  if (monitor.cancelled()) return;
  paths.write(choices, prices);
  for (size_t u = 0; u < routing.tokens * routing.k; u++) {
    if (choices[u] >= 0)
      report.value += routing.scores[u / routing.k * routing.experts + static_cast<size_t>(choices[u])];
  }
  std::copy_n(prices, routing.experts, demand.prices.begin());
  demand.evaluate();
  report.bound = demand.bound();
}

}  // namespace extrema::moe
