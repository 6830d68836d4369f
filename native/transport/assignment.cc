#include "transport/assignment.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/aligned.h"
#include "core/error.h"
#include "transport/assignment-rows.h"

namespace extrema::transport {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Entries handled between two looks at the clock.
constexpr size_t kPollWork = 1 << 16;
// Rounds of augmenting row reduction, and how many steps for each free row one may take.
constexpr int kRounds = 2;
constexpr size_t kStepsPerRow = 16;

// R. Jonker, A. Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment
// problems", Computing 38 (1987): prices v of the columns are found by column reduction, reduction transfer
// and augmenting row reduction, and the rows still free are assigned along shortest paths. n <= m; where n <
// m all prices start at 0, those of free columns stay there and the others are <= 0, as the dual of the
// rectangular problem wants it.
template <class T>
class Solver {
 public:
  Solver(const T* cost, size_t n, size_t m, bool maximize, bool transposed, AssignmentReport& report,
         Monitor& monitor)
      : cost_(cost),
        n_(n),
        m_(m),
        sign_(maximize ? -1 : 1),
        transposed_(transposed),
        report_(report),
        monitor_(monitor),
        v_(m),
        key_(m),
        parent_(m),
        columnOf_(n, -1),
        rowOf_(m, -1) {}

  void run() {
    checkCosts();
    if (n_ == m_ && !stopped()) reduceColumns();
    if (!stopped()) reduceRows();
    for (int round = 0; round < kRounds && !free_.empty() && !stopped(); round++) augmentRows();
    while (!free_.empty() && !stopped()) {
      const size_t row = free_.back();
      if (!augment(row)) break;
      free_.pop_back();
      report_.searches++;
      monitor_.progress(report_.searches, static_cast<double>(free_.size()));
    }
    if (monitor_.cancelled()) return;
    report_.timeLimit = std::find(columnOf_.begin(), columnOf_.end(), -1) != columnOf_.end();
    if (report_.timeLimit) completeGreedily();
  }

  // The column of each row, and prices u, v with u_i + v_j <= sign C_ij.
  const std::vector<int64_t>& columns() const { return columnOf_; }
  const double* v() const { return v_.data(); }
  double u(size_t i) const { return twoLeast(row(i), sign_, v_.data(), m_).first; }

 private:
  const T* row(size_t i) const { return cost_ + i * m_; }
  double reduced(size_t i, size_t j) const { return sign_ * row(i)[j] - v_[j]; }

  bool stopped() const { return monitor_.cancelled() || stop_; }
  // Counts work, and looks at the clock now and then.
  bool spend(size_t work) {
    work_ += work;
    if (work_ >= kPollWork) {
      work_ = 0;
      stop_ = stop_ || monitor_.expired();
    }
    return stopped();
  }

  void checkCosts() {
    for (size_t i = 0; i < n_; i++) {
      if (!hasBadCost(row(i), sign_, m_)) continue;
      for (size_t j = 0; j < m_; j++) {
        if (sign_ * row(i)[j] > -kInfinity) continue;
        const size_t first = transposed_ ? j : i, second = transposed_ ? i : j;
        const char* came = std::isnan(row(i)[j]) ? "NaN" : sign_ > 0 ? "-Infinity" : "Infinity";
        throw Error("ERR_NOT_FINITE", "cost[" + std::to_string(first) + "][" + std::to_string(second) +
                                          "]: expected a finite number (or " +
                                          (sign_ > 0 ? "Infinity" : "-Infinity") +
                                          " for a forbidden arc), got " + came);
      }
      if (monitor_.cancelled()) return;
    }
  }

  // Square problems: v_j = min_i C_ij, and the row where it is gets the column if it has none yet.
  void reduceColumns() {
    std::fill(v_.begin(), v_.end(), kInfinity);
    for (size_t i = 0; i < n_ && !spend(m_); i++)
      columnMinima(row(i), sign_, static_cast<int64_t>(i), v_.data(), parent_.data(), m_);
    if (stopped()) {
      v_.clear();
      return;
    }
    for (size_t j = m_; j-- > 0;) {
      if (v_[j] == kInfinity) refuse(!transposed_, {j}, {});
      const size_t i = static_cast<size_t>(parent_[j]);
      if (columnOf_[i] < 0) assign(i, j);
    }
  }

