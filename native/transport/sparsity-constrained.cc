#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "core/lbfgs.h"
#include "random/philox.h"
#include "transport/sparsity.h"

namespace extrema::transport {

namespace {

// Smoothings rho / gamma of the stages after the first, which is gamma itself.
constexpr double kSmoothings[] = {0.3, 0.1, 0.03, 0.01, 0.003, 0.001};
// Marginal error at which a stage that only leads to the next is left.
constexpr double kPassing = 1e-4;
// The same at the last smoothing, when columns stay shared.
constexpr double kShared = 1e-5;

// A descent on one form of the dual objective.
class Solve {
 public:
  Solve(const SparsityOptions& options, ColumnOracle& oracle, double range, double gamma,
        const SparsityResult& result, Monitor& monitor)
      : x(oracle.columns.length + (options.dual ? oracle.columns.count : 0)),
        options_(options),
        oracle_(oracle),
        range_(range),
        gamma_(gamma),
        result_(result),
        monitor_(monitor),
        gradient_(x.size()) {}

  Aligned<double> x;
  double iterations = 0;
  size_t stages = 0;
  bool expired = false;
  bool shared = false;                     // some columns have more entries than allowed in the relaxed plan
  Status status = Status::iterationLimit;  // of the last descent

  ColumnTerms terms(size_t maxNonzeros, double rho) const {
    return {maxNonzeros, gamma_, rho, options_.entropy, options_.dual};
  }

  void run() {
    const bool constrained = options_.maxNonzeros < oracle_.columns.length;
    if (options_.method == SparsityMethod::adam) return adam();
    if (options_.method == SparsityMethod::stochastic) return stochastic();
    if (constrained && options_.continuation == Continuation::smoothing) return smoothing();
    if (constrained && options_.continuation == Continuation::halving) return halving();
    descend(options_.maxNonzeros, 0, options_.tolerance);
  }

 private:
  bool over() const { return expired || monitor_.cancelled(); }

  void addStage(size_t maxNonzeros, double rho, double dual, double done) {
    if (stages == result_.mostStages) return;
    const double fields[kStageFields] = {static_cast<double>(maxNonzeros), rho / gamma_, dual, done};
    std::copy_n(fields, kStageFields, result_.stages + kStageFields * stages++);
  }

  // L-BFGS on one form of the objective. Afterwards the oracle knows the point that it came to.
  void descend(size_t maxNonzeros, double rho, double tolerance) {
    oracle_.use(terms(maxNonzeros, rho));
    LbfgsOptions options;
    // What the solution is measured by must not fail on the last digit of what this is measured by.
    options.tolerance = 0.99 * tolerance;
    options.maxIterations = options_.maxIterations;
    options.firstStep = 0.1 * range_;
    const LbfgsResult found = lbfgs(x, options, [&](LbfgsTrial& trial) {
      trial.value = oracle_.evaluate(trial.x, trial.gradient);
      trial.residual = oracle_.residual;
      trial.roundoff = oracle_.roundoff;
      monitor_.progress(iterations + trial.iteration, oracle_.residual);
      expired = monitor_.expired();
      return !over();
    });
    if (monitor_.cancelled()) return;
    status = found.status == LbfgsStatus::converged ? Status::converged
             : found.status == LbfgsStatus::stalled ? Status::stalled
                                                    : Status::iterationLimit;
    iterations += found.iterations;
    const double value = oracle_.evaluate(x, gradient_);
    addStage(maxNonzeros, rho, -value, found.iterations);
  }

  // From the quadratic plan, which is smooth, by less and less smoothing. Once no column is shared the
  // relaxation is exact: if that holds to the end of a precise descent, its plan is the plan.
  void smoothing() {
    const size_t k = options_.maxNonzeros;
    const double tolerance = options_.tolerance, passing = std::max(tolerance, kPassing);
    descend(oracle_.columns.length, 0, passing);
    bool precise = oracle_.fullest <= k;
    const double* last = std::end(kSmoothings) - 1;
    for (const double* smoothing = kSmoothings; smoothing <= last; smoothing++) {
      if (over()) return;
      const double rho = *smoothing * gamma_;
      const double needed = smoothing == last ? std::max(tolerance, kShared) : passing;
      descend(k, rho, precise ? tolerance : needed);
      if (!precise && oracle_.shared == 0 && !over()) {
        precise = true;
        descend(k, rho, tolerance);
      }
      shared = oracle_.shared > 0;
      if (!shared) return;
    }
  }

