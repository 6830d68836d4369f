#include "transport/derivatives.h"

#include <algorithm>
#include <cmath>

#include "transport/schur.h"

namespace extrema::transport {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Entries of the plan that are less than this part of their row and column are below its rounding.
constexpr double kTheta = 1e-17;
constexpr double kLeastShare = 1e-20;  // of the mass, in the threshold of a row or column
// More kept entries than this part make a sparse matrix no cheaper, unless they are few.
constexpr double kKeptFraction = 0.1;
constexpr size_t kKeptPerLine = 64;
constexpr size_t kMostKept = size_t{1} << 26;
constexpr double kShift = 1e-14;  // of the mean diagonal
constexpr int kMostRefinements = 4;
constexpr double kLeastTolerance = 1e-15;  // of conjugate gradients: what is left is rounding

// right^T, row-major, as a pass reads it.
Aligned<double> transposed(const double* matrix, size_t rows, size_t columns) {
  Aligned<double> out(rows * columns);
  for (size_t j = 0; j < rows; j++) {
    for (size_t k = 0; k < columns; k++) out[k * rows + j] = matrix[j * columns + k];
  }
  return out;
}

void softRows(Team& team, const Geometry<double>& geometry, Workspace<double>& workspace, double epsilon,
              const double* g, double* out) {
  TransformPass transform;
  transform.g = g;
  transform.rowMin = out;
  transformPass(team, geometry, workspace, transform);
  Aligned<double> f(geometry.n), rowSum(geometry.n);
  for (size_t i = 0; i < geometry.n; i++) f[i] = std::isfinite(out[i]) ? out[i] : 0;
  PlanPass pass;
  pass.epsilon = epsilon;
  pass.f = f.data();
  pass.g = g;
  pass.rowSum = rowSum.data();
  planPass(team, geometry, workspace, pass);
  for (size_t i = 0; i < geometry.n; i++) {
    if (std::isfinite(out[i])) out[i] -= epsilon * std::log(rowSum[i]);
  }
}

void softColumns(Team& team, const Geometry<double>& geometry, Workspace<double>& workspace, double epsilon,
                 const double* f, double* out) {
  TransformPass transform;
  transform.f = f;
  transform.columnMin = out;
  transformPass(team, geometry, workspace, transform);
  Aligned<double> g(geometry.m), columnSum(geometry.m);
  for (size_t j = 0; j < geometry.m; j++) g[j] = std::isfinite(out[j]) ? out[j] : 0;
  PlanPass pass;
  pass.epsilon = epsilon;
  pass.f = f;
  pass.g = g.data();
  pass.columnSum = columnSum.data();
  planPass(team, geometry, workspace, pass);
  for (size_t j = 0; j < geometry.m; j++) {
    if (std::isfinite(out[j])) out[j] -= epsilon * std::log(columnSum[j]);
  }
}

double norm(const Aligned<double>& x) {
  double total = 0;
  for (const double value : x) total += std::fabs(value);
  return total;
}

class Vjp {
 public:
  Vjp(const Problem& problem, const Options& options, const double* f, const double* g,
      const PlanWeight& weight, VjpReport& report, Monitor& monitor)
      : context_(problem, options.threads, monitor, true),
        problem_(problem),
        options_(options),
        weight_(weight),
        report_(report),
        n_(problem.n),
        m_(problem.m),
        f_(n_),
        g_(m_),
        diagonalA_(n_),
        diagonalB_(m_),
        x_(n_),
        y_(m_),
        p_(n_),
        q_(m_),
        sparse_(context_.team, n_, m_),
        dense_(context_, work_),
        schur_(n_, m_) {
    std::copy_n(f, n_, f_.data());
    std::copy_n(g, m_, g_.data());
    // Those of a border count from its cost.
    if (problem.borderRow) f_[n_ - 1] += context_.geometry.borderCost;
    if (problem.borderColumn) g_[m_ - 1] += context_.geometry.borderCost;
    if (weight.left != nullptr) rightTransposed_ = transposed(weight.right, m_, weight.rank);
  }