  // What row i loses if it does not get its best column: prices may fall by that much when it takes it. Where
  // all other arcs are forbidden or dear beyond measure, a price that low would cost all others their digits:
  // see limit_.
  void reduceRows() {
    std::vector<double> gap(n_, 0), sorted;
    for (size_t i = 0; i < n_ && !spend(m_); i++) {
      const TwoLeast least = twoLeast(row(i), sign_, v_.data(), m_);
      if (least.first == kInfinity) refuse(transposed_, {i}, {});
      gap[i] = least.second - least.first;
      if (gap[i] > 0 && gap[i] < kInfinity) sorted.push_back(gap[i]);
    }
    if (!sorted.empty()) {
      const auto quarter = sorted.begin() + static_cast<ptrdiff_t>(sorted.size() / 4);
      std::nth_element(sorted.begin(), quarter, sorted.end());
      limit_ = 64 * *quarter;
    }
    for (size_t i = 0; i < n_; i++) {
      if (columnOf_[i] < 0) {
        free_.push_back(i);
      } else {
        v_[static_cast<size_t>(columnOf_[i])] -= std::min(gap[i], limit_);  // reduction transfer
      }
    }
  }

  // A free row takes its best column, whose price falls to where its second best is as good; a row that held
  // the column is free again.
  void augmentRows() {
    std::vector<size_t> left;
    size_t steps = kStepsPerRow * free_.size();
    while (!free_.empty() && steps > 0 && !spend(m_)) {
      steps--;
      const size_t i = free_.back();
      free_.pop_back();
      const TwoLeast least = twoLeast(row(i), sign_, v_.data(), m_);
      size_t j = findReduced(row(i), sign_, v_.data(), least.first, 0, m_);
      const double price = v_[j] - std::min(least.second - least.first, limit_);
      const bool lowers = price < v_[j];
      if (!lowers && rowOf_[j] >= 0) {
        // A tie: one of the other columns may be free.
        do {
          j = findReduced(row(i), sign_, v_.data(), least.first, j + 1, m_);
        } while (j < m_ && rowOf_[j] >= 0);
        if (j == m_) {
          left.push_back(i);
          continue;
        }
      }
      if (lowers) v_[j] = price;
      const int64_t displaced = rowOf_[j];
      assign(i, j);
      if (displaced < 0) continue;
      columnOf_[static_cast<size_t>(displaced)] = -1;
      free_.push_back(static_cast<size_t>(displaced));
    }
    free_.insert(free_.end(), left.begin(), left.end());
  }

  // Dijkstra's search from a free row to the nearest free column, over arcs of length sign C_ij - v_j - u_i.
  // False if it was stopped.
  bool augment(size_t start) {
    std::fill(key_.begin(), key_.end(), kInfinity);
    scanned_.clear();
    distance_.clear();
    size_t i = start, end = m_;
    double length = 0, h = 0;
    while (end == m_) {
      const double least =
          relax(row(i), sign_, v_.data(), h, static_cast<int64_t>(i), key_.data(), parent_.data(), m_);
      if (least == kInfinity) {
        // The rows that the search went through reach no other columns than those it went through, one fewer.
        std::vector<size_t> rows{start};
        for (const size_t j : scanned_) rows.push_back(static_cast<size_t>(rowOf_[j]));
        refuse(transposed_, rows, scanned_);
      }
      if (spend(m_)) return false;
      length = least;
      const size_t j = findKey(key_.data(), rowOf_.data(), length, m_);
      if (rowOf_[j] < 0) {
        end = j;
        break;
      }
      key_[j] = -kInfinity;
      scanned_.push_back(j);
      distance_.push_back(length);
      i = static_cast<size_t>(rowOf_[j]);
      h = reduced(i, j) - length;
    }
    for (size_t k = 0; k < scanned_.size(); k++) v_[scanned_[k]] += distance_[k] - length;
    for (size_t j = end;;) {
      const size_t from = static_cast<size_t>(parent_[j]);
      const int64_t next = columnOf_[from];
      assign(from, j);
      if (next < 0) return true;
      j = static_cast<size_t>(next);
    }
  }

