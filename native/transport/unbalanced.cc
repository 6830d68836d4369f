// Unbalanced transport with Kullback-Leibler penalties: the scaling iteration of Chizat, Peyré, Schmitzer,
// Vialard 2018 (arXiv 1607.05816) in its translation invariant form (Séjourné, Vialard, Peyré 2022, arXiv
// 2201.00730), and the sparse Newton steps of sinkhornNewtonSparse on the same dual.

#include "transport/unbalanced.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "transport/marginals.h"
#include "transport/newton.h"
#include "transport/relaxed-sweep.h"

namespace extrema::transport {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Potential of a node that every arc is forbidden to, in penalties: exp(-kNowhere) is zero.
constexpr double kNowhere = 1000;

// x log(x / y) - x + y for x, y >= 0 with the logarithm of y, without cancellation where they are close.
double divergence(double x, double y, double logY) {
  if (x == 0) return y;
  const double d = (x - y) / y;
  if (std::fabs(d) < 1e-2) {  // y ((1 + d) log(1 + d) - d)
    return y * d * d * (1.0 / 2 - d * (1.0 / 6 - d * (1.0 / 12 - d * (1.0 / 20 - d * (1.0 / 30 - d / 42)))));
  }
  return std::max(0.0, x * (std::log(x) - logY) - x + y);
}

// One side of a measured state.
class Side {
 public:
  Side(const Marginal& marginal, const double* weight, size_t count, double epsilon, bool product)
      : marginal_(marginal),
        weight_(weight),
        count_(count),
        shift_(product ? epsilon : 0),
        work_(count),
        demand_(count) {}

  // Potentials are `potential` + t.
  void measure(const double* potential, double t, const double* total) {
    demanded = marginal_.demand(potential, demand_.data());
    for (size_t i = 0; i < count_; i++) work_[i] = std::fabs(total[i] - demand_[i]);
    error = sum(work_.data(), count_);
    // How far P is from optimal on this side: rho KL(P1 | demand), in the limit f·(P1 - a).
    const double rho = marginal_.penalty();
    for (size_t i = 0; i < count_; i++) {
      work_[i] = marginal_.relaxed()
                     ? rho * divergence(total[i], demand_[i], marginal_.logWeight()[i] - potential[i] / rho)
                     : (potential[i] + t) * (total[i] - weight_[i]);
    }
    gap = sum(work_.data(), count_);
    dual = value(potential, t);
  }

  // sum rho w (1 - exp(-f / rho)), in the limit w·f, with f less the weights' part.
  double value(const double* potential, double t) {
    const double rho = marginal_.penalty();
    for (size_t i = 0; i < count_; i++) {
      const double f = potential[i] + t - shift_ * std::log(weight_[i]);
      work_[i] = marginal_.leftOut(i)  ? rho * weight_[i]
                 : marginal_.relaxed() ? -rho * weight_[i] * std::expm1(-f / rho)
                                       : weight_[i] * f;
    }
    return sum(work_.data(), count_);
  }

  // rho KL(total | w)
  double penalty(const double* total) {
    if (!marginal_.relaxed()) return 0;
    for (size_t i = 0; i < count_; i++) work_[i] = divergence(total[i], weight_[i], std::log(weight_[i]));
    return marginal_.penalty() * sum(work_.data(), count_);
  }

  double demanded = 0, error = 0, gap = 0, dual = 0;

 private:
  const Marginal& marginal_;
  const double* weight_;
  size_t count_;
  double shift_;
  Aligned<double> work_, demand_;
};

class Measure {
 public:
  Measure(Context& context, Marginals& marginals)
      : context_(context),
        problem_(context.problem),
        marginals_(marginals),
        a_(marginals.a, problem_.a, problem_.n, problem_.epsilon, problem_.productReference),
        b_(marginals.b, problem_.b, problem_.m, problem_.epsilon, problem_.productReference),
        rowCost_(problem_.n) {}

  void state(const double* f, const double* g, double* rowSum, double* columnSum, UnbalancedReport& report) {
    PlanPass pass = planAt(f, g);
    pass.rowSum = rowSum;
    pass.rowCost = rowCost_.data();
    pass.columnSum = columnSum;
    planPass(context_.team, context_.geometry, context_.workspace, pass);
    marginals_.translate(f, g);
    report.translation = marginals_.translation();
    a_.measure(f, report.translation, rowSum);
    b_.measure(g, -report.translation, columnSum);
    const double error = a_.error + b_.error;
    report.marginalError = error == 0 ? 0 : 2 * error / (a_.demanded + b_.demanded);
    report.value = sum(rowCost_.data(), problem_.n);
    report.mass = sum(rowSum, problem_.n);
    const double reference = problem_.productReference ? context_.mass * sum(problem_.b, problem_.m) : 0;
    report.dualValue = a_.dual + b_.dual - problem_.epsilon * (report.mass - reference);
    report.gap = a_.gap + b_.gap;
    report.regularizedValue = report.dualValue + report.gap;
  }

