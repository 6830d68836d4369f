#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "transport/sparsity.h"

namespace extrema::transport {

namespace {

// An entry is as good as the last of a full column if it would be given at least this part of it.
constexpr double kTied = 1 - 2e-3;

// The s above which an entry is in the plan, or would be but for the entries allowed.
double tieLimit(double cut, size_t count, double potential, const ColumnTerms& terms) {
  if (count < terms.maxNonzeros) return cut;
  return terms.entropy ? cut + terms.gamma * std::log(kTied) : kTied * cut - (1 - kTied) * potential;
}

// Moves the candidates tied with the plan behind it and counts them.
size_t gatherTies(const ColumnSolver& solver, Candidates c) {
  if (solver.count < solver.terms.maxNonzeros) return 0;
  const double limit = tieLimit(solver.cut, solver.count, solver.potential, solver.terms);
  size_t end = solver.count;
  for (size_t i = end; i < c.count; i++) {
    if (c.s[i] < limit) continue;
    std::swap(c.s[end], c.s[i]);
    std::swap(c.index[end], c.index[i]);
    end++;
  }
  return end - solver.count;
}

class Measure : public ColumnVisitor {
 public:
  Measure(ColumnOracle& oracle, const double* x, const SparsityResult& result)
      : cost(oracle.columns.count), penalty(oracle.columns.count), oracle_(oracle), x_(x), result_(result) {}
  Aligned<double> cost, penalty;

  bool visit(size_t column, Candidates c, uint32_t, unsigned worker) override {
    ColumnSolver& solver = oracle_.solvers[worker];
    solver.solve(c, oracle_.demand[column], oracle_.potential[column]);
    const double gamma = solver.terms.gamma;
    double costs = 0, penalties = 0;
    for (size_t r = 0; r < solver.count; r++) {
      const double t = solver.plan[r];
      costs += t * (x_[c.index[r]] - c.s[r]);
      penalties += solver.terms.entropy ? (t > 0 ? gamma * t * (std::log(t) - 1) : 0) : 0.5 * gamma * t * t;
    }
    cost[column] = costs;
    penalty[column] = penalties;
    result_.nonzeros[column] = static_cast<int32_t>(solver.count);
    result_.ties[column] = static_cast<int32_t>(gatherTies(solver, c));
    return true;
  }

 private:
  ColumnOracle& oracle_;
  const double* x_;
  const SparsityResult& result_;
};

double distance(const Aligned<double>& x, const double* y) {
  std::vector<double> difference(x.size());
  for (size_t i = 0; i < x.size(); i++) difference[i] = std::fabs(x[i] - y[i]);
  return sum(difference.data(), difference.size());
}

class Reader : public ColumnVisitor {
 public:
  std::vector<ColumnSolver> solvers;
  const double *demand, *own;
  bool withTies;
  const int32_t* start;
  const double* x;
  int32_t* index;
  double *data, *cost;
  std::vector<std::vector<int32_t>> order;
  std::atomic<bool> sound{true};

  bool visit(size_t column, Candidates c, uint32_t, unsigned worker) override {
    ColumnSolver& solver = solvers[worker];
    solver.solve(c, demand[column], own[column]);
    const size_t found = solver.count + (withTies ? gatherTies(solver, c) : 0);
    const size_t from = static_cast<size_t>(start[column]);
    if (found != static_cast<size_t>(start[column + 1]) - from) sound.store(false);
    if (!sound.load(std::memory_order_relaxed)) return true;
    int32_t* rank = order[worker].data();
    std::iota(rank, rank + found, 0);
    std::sort(rank, rank + found, [&](int32_t p, int32_t q) { return c.index[p] < c.index[q]; });
    for (size_t r = 0; r < found; r++) {
      const int32_t i = index[from + r] = c.index[rank[r]];
      cost[from + r] = x[i] - c.s[rank[r]];
      data[from + r] = static_cast<size_t>(rank[r]) < solver.count ? solver.plan[rank[r]] : 0;
    }
    return true;
  }
};

class Product : public ColumnVisitor {
 public:
  Product(const double* u, const double* v, size_t rows, size_t columns)
      : sums(rows), u_(u), v_(v), taken_(std::count_if(v, v + columns, [](double w) { return w > 0; })) {}
  Aligned<double> sums;

