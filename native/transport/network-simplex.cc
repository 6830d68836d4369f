#include "transport/network-simplex.h"

#include <algorithm>
#include <cmath>

#include "transport/spanning-tree.h"

namespace extrema::transport {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Arcs that the simplex method starts with, of each row and each column.
constexpr size_t kPerRow = 16, kPerColumn = 4;
// Arcs of a row that a round of pricing adds, at most.
constexpr size_t kAdded = 8;
constexpr size_t kLeastBlock = 10;
// Reduced costs that are smaller in relation to the potentials are rounding.
constexpr double kRounding = 0x1p-48, kHugeRounding = 0x1p-42;
// Mass that finds no way, in relation to all, is the rounding of the weights.
constexpr double kUnshipped = 1e-9;
// A plan with a larger marginal error is none.
constexpr double kIncomplete = 1e-8;
// More than rounding leaves of the residual of an optimal basis.
constexpr double kProof = 1e-12;
// Costs that exceed all smaller ones by this factor are huge.
constexpr double kHuge = 0x1p26;
constexpr int kPollPivots = 64;
constexpr int kMostSettling = 20;
// Rounds of n + m pivots without any gain: they go in circles, by rounding.
constexpr int kPatience = 100;

class NetworkSimplex {
 public:
  NetworkSimplex(const ExactProblem& problem, const ExactOptions& options, ExactReport& report,
                 Monitor& monitor)
      : problem_(problem.cost),
        n_(problem_.n),
        m_(problem_.m),
        options_(options),
        report_(report),
        monitor_(monitor),
        source_(problem.arcs != nullptr ? listedArcs(n_, m_, *problem.arcs, monitor)
                                        : matrixArcs(problem_, options.threads, monitor)),
        tree_(n_, m_),
        mass_(sum(problem_.a, n_)),
        untilCheck_(n_ + m_) {}

  // f and g: a start (g, if there is one), and room to work.
  void run(double* f, double* g) {
    source_->check();
    if (!monitor_.cancelled() && start(f, g)) {
      while (pivot() && price(f, g)) {
      }
    }
  }

  void finish(double* f, double* g, const ExactPlan& plan) {
    if (report_.status == ExactStatus::infeasible) {
      if (built_) findCut(f, g);
    } else {
      tree_.recomputeFlows(problem_.a, problem_.b);
      writePlan(plan);
      certify(plan, f, g);
    }
  }

 private:
  bool start(double* f, double* g) {
    if (!options_.warm) {
      std::fill_n(f, n_, 0.0);
      source_->columnMinima(f, g);
    }
    for (size_t j = 0; j < m_; j++) {
      if (g[j] == kInfinity) g[j] = 0;  // no arc leads there
    }
    source_->nearest(kPerRow, kPerColumn, g, f, arcs_, all_);
    if (monitor_.cancelled()) return false;
    if (isLonely(f, g)) return stop(ExactStatus::infeasible);
    setHugeAside();
    Aligned<double> left(n_ + m_);
    std::vector<Shipment> shipments;
    greedyStart(arcs_, f, g, problem_.a, n_, problem_.b, m_, shipments, left.data());
    tree_.build(shipments, left.data(), f, g);
    built_ = true;
    return true;
  }

  // Whether some node has no arc at all; then marks the cut.
  bool isLonely(double* f, double* g) const {
    std::vector<uint8_t> rows(n_, 0), columns(m_, 0);
    for (size_t k = 0; k < arcs_.size(); k++) rows[arcs_.row[k]] = columns[arcs_.column[k]] = 1;
    const bool row = std::count(rows.begin(), rows.end(), 0) > 0;
    if (!row && std::count(columns.begin(), columns.end(), 0) == 0) return false;
    for (size_t i = 0; i < n_; i++) f[i] = !row || !rows[i];
    for (size_t j = 0; j < m_; j++) g[j] = !row && columns[j];
    return true;
  }

  // Costs far above all others mean that an arc is not wanted, and in potentials they would drown the others.
  // Such arcs stay out as long as there is a plan without them.
  void setHugeAside() {
    std::vector<double> sizes;
    for (const double cost : arcs_.cost) {
      if (cost != 0) sizes.push_back(std::fabs(cost));
    }
    if (sizes.empty()) {
      mostCost_ = 0;
      return;
    }
    const auto [least, most] = std::minmax_element(sizes.begin(), sizes.end());
    mostCost_ = kHuge * *most;
    if (*most < kHuge * *least) return;
    std::sort(sizes.begin(), sizes.end());
    for (size_t k = sizes.size(); k-- > 1;) {
      if (sizes[k] < kHuge * sizes[k - 1]) continue;
      mostCost_ = std::sqrt(sizes[k - 1]) * std::sqrt(sizes[k]);
      break;
    }
    Arcs kept;
    for (size_t k = 0; k < arcs_.size(); k++) {
      (arcs_.cost[k] > mostCost_ ? huge_ : kept).add(arcs_.row[k], arcs_.column[k], arcs_.cost[k]);
    }
    arcs_ = std::move(kept);
  }

