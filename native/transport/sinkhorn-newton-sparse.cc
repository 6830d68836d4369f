// Sinkhorn-Newton-Sparse (Tang, Shavlovsky, Rahmanian, Tardini, Thekumparampil, Xiao, Ying 2024, arXiv
// 2401.12253): Newton's method on the entropic dual with the Hessian sparsified, after Sinkhorn iterations.
// The adaptive form below replaces the fixed numbers of the paper: the Sinkhorn stage by a continuation in
// epsilon, the sparsity by a threshold that falls with the gradient. The paper's own form is in
// sinkhorn-newton-paper.cc.

#include <algorithm>
#include <cmath>

#include "transport/continuation.h"
#include "transport/kept-entries.h"
#include "transport/newton-limits.h"
#include "transport/newton.h"
#include "transport/relaxed-sweep.h"
#include "transport/schur.h"

namespace extrema::transport {

namespace {

class Adaptive {
 public:
  Adaptive(Context& context, const Options& options, Report& report, History& history)
      : context_(context),
        problem_(context.problem),
        n_(problem_.n),
        m_(problem_.m),
        progress_(context, options, report, history),
        report_(report),
        stage_(problem_),
        dual_(context, report),
        sweep_(n_, m_),
        relaxedSweep_(dual_.marginals.relaxed() ? n_ : 0, dual_.marginals.relaxed() ? m_ : 0),
        continuation_(context),
        kept_(n_, m_),
        sparse_(context.team, n_, m_),
        dense_(context, report),
        schur_(n_, m_),
        diagonalA_(n_),
        diagonalB_(m_),
        logA_(n_),
        logB_(m_),
        beforeF_(n_),
        beforeG_(m_) {
    for (size_t i = 0; i < n_; i++) logA_[i] = std::log(problem_.a[i]);
    for (size_t j = 0; j < m_; j++) logB_[j] = std::log(problem_.b[j]);
  }

  void run(double tolerance, double* f, double* g) {
    if (progress_.over()) return;
    for (int k = start(f, g);; k++) {
      const bool last = k == continuation_.last;
      if (last) progress_.watch(dual_.point);
      solveStage(last ? tolerance : kStageTolerance, last);
      if (progress_.over() || last) break;
      enterStage(k + 1);
    }
    if (!context_.monitor.cancelled() && dual_.epsilon != problem_.epsilon) {
      // Stopped on the way: potentials of a larger epsilon say little about the plan at this one.
      setEpsilon(problem_.epsilon);
      sweep(1);
    }
    progress_.result(dual_.point, f, g);
  }

 private:
  // Returns the first stage. A warm start skips those that are coarser than its error calls for.
  int start(const double* f, const double* g) {
    DualPoint& point = dual_.point;
    const auto nonzero = [](double value) { return value != 0; };
    if (std::any_of(f, f + n_, nonzero) || std::any_of(g, g + m_, nonzero)) {
      std::copy_n(f, n_, point.f.data());
      std::copy_n(g, m_, point.g.data());
      if (dual_.marginals.relaxed()) center();
      dual_.evaluate(point);
      int first = continuation_.last;
      for (int k = continuation_.last; k >= 0 && !(point.error <= kWarmError); k -= 2) {
        if (context_.monitor.cancelled()) return k;
        std::copy_n(f, n_, point.f.data());
        std::copy_n(g, m_, point.g.data());
        setEpsilon(continuation_.epsilonOf(k));
        if (dual_.marginals.relaxed()) center();
        sweep(1);
        dual_.evaluate(point);
        first = k;
      }
      if (point.error <= kWarmError) return first;
      point.f.clear();
      point.g.clear();
    }
    setEpsilon(continuation_.epsilonOf(0));
    sinkhorn(kEntrySweeps, kStageTolerance);
    return 0;
  }

  void setEpsilon(double epsilon) {
    dual_.epsilon = stage_.epsilon = epsilon;
    dual_.marginals.setEpsilon(epsilon);
  }