  bool visit(size_t row, Candidates c, uint32_t, unsigned) override {
    if (u_[row] == 0) return true;
    double total = 0;
    ptrdiff_t found = 0;
    for (size_t k = 0; k < c.count; k++) {
      const double weight = v_[c.index[k]];
      if (weight == 0) continue;
      total -= c.s[k] * weight;
      found++;
    }
    // Forbidden arcs are no candidates.
    sums[row] = found == taken_ ? u_[row] * total : std::numeric_limits<double>::infinity();
    return true;
  }

 private:
  const double *u_, *v_;
  ptrdiff_t taken_;
};

}  // namespace

void measureSparsityPlan(const SparsityOptions& options, ColumnOracle& oracle, const ColumnTerms& terms,
                         const Aligned<double>& x, const SparsityResult& result, SparsityReport& report) {
  Columns& columns = oracle.columns;
  oracle.use(terms);
  Aligned<double> gradient(x.size());
  report.dual = -oracle.evaluate(x, gradient);
  if (oracle.team.monitor().cancelled()) return;
  Aligned<double> threshold(columns.count);
  for (size_t column = 0; column < columns.count; column++) {
    const double limit = tieLimit(oracle.cut[column], static_cast<size_t>(oracle.counts[column]),
                                  oracle.potential[column], terms);
    // A little lower: the same entries must be found in every reading.
    result.cut[column] = limit - 1e-14 * (std::fabs(limit) + std::fabs(oracle.potential[column]));
    threshold[column] = result.cut[column];
  }
  Measure measure(oracle, x.data(), result);
  columns.visit(oracle.team, x.data(), threshold.data(), columns.length, measure);
  if (oracle.team.monitor().cancelled()) return;
  report.value = sum(measure.cost.data(), columns.count);
  report.primal = report.value + sum(measure.penalty.data(), columns.count);
  const double freeError = distance(oracle.freeSum, oracle.supply) / oracle.mass;
  const double columnsError = distance(oracle.columnSum, oracle.demand) / oracle.mass;
  report.rowError = options.byRows ? columnsError : freeError;
  report.columnError = options.byRows ? freeError : columnsError;
  report.tied = static_cast<double>(
      std::count_if(result.ties, result.ties + columns.count, [](int32_t ties) { return ties > 0; }));
}

void readSparsityPlan(const Problem& problem, const SparsityOptions& options, const double* f,
                      const double* g, const double* cut, bool withTies, const int32_t* start, int32_t* index,
                      double* data, double* costs, Monitor& monitor) {
  Columns columns(problem, options.byRows, options.threads);
  Team team(columns.workers, monitor);
  Reader reader;
  for (unsigned w = 0; w < columns.workers; w++) {
    reader.solvers.emplace_back(columns.length);
    reader.solvers.back().terms = {options.maxNonzeros, options.gamma, 0, options.entropy, options.dual};
    reader.order.emplace_back(columns.length);
  }
  reader.demand = options.byRows ? problem.a : problem.b;
  reader.own = options.byRows ? f : g;
  reader.withTies = withTies;
  reader.start = start;
  reader.index = index;
  reader.data = data;
  reader.cost = costs;
  Aligned<double> x(columns.length), threshold(columns.count);
  std::copy_n(options.byRows ? g : f, columns.length, x.data());
  std::copy_n(cut, columns.count, threshold.data());
  reader.x = x.data();
  columns.visit(team, x.data(), threshold.data(), columns.length, reader);
  if (monitor.cancelled() || reader.sound.load()) return;
  throw Error("ERR_NOT_FINITE", "cost: expected numbers that stay as they are after the call, got others");
}

double costProduct(const Problem& problem, unsigned threads, const double* u, const double* v,
                   Monitor& monitor) {
  Columns rows(problem, true, threads);
  Team team(rows.workers, monitor);
  Product product(u, v, rows.count, rows.length);
  Aligned<double> zeros(rows.length), threshold(rows.count);
  std::fill(threshold.begin(), threshold.end(), -std::numeric_limits<double>::infinity());
  rows.visit(team, zeros.data(), threshold.data(), rows.length, product);
  return sum(product.sums.data(), rows.count);
}

}  // namespace extrema::transport