  void takeHuge() {
    mostCost_ = kInfinity;
    rounding_ = kHugeRounding;
    for (size_t k = 0; k < huge_.size(); k++) arcs_.add(huge_.row[k], huge_.column[k], huge_.cost[k]);
    huge_ = Arcs();
  }

  // Pivots until no arc of the list is violated; false if something else ends it.
  bool pivot() {
    for (int settling = 0; settling < kMostSettling; settling++) {
      const double before = report_.iterations;
      for (;;) {
        const size_t k = tree_.unbalanced() ? findUrgent() : find();
        if (k == arcs_.size()) break;
        if (report_.iterations >= options_.maxIterations) return stop(ExactStatus::iterationLimit);
        tree_.pivot(arcs_.row[k], node(arcs_.column[k]), arcs_.cost[k]);
        report_.iterations++;
        if (--untilPoll_ == 0 && over()) return false;
        if (--untilCheck_ == 0 && circles()) return stop(ExactStatus::stalled);
      }
      tree_.recomputePotentials();
      if (report_.iterations == before) return !over();
    }
    return stop(ExactStatus::stalled);
  }

  // Every n + m pivots.
  bool circles() {
    untilCheck_ = n_ + m_;
    tree_.recomputePotentials();
    const double unshipped = tree_.unbalanced() ? tree_.unshipped() : 0, value = tree_.value();
    const bool gain = unshipped < leastUnshipped_ || (unshipped == leastUnshipped_ && value < leastValue_);
    withoutGain_ = gain ? 0 : withoutGain_ + 1;
    if (gain) {
      leastUnshipped_ = unshipped;
      leastValue_ = value;
    }
    return withoutGain_ == kPatience;
  }

  double lowered(double potential) const { return potential - rounding_ * std::fabs(potential); }

  // A violated arc of the list: the worst in the first block that has any.
  size_t find() {
    const double* pi = tree_.pi();
    const size_t count = arcs_.size();
    const size_t block = blockSize();
    for (size_t scanned = 0; scanned < count;) {
      const size_t begin = next_, end = std::min(begin + block, count);
      size_t found = count;
      double best = 0;
      for (size_t k = begin; k < end; k++) {
        const double f = -pi[arcs_.row[k]], g = pi[node(arcs_.column[k])], cost = arcs_.cost[k];
        const double reduced = cost - g - f;
        if (!(reduced < best) || !(cost - lowered(g) < lowered(f))) continue;
        best = reduced;
        found = k;
      }
      scanned += end - begin;
      next_ = end < count ? end : 0;
      if (found < count) return found;
    }
    return count;
  }

  // The same while something is over in some components and lacking in others: arcs that lead from one to
  // the other go before all others.
  size_t findUrgent() {
    const double* pi = tree_.pi();
    const uint8_t* level = tree_.level();
    const size_t count = arcs_.size();
    const size_t block = blockSize();
    for (size_t scanned = 0; scanned < count;) {
      const size_t begin = next_, end = std::min(begin + block, count);
      size_t found = count;
      double best = 0;
      bool urgent = false;
      for (size_t k = begin; k < end; k++) {
        const int32_t i = arcs_.row[k], j = node(arcs_.column[k]);
        if (level[i] > level[j]) continue;
        const double f = -pi[i], g = pi[j], cost = arcs_.cost[k];
        const double reduced = cost - g - f;
        if (level[i] < level[j]) {
          if (urgent && !(reduced < best)) continue;
          urgent = true;
        } else if (urgent || !(reduced < best) || !(cost - lowered(g) < lowered(f))) {
          continue;
        }
        best = reduced;
        found = k;
      }
      scanned += end - begin;
      next_ = end < count ? end : 0;
      if (found < count) return found;
    }
    return count;
  }

  size_t blockSize() const {
    return std::max(kLeastBlock, static_cast<size_t>(std::sqrt(static_cast<double>(arcs_.size()))));
  }
  int32_t node(int32_t column) const { return static_cast<int32_t>(n_) + column; }