  void solve(const double* bendA, const double* bendB, double* u, double* v) {
    WeightedPass right = weighted();
    right.rowSum = x_.data();
    right.columnSum = y_.data();
    weightedPass(context_.team, context_.geometry, context_.workspace, right);
    if (context_.monitor.cancelled()) return;
    const double size = norm(x_) + norm(y_);
    PlanOperator& plan = prepare(bendA, bendB);
    if (context_.monitor.cancelled()) return;
    std::fill_n(u, n_, 0.0);
    std::fill_n(v, m_, 0.0);
    // Corrections for what is left of the right hand side, so that the residual is that of the plan itself.
    const double target = std::max(options_.tolerance / 4, kLeastTolerance) * size;
    double left = size;
    for (int round = 0; left > options_.tolerance * size; round++) {
      const double most = options_.maxIterations - report_.iterations;
      if (most <= 0 || context_.monitor.expired() || round == kMostRefinements) break;
      const NewtonSystem system{diagonalA_.data(), diagonalB_.data(), x_.data(), y_.data()};
      report_.iterations += static_cast<double>(schur_.solve(plan, system, target, static_cast<size_t>(most),
                                                             context_.monitor, p_.data(), q_.data()));
      if (context_.monitor.cancelled()) return;
      if (context_.monitor.expired()) finish(plan, system);
      for (size_t i = 0; i < n_; i++) u[i] += p_[i];
      for (size_t j = 0; j < m_; j++) v[j] += q_[j];
      const double before = left;
      left = residual(right, u, v);
      context_.monitor.progress(report_.iterations, left / size);
      if (!(left < before / 2)) break;
    }
    report_.residual = size == 0 ? 0 : left / size;
    report_.status = report_.residual <= options_.tolerance         ? Status::converged
                     : context_.monitor.expired()                   ? Status::timeLimit
                     : report_.iterations >= options_.maxIterations ? Status::iterationLimit
                                                                    : Status::stalled;
    completeRows(u, v);
    completeColumns(u, v);
  }

  void writeCostGradient(const double* u, const double* v, double* out) {
    WeightedPass pass = weighted();
    pass.scale = 1 / problem_.epsilon;
    pass.sign = -1;
    pass.alpha = u;
    pass.beta = v;
    pass.store = out;
    weightedPass(context_.team, context_.geometry, context_.workspace, pass);
  }

 private:
  WeightedPass weighted() const {
    WeightedPass pass;
    pass.epsilon = problem_.epsilon;
    pass.f = f_.data();
    pass.g = g_.data();
    pass.weighted = true;
    pass.dense = weight_.dense;
    pass.left = weight_.left;
    pass.rightTransposed = weight_.left != nullptr ? rightTransposed_.data() : nullptr;
    pass.rank = weight_.rank;
    return pass;
  }

