#include "transport/dual.h"

#include <algorithm>
#include <cmath>

#include "simd/math.h"

namespace extrema::transport {

namespace {

constexpr double kArmijo = 1e-4;
constexpr size_t kBlock = 512;

DualPoint newPoint(const Context& context, const Marginals& marginals) {
  const Problem& problem = context.problem;
  DualPoint point(problem.n, problem.m);
  point.a = problem.a;
  point.b = problem.b;
  point.mass = context.mass;
  if (marginals.relaxed()) {
    point.demandA = Aligned<double>(problem.n);
    point.demandB = Aligned<double>(problem.m);
    point.a = point.demandA.data();
    point.b = point.demandB.data();
  }
  return point;
}

}  // namespace

Dual::Dual(Context& context, Report& report)
    : epsilon(context.problem.epsilon),
      marginals(context.problem),
      point(newPoint(context, marginals)),
      x(context.problem.n),
      y(context.problem.m),
      p(context.problem.n),
      q(context.problem.m),
      context_(context),
      report_(report),
      n_(context.problem.n),
      m_(context.problem.m),
      trial_(newPoint(context, marginals)),
      work_(std::max(n_, m_)) {
  if (marginals.relaxed() && context.range.forbids) {
    marginals.leaveOutIsolated(context.team, context.geometry, context.workspace);
  }
}

double Dual::dot(const double* u, const Aligned<double>& v) {
  for (size_t i = 0; i < v.size(); i++) work_[i] = u[i] * v[i];
  return sum(work_.data(), v.size());
}

void Dual::evaluate(DualPoint& at) {
  PlanPass pass;
  pass.epsilon = epsilon;
  pass.f = at.f.data();
  pass.g = at.g.data();
  pass.rowSum = at.rowSum.data();
  pass.columnSum = at.columnSum.data();
  pass.store = store;
  pass.storePitch = storePitch;
  planPass(context_.team, context_.geometry, context_.workspace, pass);
  report_.passes++;
  if (marginals.relaxed()) {
    at.mass = (marginals.a.demand(at.f.data(), at.demandA.data()) +
               marginals.b.demand(at.g.data(), at.demandB.data())) /
              2;
  }
  for (size_t i = 0; i < n_; i++) work_[i] = std::fabs(at.rowSum[i] - at.a[i]);
  const double rowError = sum(work_.data(), n_);
  for (size_t j = 0; j < m_; j++) work_[j] = std::fabs(at.columnSum[j] - at.b[j]);
  const double error = rowError + sum(work_.data(), m_);
  at.error = error == 0 ? 0 : error / at.mass;  // plans so small that they vanish are no error
}

void Dual::differentiate() {
  const double *a = point.a, *b = point.b;
  const double perUnit = 1 / epsilon + 1 / marginals.a.penalty() + 1 / marginals.b.penalty();
  double squares = 0, terms = 0;
  for (size_t i = 0; i < n_; i++) {
    x[i] = a[i] - point.rowSum[i];
    squares += x[i] * x[i];
    terms += a[i] * std::fabs(point.f[i]);
  }
  for (size_t j = 0; j < m_; j++) {
    y[j] = b[j] - point.columnSum[j];
    squares += y[j] * y[j];
    terms += b[j] * std::fabs(point.g[j]);
  }
  gradientNorm = std::sqrt(squares);
  magnitude_ = terms * perUnit + point.mass;
}

bool Dual::setSlope() {
  slope_ = dot(x.data(), p) + dot(y.data(), q);
  return slope_ > 0 && std::isfinite(slope_);
}

double Dual::allowedStep(const Sparse& kept, double least) {
  if (atRoundoff()) return 1;
  const size_t count = kept.value.size();
  change_.resize(count);
  double largest = 0;
  for (size_t i = 0; i < n_; i++) {
    for (size_t k = kept.start[i]; k < kept.start[i + 1]; k++) {
      change_[k] = p[i] + q[kept.column[k]];
      largest = std::max(largest, std::fabs(change_[k]));
    }
  }
  for (double alpha = 1; alpha >= least; alpha /= 2) {
    if (alpha * largest < 0.1) return alpha;
    double loss = 0;
    for (size_t first = 0; first < count; first += kBlock) {
      const size_t size = std::min(kBlock, count - first);
      const double *change = change_.data() + first, *value = kept.value.data() + first;
      double exponential[kBlock];
      for (size_t k = 0; k < size; k++) exponential[k] = alpha * change[k];
      expArray(exponential, exponential, size);
      for (size_t k = 0; k < size; k++) loss += value[k] * (exponential[k] - 1 - alpha * change[k]);
    }
    if (alpha * slope_ * (1 - kArmijo) >= loss) return alpha;
  }
  return 0;
}

double Dual::search(double alpha, double least) {
  for (; alpha >= least; alpha /= 2) {
    for (size_t i = 0; i < n_; i++) trial_.f[i] = point.f[i] + alpha * epsilon * p[i];
    for (size_t j = 0; j < m_; j++) trial_.g[j] = point.g[j] + alpha * epsilon * q[j];
    evaluate(trial_);
    if (context_.monitor.cancelled()) return 0;
    if (!std::isfinite(trial_.error)) continue;
    // The sums are compared row by row: their totals would cancel.
    for (size_t i = 0; i < n_; i++) work_[i] = trial_.rowSum[i] - point.rowSum[i];
    const double gain = marginals.a.gain(point.a, p.data(), alpha) +
                        marginals.b.gain(point.b, q.data(), alpha) - sum(work_.data(), n_);
    const bool hidden = alpha * slope_ < 1e-13 * magnitude_;
    if (hidden ? trial_.error < point.error : gain >= kArmijo * alpha * slope_) {
      std::swap(point, trial_);
      return alpha;
    }
    if (hidden) break;
  }
  return 0;
}

}  // namespace extrema::transport