  // Potentials over the weights, f - epsilon log a and g - epsilon log b, are nearly linear in epsilon: they
  // are extrapolated along the line through the last two stages.
  void enterStage(int k) {
    DualPoint& point = dual_.point;
    const double from = dual_.epsilon, to = continuation_.epsilonOf(k);
    const double t = beforeEpsilon_ > 0 ? (from - to) / (beforeEpsilon_ - from) : 0;
    const auto move = [&](size_t count, const Aligned<double>& logWeight, Aligned<double>& before,
                          Aligned<double>& potential) {
      for (size_t i = 0; i < count; i++) {
        const double relative = potential[i] - from * logWeight[i];
        potential[i] = relative + t * (relative - before[i]) + to * logWeight[i];
        before[i] = relative;
      }
    };
    move(n_, logA_, beforeF_, point.f);
    move(m_, logB_, beforeG_, point.g);
    center();
    beforeEpsilon_ = from;
    setEpsilon(to);
    sinkhorn(kEntrySweeps, kStageTolerance);
  }

  // Potentials of one size round least: (f + t, g - t) has the same plan.
  void center() {
    DualPoint& point = dual_.point;
    const bool relaxed = dual_.marginals.relaxed();
    const double massB = relaxed ? sum(problem_.b, m_) : context_.mass;
    double fMean = 0, gMean = 0;
    for (size_t i = 0; i < n_; i++) fMean += problem_.a[i] / context_.mass * point.f[i];
    for (size_t j = 0; j < m_; j++) gMean += problem_.b[j] / massB * point.g[j];
    const double t = (gMean - fMean) / 2;
    for (double& value : point.f) value += t;
    for (double& value : point.g) value -= t;
    if (relaxed) dual_.marginals.translate(point.f.data(), point.g.data());
  }

  void solveStage(double target, bool last) {
    kept_.reset();
    useDense_ = false;
    dual_.store = nullptr;
    for (int iteration = 0; last || iteration < kStageIterations; iteration++) {
      if (dual_.point.error <= target || progress_.over()) return;
      iterate(target);
      if (context_.monitor.cancelled()) return;
    }
  }

  void iterate(double target) {
    const double error = dual_.point.error;
    dual_.differentiate();
    if (!useDense_ && !kept_.select(context_, dual_.point, dual_.epsilon)) {
      // Plans this smooth are what Sinkhorn is good at; if it is not, Newton with the whole plan.
      sinkhorn(kDenseSweeps, 0);
      const double now = dual_.point.error;
      if (now > target && std::log(target / now) < kMostBlocks * std::log(now / error)) switchToDense();
      return;
    }
    if (newton(target)) {
      report_.newtonIterations++;
      progress_.record(dual_.point, dual_.roundoff());
    } else if (!context_.monitor.cancelled()) {
      sinkhorn(kFallbackSweeps, 0);
    }
  }

  // The Newton direction, shifted if the line search calls for it, and a step along it.
  bool newton(double target) {
    const double error = dual_.point.error;
    const double inexactness = std::min(kInexactness, std::max(error, 1e-3 * target / error));
    // In units of the Hessian times epsilon.
    const double firstShift = 0.1 * dual_.gradientNorm * std::min(1.0, dual_.epsilon / continuation_.range);
    const DualPoint& point = dual_.point;
    const double bendA = dual_.marginals.a.curvature(), bendB = dual_.marginals.b.curvature();
    double shift = 1e-14 * point.mass / static_cast<double>(std::max(n_, m_));
    for (int attempt = 0; attempt <= kMostShifts; attempt++) {
      for (size_t i = 0; i < n_; i++) diagonalA_[i] = point.rowSum[i] + bendA * point.a[i] + shift;
      for (size_t j = 0; j < m_; j++) diagonalB_[j] = point.columnSum[j] + bendB * point.b[j] + shift;
      const NewtonSystem system{diagonalA_.data(), diagonalB_.data(), dual_.x.data(), dual_.y.data()};
      PlanOperator& plan = reset(system);
      schur_.solve(plan, system, inexactness * error * point.mass, kMostConjugateGradients, context_.monitor,
                   dual_.p.data(), dual_.q.data());
      if (context_.monitor.cancelled()) return false;
      if (dual_.setSlope()) {
        const double least = attempt == kMostShifts ? kLeastStep : kLeastShiftedStep;
        const double alpha = useDense_ ? 1 : dual_.allowedStep(kept_.entries, least);
        if (alpha > 0 && dual_.search(alpha, least) > 0) return true;
        if (context_.monitor.cancelled() || dual_.atRoundoff()) return false;
        if (dual_.store != nullptr && alpha > 0) dual_.evaluate(dual_.point);  // it holds a trial's plan
      }
      shift = std::max(10 * shift, firstShift);
    }
    return false;
  }