  // The diagonals and the off-diagonal block: by its entries where they are few, else whole.
  PlanOperator& prepare(const double* bendA, const double* bendB) {
    PlanPass sums;
    sums.epsilon = problem_.epsilon;
    sums.f = f_.data();
    sums.g = g_.data();
    sums.rowSum = diagonalA_.data();
    sums.columnSum = diagonalB_.data();
    planPass(context_.team, context_.geometry, context_.workspace, sums);
    const double mass = sum(diagonalA_.data(), n_);
    ThresholdPass pass;
    Aligned<double> rowLog(n_), columnLog(m_);
    const auto logShare = [&](double total, size_t count) {
      return std::log(std::max(total, kLeastShare * mass) / static_cast<double>(count));
    };
    for (size_t i = 0; i < n_; i++) rowLog[i] = logShare(diagonalA_[i], m_);
    for (size_t j = 0; j < m_; j++) columnLog[j] = logShare(diagonalB_[j], n_);
    pass.epsilon = problem_.epsilon;
    pass.f = f_.data();
    pass.g = g_.data();
    pass.logTheta = std::log(kTheta);
    pass.rowLog = rowLog.data();
    pass.columnLog = columnLog.data();
    const double some = kKeptFraction * static_cast<double>(n_) * static_cast<double>(m_);
    pass.most = std::min(std::max(static_cast<size_t>(some), kKeptPerLine * (n_ + m_)), kMostKept);
    thresholdPass(context_.team, context_.geometry, context_.workspace, pass, kept_);
    const double shift = kShift * mass / static_cast<double>(std::max(n_, m_));
    for (size_t i = 0; i < n_; i++) diagonalA_[i] += bendA[i] + shift;
    for (size_t j = 0; j < m_; j++) diagonalB_[j] += bendB[j] + shift;
    const NewtonSystem system{diagonalA_.data(), diagonalB_.data(), x_.data(), y_.data()};
    if (pass.overflow) {
      if (problem_.metric == Metric::dense) {
        stored_ = Aligned<double>(n_ * padded<double>(m_));
        sums.rowSum = sums.columnSum = nullptr;
        sums.store = stored_.data();
        sums.storePitch = padded<double>(m_);
        planPass(context_.team, context_.geometry, context_.workspace, sums);
      }
      dense_.reset(problem_.epsilon, f_.data(), g_.data(), stored_.empty() ? nullptr : stored_.data(),
                   padded<double>(m_), system);
      return dense_;
    }
    sparse_.reset(kept_, system);
    return sparse_;
  }

  // The eliminated half of a direction that conjugate gradients were stopped at.
  void finish(PlanOperator& plan, const NewtonSystem& system) {
    double *p = plan.rowsEliminated ? p_.data() : q_.data(), *q = plan.rowsEliminated ? q_.data() : p_.data();
    const double* right = plan.rowsEliminated ? system.x : system.y;
    plan.forward(q, p);
    for (size_t i = 0; i < plan.eliminated; i++) p[i] = (right[i] - p[i]) / plan.pivot[i];
  }

  // x, y <- the right hand side less the system at (u, v); returns its norm.
  double residual(WeightedPass& right, const double* u, const double* v) {
    weightedPass(context_.team, context_.geometry, context_.workspace, right);
    Aligned<double> scale(n_), forward(n_), backward(m_);
    std::copy_n(u, n_, scale.data());
    PlanPass product;
    product.epsilon = problem_.epsilon;
    product.f = f_.data();
    product.g = g_.data();
    product.columnWeight = v;
    product.scaling = Scaling::given;
    product.scale = scale.data();
    product.rowSum = forward.data();
    product.columnSum = backward.data();
    planPass(context_.team, context_.geometry, context_.workspace, product);
    for (size_t i = 0; i < n_; i++) x_[i] -= diagonalA_[i] * u[i] + forward[i];
    for (size_t j = 0; j < m_; j++) y_[j] -= diagonalB_[j] * v[j] + backward[j];
    return norm(x_) + norm(y_);
  }

