// Unbalanced transport whose marginals are penalised by total variation or least squares: what `unbalanced`
// does for them.

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "transport/marginals.h"
#include "transport/penalty-newton.h"
#include "transport/penalty-sweep.h"
#include "transport/unbalanced.h"

namespace extrema::transport {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class Penalised {
 public:
  Penalised(Context& context, Penalty& a, Penalty& b)
      : context_(context),
        problem_(context.problem),
        a_(a),
        b_(b),
        rowCost_(problem_.n),
        work_(std::max(problem_.n, problem_.m)) {}

  void measure(const double* f, const double* g, double* rowSum, double* columnSum,
               UnbalancedReport& report) {
    PlanPass pass = planAt(f, g);
    pass.rowSum = rowSum;
    pass.rowCost = rowCost_.data();
    pass.columnSum = columnSum;
    planPass(context_.team, context_.geometry, context_.workspace, pass);
    const auto over = [&](const Penalty& side, const auto& term) {
      for (size_t i = 0; i < side.size(); i++) work_[i] = term(i);
      return sum(work_.data(), side.size());
    };
    const auto demand = [](const Penalty& side, const double* potential, const double* total, size_t i) {
      return side.leftOut(i) ? 0 : side.demand(i, potential[i], total[i]);
    };
    const auto missed = [](const Penalty& side, const double* potential, const double* total, size_t i) {
      return side.leftOut(i) ? 0 : side.missed(i, potential[i], total[i]);
    };
    const double error = over(a_, [&](size_t i) { return missed(a_, f, rowSum, i); }) +
                         over(b_, [&](size_t j) { return missed(b_, g, columnSum, j); });
    const double demanded = over(a_, [&](size_t i) { return demand(a_, f, rowSum, i); }) +
                            over(b_, [&](size_t j) { return demand(b_, g, columnSum, j); });
    report.marginalError = error == 0 ? 0 : 2 * error / demanded;
    report.value = sum(rowCost_.data(), problem_.n);
    report.mass = sum(rowSum, problem_.n);
    const double reference = problem_.productReference ? context_.mass * sum(problem_.b, problem_.m) : 0;
    report.dualValue = dual(f, g) - problem_.epsilon * (report.mass - reference);
    report.gap = over(a_, [&](size_t i) { return a_.gap(i, f[i], rowSum[i]); }) +
                 over(b_, [&](size_t j) { return b_.gap(j, g[j], columnSum[j]); });
    report.regularizedValue = report.dualValue + report.gap;
  }

  // Bounds of the problem without its entropic term: of the primal by the plan, its rows (or columns) scaled
  // where that side is kept; of the dual by potentials that are feasible for it.
  void certify(const double* f, const double* g, const double* rowSum, const double* columnSum,
               UnbalancedReport& report) {
    const size_t n = problem_.n, m = problem_.m;
    Aligned<double> x(n), y(m), rows(n), columns(m);
    for (size_t i = 0; i < n; i++) x[i] = a_.relaxed() ? 1 : problem_.a[i] / rowSum[i];
    for (size_t j = 0; j < m; j++) y[j] = b_.relaxed() ? 1 : problem_.b[j] / columnSum[j];
    PlanPass pass = planAt(f, g);
    pass.columnWeight = y.data();
    pass.rowSum = rows.data();
    pass.rowCost = rowCost_.data();
    pass.scaling = Scaling::given;
    pass.scale = x.data();
    pass.columnSum = columns.data();
    planPass(context_.team, context_.geometry, context_.workspace, pass);
    double primal = 0;
    for (size_t i = 0; i < n; i++) primal += x[i] * rowCost_[i] + a_.penalty(i, x[i] * rows[i]);
    for (size_t j = 0; j < m; j++) primal += b_.penalty(j, y[j] * columns[j]);
    report.primal = std::isnan(primal) ? kInfinity : primal;

    for (size_t i = 0; i < n; i++) x[i] = f[i] - a_.offset(i);
    report.dual = feasibleDual(x, y);
    // Where penalties are small against epsilon, these may be far out.
    std::fill(x.begin(), x.end(), context_.range.least);
    report.dual = std::max(report.dual, feasibleDual(x, y));
  }