  // With n, n/2, n/4, … nonzeros, leaving out those numbers that the plan stays below.
  void halving() {
    const size_t most = options_.maxNonzeros;
    for (size_t k = oracle_.columns.length; k > most && !over();) {
      descend(k, 0, std::max(options_.tolerance, kPassing));
      k = std::max(most, std::min(k, oracle_.fullest) / 2);
    }
    if (!over()) descend(most, 0, options_.tolerance);
  }

  // Adam (Kingma, Ba 2015) on supergradients; its step falls linearly to zero. Keeps the best point.
  void adam() {
    const size_t size = x.size();
    oracle_.use(terms(options_.maxNonzeros, 0));
    Aligned<double> first(size), second(size), point(size);
    std::copy(x.begin(), x.end(), point.begin());
    const double scale = 1e-8 * oracle_.mass / static_cast<double>(size);
    double best = std::numeric_limits<double>::infinity(), t = 0;
    for (;;) {
      const double value = oracle_.evaluate(point, gradient_);
      if (monitor_.cancelled()) return;
      const bool converged = oracle_.residual <= 0.99 * options_.tolerance;
      if (value < best || converged) {
        best = value;
        std::copy(point.begin(), point.end(), x.begin());
      }
      monitor_.progress(t, oracle_.residual);
      expired = monitor_.expired();
      if (t == options_.maxIterations || converged || expired) break;
      const double step = options_.learningRate * range_ * (1 - t / options_.maxIterations);
      t++;
      const double firstCorrection = 1 - std::pow(0.9, t), secondCorrection = 1 - std::pow(0.999, t);
      for (size_t i = 0; i < size; i++) {
        first[i] += 0.1 * (gradient_[i] - first[i]);
        second[i] += 0.001 * (gradient_[i] * gradient_[i] - second[i]);
        point[i] -= step * first[i] / firstCorrection / (std::sqrt(second[i] / secondCorrection) + scale);
      }
    }
    iterations = t;
    addStage(options_.maxNonzeros, 0, -best, t);
  }

  class Draw : public ColumnVisitor {
   public:
    Draw(ColumnOracle& oracle, double share)
        : gradient(oracle.columns.length), oracle_(oracle), share_(share) {}
    Aligned<double> gradient;
    bool visit(size_t column, Candidates c, uint32_t, unsigned worker) override {
      ColumnSolver& solver = oracle_.solvers[worker];
      solver.solve(c, oracle_.demand[column], 0);
      const double weight = share_ / oracle_.demand[column];
      for (size_t r = 0; r < solver.count; r++) gradient[c.index[r]] += solver.plan[r] * weight;
      return true;
    }

   private:
    ColumnOracle& oracle_;
    double share_;
  };

  // Stochastic supergradients of the semi-dual: columns drawn in proportion to their mass, steps of
  // 1/sqrt(t). The mean over the second half of the iterates, or the last of them, whichever is better.
  void stochastic() {
    Columns& columns = oracle_.columns;
    oracle_.use(terms(options_.maxNonzeros, 0));
    std::vector<double> sums(columns.count);
    double total = 0;
    for (size_t j = 0; j < columns.count; j++) sums[j] = total += oracle_.demand[j];
    Draw draw(oracle_, 1 / static_cast<double>(options_.batchSize));
    Aligned<double> mean(x.size());
    double t = 0, averaged = 0;
    while (t < options_.maxIterations) {
      draw.gradient.clear();
      for (size_t r = 0; r < options_.batchSize && !monitor_.cancelled(); r++) {
        const uint64_t number = static_cast<uint64_t>(t) * options_.batchSize + r;
        const double point = total * uniform(number);
        const size_t column = std::upper_bound(sums.begin(), sums.end() - 1, point) - sums.begin();
        columns.visitWhole(monitor_, column, x.data(), 0, draw);
      }
      if (monitor_.cancelled()) return;
      t++;
      const double step = options_.learningRate * range_ / std::sqrt(t);
      double error = 0;
      for (size_t i = 0; i < x.size(); i++) {
        const double slope = oracle_.supply[i] / oracle_.mass - draw.gradient[i];
        x[i] += step * slope;
        error += std::fabs(slope);
      }
      if (2 * t > options_.maxIterations) {
        averaged++;
        for (size_t i = 0; i < x.size(); i++) mean[i] += (x[i] - mean[i]) / averaged;
      }
      monitor_.progress(t, error);
      expired = monitor_.expired();
      if (expired) break;
    }
    iterations = t;
    oracle_.passes +=
        std::ceil(t * static_cast<double>(options_.batchSize) / static_cast<double>(columns.count));
    double best = oracle_.evaluate(x, gradient_);
    if (averaged > 0) {
      const double value = oracle_.evaluate(mean, gradient_);
      if (value < best) {
        best = value;
        std::copy(mean.begin(), mean.end(), x.begin());
      }
    }
    addStage(options_.maxNonzeros, 0, -best, t);
  }