  // Bounds of the problem without its entropic term: of the primal by the plan, its rows (or columns) scaled
  // where that side is balanced; of the dual by c-transforms, translated.
  void certify(const double* f, const double* g, double* rowSum, double* columnSum,
               UnbalancedReport& report) {
    const size_t n = problem_.n, m = problem_.m;
    Aligned<double> x(n), y(m), rows(n), columns(m);
    const bool rowsExact = !marginals_.a.relaxed(), columnsExact = !marginals_.b.relaxed();
    for (size_t i = 0; i < n; i++) x[i] = rowsExact ? problem_.a[i] / rowSum[i] : 1;
    for (size_t j = 0; j < m; j++) y[j] = columnsExact ? problem_.b[j] / columnSum[j] : 1;
    PlanPass pass = planAt(f, g);
    pass.columnWeight = y.data();
    pass.rowSum = rows.data();
    pass.rowCost = rowCost_.data();
    pass.scaling = Scaling::given;
    pass.scale = x.data();
    pass.columnSum = columns.data();
    planPass(context_.team, context_.geometry, context_.workspace, pass);
    for (size_t i = 0; i < n; i++) {
      rows[i] *= x[i];
      rowCost_[i] *= x[i];
    }
    for (size_t j = 0; j < m; j++) columns[j] *= y[j];
    const double primal = sum(rowCost_.data(), n) + a_.penalty(rows.data()) + b_.penalty(columns.data());
    report.primal = std::isnan(primal) ? kInfinity : primal;

    // Potentials of the problem itself: less what its reference measure has put into them.
    const double shift = problem_.productReference ? problem_.epsilon : 0;
    for (size_t i = 0; i < n; i++) x[i] = f[i] - shift * std::log(problem_.a[i]);
    TransformPass columnTransform;  // g_j <- min_i (C_ij - f_i)
    columnTransform.f = x.data();
    columnTransform.columnMin = y.data();
    transformPass(context_.team, context_.geometry, context_.workspace, columnTransform);
    for (size_t j = 0; j < m; j++) {
      if (marginals_.b.leftOut(j)) y[j] = 0;  // no arc leads there
    }
    TransformPass rowTransform;  // f_i <- min_j (C_ij - g_j)
    rowTransform.g = y.data();
    rowTransform.rowMin = x.data();
    transformPass(context_.team, context_.geometry, context_.workspace, rowTransform);
    report.dual = unregularisedDual(x, y);
    // Where penalties are small against epsilon, these may be far out; constants are feasible too.
    std::fill(x.begin(), x.end(), context_.range.least);
    y.clear();
    report.dual = std::max(report.dual, unregularisedDual(x, y));
  }

 private:
  PlanPass planAt(const double* f, const double* g) const {
    PlanPass pass;
    pass.epsilon = problem_.epsilon;
    pass.f = f;
    pass.g = g;
    return pass;
  }

  double unregularisedDual(Aligned<double>& f, Aligned<double>& g) {
    Problem plain = problem_;
    plain.productReference = false;
    Marginals marginals(plain);
    for (size_t i = 0; i < plain.n; i++) {
      if (marginals_.a.leftOut(i)) marginals.a.leaveOut(i);
    }
    for (size_t j = 0; j < plain.m; j++) {
      if (marginals_.b.leftOut(j)) marginals.b.leaveOut(j);
    }
    marginals.translate(f.data(), g.data());
    const double t = marginals.translation();
    return Side(marginals.a, plain.a, plain.n, 0, false).value(f.data(), t) +
           Side(marginals.b, plain.b, plain.m, 0, false).value(g.data(), -t);
  }

  Context& context_;
  const Problem& problem_;
  Marginals& marginals_;
  Side a_, b_;
  Aligned<double> rowCost_;
};

}  // namespace

void unbalanced(const Problem& problem, const Options& options, double* f, double* g, double* rowSum,
                double* columnSum, UnbalancedReport& report, History& history, Monitor& monitor) {
  Context context(problem, options.threads, monitor);
  if (problem.relaxed() && problem.divergence != Divergence::kl) {
    penalised(context, options, f, g, rowSum, columnSum, report, history);
    return;
  }
  Marginals marginals(problem);
  if (problem.relaxed() && context.range.forbids) {
    marginals.leaveOutIsolated(context.team, context.geometry, context.workspace);
  }
  sinkhornNewtonAdaptive(context, options, f, g, report, history);
  if (monitor.cancelled()) return;
  Measure measure(context, marginals);
  measure.state(f, g, rowSum, columnSum, report);

  // Nodes with hardly any mass, which no Newton step looks at, get their potentials from a last sweep.
  if (problem.relaxed() && !monitor.expired()) {
    Aligned<double> lastF(problem.n), lastG(problem.m);
    std::copy_n(f, problem.n, lastF.data());
    std::copy_n(g, problem.m, lastG.data());
    RelaxedSweep sweep(problem.n, problem.m);
    report.passes += sweep.run(context.team, context.geometry, context.workspace, marginals, problem.epsilon,
                               lastF.data(), lastG.data(), true);
    if (monitor.cancelled()) return;
    const double before = report.marginalError;
    measure.state(lastF.data(), lastG.data(), rowSum, columnSum, report);
    if (report.marginalError <= std::max(before, options.tolerance)) {
      std::copy_n(lastF.data(), problem.n, f);
      std::copy_n(lastG.data(), problem.m, g);
    } else {
      measure.state(f, g, rowSum, columnSum, report);
    }
  }
  // The caller takes the reference measure's part out again.
  const double shift = problem.productReference ? problem.epsilon : 0, t = report.translation;
  for (size_t i = 0; i < problem.n; i++) {
    if (marginals.a.leftOut(i)) f[i] = kNowhere * problem.penaltyA - t + shift * std::log(problem.a[i]);
  }
  for (size_t j = 0; j < problem.m; j++) {
    if (marginals.b.leftOut(j)) g[j] = kNowhere * problem.penaltyB + t + shift * std::log(problem.b[j]);
  }
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
  if (!options.certificate) return;
  if (problem.relaxed()) {
    measure.certify(f, g, rowSum, columnSum, report);
  } else {
    certify(context, f, g, report);
  }
}

}  // namespace extrema::transport