  // A little weight at a node that has none goes where its row, scaled to a sum of one, says:
  // u_i = sum_j P_ij (G_ij - v_j).
  void completeRows(double* u, const double* v) {
    if (std::none_of(f_.begin(), f_.end(), [](double value) { return value == -kInfinity; })) return;
    Aligned<double> soft(n_), beta(m_), own(n_);
    softRows(context_.team, context_.geometry, context_.workspace, problem_.epsilon, g_.data(), soft.data());
    for (size_t i = 0; i < n_; i++) {
      if (f_[i] != -kInfinity || soft[i] == kInfinity) soft[i] = -kInfinity;
    }
    for (size_t j = 0; j < m_; j++) beta[j] = -v[j];
    WeightedPass pass = weighted();
    pass.f = soft.data();
    pass.beta = beta.data();
    pass.rowSum = own.data();
    weightedPass(context_.team, context_.geometry, context_.workspace, pass);
    for (size_t i = 0; i < n_; i++) {
      if (f_[i] == -kInfinity) u[i] = own[i];
    }
  }
  void completeColumns(const double* u, double* v) {
    if (std::none_of(g_.begin(), g_.end(), [](double value) { return value == -kInfinity; })) return;
    Aligned<double> soft(m_), alpha(n_), own(m_);
    softColumns(context_.team, context_.geometry, context_.workspace, problem_.epsilon, f_.data(),
                soft.data());
    for (size_t j = 0; j < m_; j++) {
      if (g_[j] != -kInfinity || soft[j] == kInfinity) soft[j] = -kInfinity;
    }
    for (size_t i = 0; i < n_; i++) alpha[i] = -u[i];
    WeightedPass pass = weighted();
    pass.g = soft.data();
    pass.alpha = alpha.data();
    pass.columnSum = own.data();
    weightedPass(context_.team, context_.geometry, context_.workspace, pass);
    for (size_t j = 0; j < m_; j++) {
      if (g_[j] == -kInfinity) v[j] = own[j];
    }
  }

  Context context_;
  const Problem& problem_;
  const Options& options_;
  const PlanWeight& weight_;
  VjpReport& report_;
  Report work_;
  size_t n_, m_;
  Aligned<double> f_, g_, diagonalA_, diagonalB_, x_, y_, p_, q_, stored_, rightTransposed_;
  Sparse kept_;
  SparseOperator sparse_;
  DenseOperator dense_;
  SchurSolver schur_;
};

}  // namespace

void softTransform(const Problem& problem, unsigned threads, bool transpose, const double* potential,
                   double* out, Monitor& monitor) {
  PlanReader reader(problem, threads, monitor);
  if (transpose) {
    softColumns(reader.team, reader.geometry, reader.workspace, problem.epsilon, potential, out);
  } else {
    softRows(reader.team, reader.geometry, reader.workspace, problem.epsilon, potential, out);
  }
}

void pointGradient(const Problem& problem, unsigned threads, const double* f, const double* g,
                   const double* alpha, const double* beta, const PlanWeight& weight, double* out,
                   Monitor& monitor) {
  PlanReader reader(problem, threads, monitor);
  WeightedPass pass;
  pass.epsilon = problem.epsilon;
  pass.f = f;
  pass.g = g;
  pass.weighted = alpha != nullptr;
  pass.scale = 1 / problem.epsilon;
  pass.sign = -1;
  pass.alpha = alpha;
  pass.beta = beta;
  pass.dense = weight.dense;
  pass.left = weight.left;
  Aligned<double> right;
  if (weight.left != nullptr) right = transposed(weight.right, problem.m, weight.rank);
  pass.rightTransposed = right.data();
  pass.rank = weight.rank;
  pass.gradient = out;
  weightedPass(reader.team, reader.geometry, reader.workspace, pass);
  if (problem.metric != Metric::cosine) return;
  const size_t d = problem.d;
  for (size_t i = 0; i < problem.n; i++) {
    double squares = 0;
    for (size_t k = 0; k < d; k++) {
      const double value = problem.x64 != nullptr ? problem.x64[i * d + k] : double{problem.x32[i * d + k]};
      squares += value * value;
    }
    for (size_t k = 0; k < d; k++) out[i * d + k] /= std::sqrt(squares);
  }
}

void planVjp(const Problem& problem, const Options& options, const double* f, const double* g,
             const double* bendA, const double* bendB, const PlanWeight& weight, double* u, double* v,
             double* costGradient, VjpReport& report, Monitor& monitor) {
  Vjp vjp(problem, options, f, g, weight, report, monitor);
  vjp.solve(bendA, bendB, u, v);
  if (costGradient != nullptr && !monitor.cancelled()) vjp.writeCostGradient(u, v, costGradient);
}

}  // namespace extrema::transport