 private:
  PlanPass planAt(const double* f, const double* g) const {
    PlanPass pass;
    pass.epsilon = problem_.epsilon;
    pass.f = f;
    pass.g = g;
    return pass;
  }

  double dual(const double* f, const double* g) {
    for (size_t i = 0; i < a_.size(); i++) work_[i] = a_.value(i, f[i]);
    const double rows = sum(work_.data(), a_.size());
    for (size_t j = 0; j < b_.size(); j++) work_[j] = b_.value(j, g[j]);
    return rows + sum(work_.data(), b_.size());
  }

  // The dual value without entropy at f, lowered where no column could follow, and its c-transforms.
  double feasibleDual(Aligned<double>& f, Aligned<double>& g) {
    const bool bounded = problem_.divergence == Divergence::tv;
    TransformPass transform;
    if (bounded && b_.relaxed()) {  // g >= -rho_b wants f_i <= C_ij + rho_b
      g.clear();
      Aligned<double> most(f.size());
      transform.g = g.data();
      transform.rowMin = most.data();
      transformPass(context_.team, context_.geometry, context_.workspace, transform);
      for (size_t i = 0; i < f.size(); i++) f[i] = std::min(f[i], most[i] + b_.rho());
    }
    transform = {};  // g_j <- min_i (C_ij - f_i)
    transform.f = f.data();
    transform.columnMin = g.data();
    transformPass(context_.team, context_.geometry, context_.workspace, transform);
    cap(b_, g);
    transform = {};  // f_i <- min_j (C_ij - g_j)
    transform.g = g.data();
    transform.rowMin = f.data();
    transformPass(context_.team, context_.geometry, context_.workspace, transform);
    cap(a_, f);
    double total = 0;
    for (size_t i = 0; i < f.size(); i++) total += a_.value(i, f[i] + a_.offset(i));
    for (size_t j = 0; j < g.size(); j++) total += b_.value(j, g[j] + b_.offset(j));
    return std::isnan(total) ? -kInfinity : total;
  }

  // More than the potential that asks for nothing is worth no more.
  static void cap(const Penalty& side, Aligned<double>& potential) {
    if (!side.relaxed()) return;
    for (size_t i = 0; i < potential.size(); i++) {
      potential[i] = std::min(potential[i], side.nothing(i) - side.offset(i));
    }
  }

  Context& context_;
  const Problem& problem_;
  Penalty &a_, &b_;
  Aligned<double> rowCost_, work_;
};

}  // namespace

void penalised(Context& context, const Options& options, double* f, double* g, double* rowSum,
               double* columnSum, UnbalancedReport& report, History& history) {
  const Problem& problem = context.problem;
  Penalty a(problem.divergence, problem.penaltyA, problem.a, problem.n, problem.productReference);
  Penalty b(problem.divergence, problem.penaltyB, problem.b, problem.m, problem.productReference);
  if (context.range.forbids) {
    Marginals nodes(problem);
    nodes.leaveOutIsolated(context.team, context.geometry, context.workspace);
    for (size_t i = 0; i < problem.n; i++) {
      if (nodes.a.leftOut(i)) a.leaveOut(i);
    }
    for (size_t j = 0; j < problem.m; j++) {
      if (nodes.b.leftOut(j)) b.leaveOut(j);
    }
  }
  penaltyNewton(context, options, a, b, f, g, report, history);
  if (context.monitor.cancelled()) return;
  Penalised state(context, a, b);
  a.setEpsilon(problem.epsilon);
  b.setEpsilon(problem.epsilon);
  state.measure(f, g, rowSum, columnSum, report);
  if (!std::isfinite(report.mass) || !std::isfinite(report.regularizedValue)) {
    throw Error(
        "ERR_NOT_FINITE",
        "cost, marginalPenalty: the mass of the plan overflows; raise the costs, the penalties or epsilon");
  }
  if (report.marginalError <= options.tolerance) {
    report.status = Status::converged;
  } else if (report.status == Status::converged) {
    report.status = Status::stalled;
  }
  if (options.certificate) state.certify(f, g, rowSum, columnSum, report);
}

}  // namespace extrema::transport