  // Number `index` of the uniform stream.
  double uniform(uint64_t index) const {
    uint32_t counter[4] = {0, 0, 0, 0}, block[4];
    advance(counter, index / 2);
    philox(options_.seed, counter, block);
    const size_t first = index % 2 == 1 ? 2 : 0;
    const uint64_t word = static_cast<uint64_t>(block[first + 1]) << 32 | block[first];
    return static_cast<double>(word >> 11) * 0x1p-53;
  }

  const SparsityOptions& options_;
  ColumnOracle& oracle_;
  const double range_, gamma_;
  const SparsityResult& result_;
  Monitor& monitor_;
  Aligned<double> gradient_;
};

CostRange exactRange(const Problem& problem, const SparsityOptions& options, Team& team, Columns& columns,
                     double mass, const Monitor& monitor) {
  CostRange range;
  {
    const Geometry<double> geometry(problem);
    Team own(std::min(options.threads, rowChunks(problem.n, problem.m)), monitor);
    Workspace<double> workspace(geometry, own.size());
    range = costRange(own, geometry, workspace);
  }
  if (range.forbids) checkFeasible(problem, mass, monitor);
  return problem.metric == Metric::dense ? range : columns.range(team);
}

}  // namespace

void sparsityConstrained(const Problem& problem, const SparsityOptions& options, const SparsityResult& result,
                         SparsityReport& report, Monitor& monitor) {
  const double mass = sum(problem.a, problem.n);
  Columns columns(problem, options.byRows, options.threads);
  Team team(columns.workers, monitor);
  const CostRange range = exactRange(problem, options, team, columns, mass, monitor);
  if (monitor.cancelled()) return;
  const double span = range.most > range.least ? range.most - range.least : 1;
  const double gamma = options.gamma > 0 ? options.gamma : span / mass;

  const double *supply = problem.a, *demand = problem.b;
  double *free = result.f, *own = result.g;
  if (options.byRows) {
    std::swap(supply, demand);
    std::swap(free, own);
  }
  ColumnOracle oracle(team, columns, supply, demand, mass);
  Solve solve(options, oracle, span, gamma, result, monitor);
  std::copy_n(free, columns.length, solve.x.data());
  if (options.dual) std::copy_n(own, columns.count, solve.x.data() + columns.length);
  solve.run();
  if (monitor.cancelled()) return;
  std::copy_n(solve.x.data(), columns.length, free);

  report.iterations = solve.iterations;
  report.passes = oracle.passes;
  report.stages = static_cast<double>(solve.stages);
  report.gamma = gamma;
  measureSparsityPlan(options, oracle, solve.terms(options.maxNonzeros, 0), solve.x, result, report);
  std::copy_n(oracle.potential.data(), columns.count, own);
  const Status ended = solve.expired ? Status::timeLimit : solve.shared ? Status::stalled : solve.status;
  const bool converged = report.rowError + report.columnError <= options.tolerance;
  report.status = converged ? Status::converged : ended == Status::converged ? Status::stalled : ended;
}

}  // namespace extrema::transport