  // Looks at all arcs and adds violated ones to the list. False if there is nothing left to do.
  bool price(double* f, double* g) {
    if (all_) {
      if (tree_.unbalanced()) return giveUp();
      if (huge_.size() == 0) return false;
      takeHuge();
      return true;
    }
    const double* pi = tree_.pi();
    PricePass pass;
    pass.most = kAdded;
    pass.limit = f;
    for (size_t i = 0; i < n_; i++) f[i] = lowered(-pi[i]);
    for (size_t j = 0; j < m_; j++) g[j] = lowered(pi[n_ + j]);
    const bool unbalanced = tree_.unbalanced();
    if (unbalanced) {
      separate(pass, g);
    } else {
      if (rowMin_.empty()) rowMin_ = Aligned<double>(n_);
      pass.g[0] = g;
      pass.rowMin = rowMin_.data();
    }
    const size_t before = arcs_.size();
    source_->price(pass, arcs_);
    report_.rounds++;
    if (over()) return false;
    if (!unbalanced) {
      bound(g);
      if (report_.residual <= options_.tolerance) return false;
    }
    return arcs_.size() > before || (unbalanced && giveUp());
  }

  // What rows see of the columns, by the level of their component.
  void separate(PricePass& pass, const double* g) {
    const uint8_t* level = tree_.level();
    for (Aligned<double>& column : columns_) {
      if (column.empty()) column = Aligned<double>(m_);
    }
    for (size_t j = 0; j < m_; j++) {
      columns_[0][j] = level[n_ + j] == 0 ? g[j] : -kInfinity;
      columns_[1][j] = level[n_ + j] == 1 ? g[j] : -kInfinity;
    }
    pass.kind = level;
    pass.g[0] = columns_[0].data();
    pass.g[1] = pass.urgent[0] = columns_[1].data();
    pass.urgentLimit = mostCost_;
  }

  // No arc leads from where something is over to where it lacks.
  bool giveUp() {
    if (tree_.unshipped() <= kUnshipped * mass_) {
      tree_.dropArtificial();
    } else if (mostCost_ < kInfinity) {
      takeHuge();
    } else {
      return stop(ExactStatus::infeasible);
    }
    return true;
  }

  // The dual value of g with f_i = min_j (C_ij - g_j), which a pass has found.
  void bound(const double* g) {
    double value = 0, dual = 0, size = 0;
    tree_.forShipments([&](const Shipment& s) {
      value += s.flow * s.cost;
      size += s.flow * std::fabs(s.cost);
    });
    for (size_t i = 0; i < n_; i++) {
      dual += problem_.a[i] * rowMin_[i];
      size += problem_.a[i] * std::fabs(rowMin_[i]);
    }
    for (size_t j = 0; j < m_; j++) {
      dual += problem_.b[j] * g[j];
      size += problem_.b[j] * std::fabs(g[j]);
    }
    report_.residual = size > 0 ? std::max(0.0, value - dual) / size : 0;
  }

  bool stop(ExactStatus status) {
    report_.status = status;
    return false;
  }

  bool over() {
    untilPoll_ = kPollPivots;
    if (monitor_.cancelled()) return true;
    monitor_.progress(report_.iterations, report_.residual);
    if (!monitor_.expired()) return false;
    report_.status = ExactStatus::timeLimit;
    return true;
  }

  // The plan of the tree. If there was no time to complete it, the rest goes where it can.
  void writePlan(const ExactPlan& plan) {
    size_t count = 0;
    const auto write = [&](int32_t row, int32_t column, double mass) {
      plan.row[count] = row;
      plan.column[count] = column;
      plan.mass[count++] = mass;
    };
    tree_.forShipments([&](const Shipment& s) { write(s.row, s.column, s.flow); });
    if (tree_.unbalanced()) {
      std::vector<int32_t> rows, columns;
      Aligned<double> left(n_ + m_);
      tree_.forUnshipped([&](int32_t u, double flow) {
        (u < node(0) ? rows : columns).push_back(u);
        left[u] = flow;
      });
      for (const int32_t i : rows) {
        for (const int32_t j : columns) {
          const double amount = std::min(left[i], left[j]);
          if (!(amount > 0) || !(source_->cost(i, j - node(0)) < kInfinity)) continue;
          write(i, j - node(0), amount);
          left[i] -= amount;
          left[j] -= amount;
        }
        if (monitor_.cancelled()) return;
      }
    }
    report_.entries = static_cast<double>(count);
  }

