#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

#include "core/error.h"
#include "transport/solve.h"

namespace extrema::transport {

namespace {

// Maximum flow from rows (supplies a) to columns (demands b) over the allowed arcs, by augmenting paths after
// a greedy start. Only arcs with flow are stored; searches strike off columns as they reach them.
class Flow {
 public:
  Flow(const Problem& problem, double mass)
      : problem_(problem),
        least_(1e-12 * mass),
        supply_(problem.a, problem.a + problem.n),
        demand_(problem.b, problem.b + problem.m),
        into_(problem.m) {}

  // Returns the supply that finds no way; `rows` and `columns` are then the source side of a minimum cut.
  double run(const Monitor& monitor, std::vector<char>& rows, std::vector<char>& columns) {
    for (size_t i = 0; i < problem_.n; i++) {
      for (size_t j = 0; j < problem_.m && supply_[i] > 0; j++) {
        if (demand_[j] > 0 && allowed(i, j)) push(i, j, std::min(supply_[i], demand_[j]));
      }
    }
    while (!monitor.cancelled() && augment(rows, columns)) {
    }
    return std::accumulate(supply_.begin(), supply_.end(), 0.0);
  }

  // A node that no arc leads to, however little its weight: returns that and marks the cut, or 0.
  double findLonely(std::vector<char>& rows, std::vector<char>& columns) const {
    std::vector<char> reached(problem_.m, 0);
    for (size_t i = 0; i < problem_.n; i++) {
      bool any = false;
      for (size_t j = 0; j < problem_.m; j++) {
        if (!allowed(i, j)) continue;
        any = true;
        reached[j] = 1;
      }
      if (any) continue;
      rows.assign(problem_.n, 0);
      rows[i] = 1;
      columns.assign(problem_.m, 0);
      return problem_.a[i];
    }
    for (size_t j = 0; j < problem_.m; j++) {
      if (reached[j]) continue;
      rows.assign(problem_.n, 1);
      columns = reached;
      return problem_.b[j];
    }
    return 0;
  }

 private:
  struct Arc {
    size_t row;
    double flow;
  };

  bool allowed(size_t i, size_t j) const {
    if (i >= problem_.coreN() || j >= problem_.coreM()) return i < problem_.coreN() || j < problem_.coreM();
    const size_t k = i * problem_.coreM() + j;
    return problem_.cost64 != nullptr ? std::isfinite(problem_.cost64[k]) : std::isfinite(problem_.cost32[k]);
  }

  void addFlow(size_t i, size_t j, double amount) {
    for (Arc& arc : into_[j]) {
      if (arc.row != i) continue;
      arc.flow += amount;
      return;
    }
    into_[j].push_back({i, amount});
  }
  void push(size_t i, size_t j, double amount) {
    addFlow(i, j, amount);
    supply_[i] -= amount;
    demand_[j] -= amount;
  }

  // A breadth-first search from all rows with supply left to a column with demand left; moves flow along the
  // path.
  bool augment(std::vector<char>& rows, std::vector<char>& columns) {
    const size_t none = problem_.n + problem_.m;
    std::vector<size_t> rowParent(problem_.n, none), columnParent(problem_.m, none), queue, open(problem_.m);
    std::iota(open.begin(), open.end(), size_t{0});
    rows.assign(problem_.n, 0);
    columns.assign(problem_.m, 0);
    for (size_t i = 0; i < problem_.n; i++) {
      if (supply_[i] <= least_) continue;
      rows[i] = 1;
      queue.push_back(i);
    }
    for (size_t head = 0; head < queue.size(); head++) {
      const size_t i = queue[head];
      size_t left = 0;
      for (size_t k = 0; k < open.size(); k++) {
        const size_t j = open[k];
        if (!allowed(i, j)) {
          open[left++] = j;
          continue;
        }
        columns[j] = 1;
        columnParent[j] = i;
        if (demand_[j] > least_) {
          moveAlong(j, rowParent, columnParent, none);
          return true;
        }
        for (const Arc& arc : into_[j]) {
          if (rows[arc.row] || arc.flow <= 0) continue;
          rows[arc.row] = 1;
          rowParent[arc.row] = j;
          queue.push_back(arc.row);
        }
      }
      open.resize(left);
    }
    return false;
  }

  void moveAlong(size_t last, const std::vector<size_t>& rowParent, const std::vector<size_t>& columnParent,
                 size_t none) {
    double amount = demand_[last];
    size_t i = columnParent[last];
    for (; rowParent[i] != none; i = columnParent[rowParent[i]])
      amount = std::min(amount, flowOf(i, rowParent[i]));
    amount = std::min(amount, supply_[i]);
    supply_[i] -= amount;
    demand_[last] -= amount;
    for (size_t j = last;;) {
      const size_t row = columnParent[j];
      addFlow(row, j, amount);
      if (rowParent[row] == none) break;
      j = rowParent[row];
      addFlow(row, j, -amount);
    }
  }
  double flowOf(size_t i, size_t j) const {
    for (const Arc& arc : into_[j]) {
      if (arc.row == i) return arc.flow;
    }
    return 0;
  }

  const Problem& problem_;
  double least_;
  std::vector<double> supply_, demand_;
  std::vector<std::vector<Arc>> into_;  // arcs with flow, by column
};

std::string firstOf(const std::vector<char>& in) {
  std::ostringstream text;
  size_t shown = 0;
  for (size_t k = 0; k < in.size(); k++) {
    if (!in[k]) continue;
    if (shown == 5) return text.str() + ", …";
    text << (shown++ ? ", " : "") << k;
  }
  return text.str();
}

}  // namespace

void checkFeasible(const Problem& problem, double mass, const Monitor& monitor) {
  const bool bordered = problem.borderRow || problem.borderColumn;
  if (bordered) {  // what is to move between the nodes themselves
    mass = sum(problem.a, problem.coreN()) - (problem.borderColumn ? problem.b[problem.m - 1] : 0);
  }
  std::vector<char> rows, columns;
  Flow flow(problem, mass);
  double missing = flow.run(monitor, rows, columns);
  if (monitor.cancelled()) return;
  const double lonely = flow.findLonely(rows, columns);
  if (lonely > 0) missing = lonely;
  if (lonely == 0 && missing <= 1e-9 * mass) return;
  if (bordered) {
    std::ostringstream text;
    text << "mass: expected at most " << mass - missing << ", which the allowed (finite) arcs can move, got "
         << mass;
    throw Error("ERR_INFEASIBLE", text.str());
  }
  double supply = 0, demand = 0;
  for (size_t i = 0; i < problem.n; i++) supply += rows[i] ? problem.a[i] : 0;
  for (size_t j = 0; j < problem.m; j++) demand += columns[j] ? problem.b[j] : 0;
  std::ostringstream text;
  text << "cost: expected allowed (finite) arcs for all mass; rows " << firstOf(rows) << " supply " << supply
       << " but reach ";
  const std::string reached = firstOf(columns);
  text << (reached.empty() ? "no column"
                           : "only columns " + reached + " that take " + std::to_string(demand));
  throw Error("ERR_INFEASIBLE", text.str());
}

}  // namespace extrema::transport