  void assign(size_t i, size_t j) {
    columnOf_[i] = static_cast<int64_t>(j);
    rowOf_[j] = static_cast<int64_t>(i);
  }

  [[noreturn]] static void refuse(bool columns, const std::vector<size_t>& nodes,
                                  const std::vector<size_t>& reached) {
    const std::string own = columns ? "column" : "row", other = columns ? "row" : "column";
    throw Error("ERR_INFEASIBLE", "cost: expected allowed (finite) arcs for all " + own + "s, got " +
                                      listed(own, nodes) + " with arcs to " +
                                      (reached.empty() ? "no " + other : "only " + listed(other, reached)));
  }
  static std::string listed(const std::string& what, std::vector<size_t> list) {
    std::sort(list.begin(), list.end());
    std::string text = what + (list.size() == 1 ? "" : "s");
    for (size_t k = 0; k < std::min<size_t>(list.size(), 5); k++)
      text += (k ? ", " : " ") + std::to_string(list[k]);
    return list.size() > 5 ? text + ", …" : text;
  }

  // Out of time: each free row takes the best column that is left, if it may take any.
  void completeGreedily() {
    for (size_t i = 0; i < n_; i++) {
      if (columnOf_[i] >= 0) continue;
      size_t best = m_;
      for (size_t j = 0; j < m_; j++) {
        if (rowOf_[j] < 0 && sign_ * row(i)[j] < kInfinity &&
            (best == m_ || reduced(i, j) < reduced(i, best)))
          best = j;
      }
      if (best < m_) assign(i, best);
    }
  }

  const T* cost_;
  size_t n_, m_;
  double sign_;
  bool transposed_;
  AssignmentReport& report_;
  Monitor& monitor_;
  Aligned<double> v_, key_;
  Aligned<int64_t> parent_;
  std::vector<int64_t> columnOf_, rowOf_;
  std::vector<size_t> free_, scanned_;
  std::vector<double> distance_;
  double limit_ = 0;  // on how far a price may fall at once
  size_t work_ = 0;
  bool stop_ = false;
};

template <class T>
void solve(const AssignmentProblem& problem, const T* cost, int32_t* columns, double* f, double* g,
           AssignmentReport& report, Monitor& monitor) {
  const size_t n = problem.n, m = problem.m;
  const bool transposed = n > m;
  std::vector<T> turned;
  if (transposed) {
    turned.resize(n * m);
    constexpr size_t kTile = 16;
    for (size_t i0 = 0; i0 < n; i0 += kTile) {
      if (monitor.cancelled()) return;
      for (size_t j = 0; j < m; j++)
        for (size_t i = i0; i < std::min(n, i0 + kTile); i++) turned[j * n + i] = cost[i * m + j];
    }
  }
  const size_t rows = std::min(n, m), width = std::max(n, m);
  Solver<T> solver(transposed ? turned.data() : cost, rows, width, problem.maximize, transposed, report,
                   monitor);
  solver.run();
  if (monitor.cancelled()) return;

  const double sign = problem.maximize ? -1 : 1;
  double *own = transposed ? g : f, *others = transposed ? f : g;
  std::fill_n(columns, n, -1);
  for (size_t i = 0; i < rows; i++) {
    own[i] = sign * solver.u(i);
    report.dual += own[i];
    const int64_t j = solver.columns()[i];
    if (j < 0) {
      report.primal = sign * kInfinity;
      continue;
    }
    report.primal += transposed ? cost[static_cast<size_t>(j) * m + i] : cost[i * m + static_cast<size_t>(j)];
    if (transposed) {
      columns[j] = static_cast<int32_t>(i);
    } else {
      columns[i] = static_cast<int32_t>(j);
    }
  }
  for (size_t j = 0; j < width; j++) {
    others[j] = sign * solver.v()[j];
    report.dual += others[j];
  }
}

}  // namespace

void assignment(const AssignmentProblem& problem, int32_t* columns, double* f, double* g,
                AssignmentReport& report, Monitor& monitor) {
  if (problem.cost64 != nullptr) {
    solve(problem, problem.cost64, columns, f, g, report, monitor);
  } else {
    solve(problem, problem.cost32, columns, f, g, report, monitor);
  }
}

}  // namespace extrema::transport