  // Plan and potentials as they are given out, judged by themselves: the cost of one, the value of the others
  // after both c-transforms, which make them feasible.
  void certify(const ExactPlan& plan, double* f, double* g) {
    const double* pi = tree_.pi();
    const size_t count = static_cast<size_t>(report_.entries);
    Aligned<double> terms(std::max(count, n_ + m_)), left(n_ + m_);
    std::copy_n(problem_.a, n_, left.data());
    std::copy_n(problem_.b, m_, left.data() + n_);
    for (size_t k = 0; k < count; k++) {
      terms[k] = plan.mass[k] * source_->cost(plan.row[k], plan.column[k]);
      left[plan.row[k]] -= plan.mass[k];
      left[node(plan.column[k])] -= plan.mass[k];
    }
    report_.value = sum(terms.data(), count);
    double size = sumOfSizes(terms.data(), count);
    report_.marginalError = sumOfSizes(left.data(), n_ + m_) / mass_;
    report_.primal = report_.marginalError > kIncomplete ? kInfinity : report_.value;

    for (size_t i = 0; i < n_; i++) f[i] = -pi[i];
    source_->columnMinima(f, g);
    source_->rowMinima(g, f);
    for (size_t i = 0; i < n_; i++) terms[i] = problem_.a[i] * f[i];
    for (size_t j = 0; j < m_; j++) terms[n_ + j] = problem_.b[j] * g[j];
    report_.dual = sum(terms.data(), n_ + m_);
    size += sumOfSizes(terms.data(), n_ + m_);
    report_.residual = size > 0 ? std::max(0.0, report_.primal - report_.dual) / size : 0;
    if (report_.status == ExactStatus::converged || report_.status == ExactStatus::stalled) {
      const bool proven = report_.residual <= std::max(kProof, options_.tolerance);
      report_.status = proven ? ExactStatus::converged : ExactStatus::stalled;
    }
  }

  static double sumOfSizes(double* values, size_t count) {
    for (size_t k = 0; k < count; k++) values[k] = std::fabs(values[k]);
    return sum(values, count);
  }

  // Marks what mass with no way out can reach: by arcs, and within the components.
  void findCut(double* f, double* g) {
    const std::vector<int32_t> component = tree_.components();
    std::vector<std::vector<int32_t>> rowsOf(n_ + m_);
    for (size_t i = 0; i < n_; i++) rowsOf[component[i]].push_back(static_cast<int32_t>(i));
    std::vector<uint8_t> reached(n_ + m_, 0);
    std::vector<int32_t> rows;
    const auto reach = [&](int32_t top) {
      if (reached[top]) return;
      reached[top] = 1;
      rows.insert(rows.end(), rowsOf[top].begin(), rowsOf[top].end());
    };
    tree_.forUnshipped([&](int32_t u, double) {
      if (tree_.level()[u] == 0) reach(u);
    });
    for (size_t head = 0; head < rows.size() && !monitor_.cancelled(); head++) {
      for (size_t j = 0; j < m_; j++) {
        const int32_t top = component[n_ + j];
        if (!reached[top] && source_->cost(rows[head], j) < kInfinity) reach(top);
      }
    }
    for (size_t i = 0; i < n_; i++) f[i] = reached[component[i]];
    for (size_t j = 0; j < m_; j++) g[j] = reached[component[n_ + j]];
  }

  const Problem problem_;
  const size_t n_, m_;
  const ExactOptions& options_;
  ExactReport& report_;
  Monitor& monitor_;
  std::unique_ptr<ArcSource> source_;
  SpanningTree tree_;
  const double mass_;
  Arcs arcs_;  // that the simplex method knows
  Arcs huge_;  // costs above `mostCost_`, set aside
  double mostCost_ = kInfinity;
  double rounding_ = kRounding;
  int untilPoll_ = kPollPivots;
  size_t untilCheck_;
  double leastUnshipped_ = kInfinity, leastValue_ = kInfinity;
  int withoutGain_ = 0;
  bool all_ = false, built_ = false;
  size_t next_ = 0;
  Aligned<double> rowMin_, columns_[2];
};

}  // namespace

void networkSimplex(const ExactProblem& problem, const ExactOptions& options, double* f, double* g,
                    const ExactPlan& plan, ExactReport& report, Monitor& monitor) {
  NetworkSimplex simplex(problem, options, report, monitor);
  simplex.run(f, g);
  if (!monitor.cancelled()) simplex.finish(f, g, plan);
}

}  // namespace extrema::transport