  PlanOperator& reset(const NewtonSystem& system) {
    if (useDense_) {
      dense_.reset(dual_.epsilon, dual_.point.f.data(), dual_.point.g.data(), dual_.store, dual_.storePitch,
                   system);
      return dense_;
    }
    sparse_.reset(kept_.entries, system);
    return sparse_;
  }

  void switchToDense() {
    useDense_ = true;
    if (problem_.metric != Metric::dense) return;
    dual_.storePitch = padded<double>(m_);
    if (stored_.empty()) stored_ = Aligned<double>(n_ * dual_.storePitch);
    dual_.store = stored_.data();
    dual_.evaluate(dual_.point);
  }

  void sweep(int count) {
    for (int k = 0; k < count && !context_.monitor.cancelled(); k++) {
      double *f = dual_.point.f.data(), *g = dual_.point.g.data();
      if (dual_.marginals.relaxed()) {
        report_.passes += relaxedSweep_.run(context_.team, context_.geometry, context_.workspace,
                                            dual_.marginals, stage_.epsilon, f, g);
        sweepError_ = relaxedSweep_.error;
      } else {
        report_.passes += sweep_.run(context_.team, context_.geometry, context_.workspace, stage_, f, g);
        sweepError_ = sweep_.error;
      }
    }
  }

  // A block of Sinkhorn iterations, cut short once the error before one of them was small enough.
  void sinkhorn(int count, double target) {
    for (int k = 0; k < count && !context_.monitor.cancelled(); k++) {
      sweep(1);
      if (sweepError_ <= target * dual_.point.mass) break;
    }
    if (context_.monitor.cancelled()) return;
    dual_.evaluate(dual_.point);
    progress_.record(dual_.point, dual_.roundoff());
  }

  Context& context_;
  const Problem& problem_;
  const size_t n_, m_;
  Progress progress_;
  Report& report_;
  Problem stage_;  // with the epsilon of the stage
  Dual dual_;
  LogSweep<double> sweep_;
  RelaxedSweep relaxedSweep_;
  Continuation continuation_;
  KeptEntries kept_;
  SparseOperator sparse_;
  DenseOperator dense_;
  SchurSolver schur_;
  Aligned<double> stored_;
  Aligned<double> diagonalA_, diagonalB_, logA_, logB_, beforeF_, beforeG_;
  double sweepError_ = 0, beforeEpsilon_ = 0;
  bool useDense_ = false;
};

}  // namespace

void sinkhornNewtonAdaptive(Context& context, const Options& options, double* f, double* g, Report& report,
                            History& history) {
  Adaptive(context, options, report, history).run(options.tolerance, f, g);
}

void sinkhornNewtonSparse(const Problem& problem, const Options& options, double* f, double* g,
                          Report& report, History& history, Monitor& monitor) {
  Context context(problem, options.threads, monitor);
  if (options.paper) {
    sinkhornNewtonPaper(context, options, f, g, report, history);
  } else {
    sinkhornNewtonAdaptive(context, options, f, g, report, history);
  }
  if (monitor.cancelled()) return;
  measure(context, f, g, report);
  if (report.marginalError <= options.tolerance) {
    report.status = Status::converged;
  } else if (report.status == Status::converged) {
    report.status = Status::stalled;
  }
  if (options.certificate) certify(context, f, g, report);
}

}  // namespace extrema::transport
