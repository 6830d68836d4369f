#include "transport/penalty-newton.h"

#include <algorithm>
#include <cmath>

#include "transport/continuation.h"
#include "transport/kept-entries.h"
#include "transport/newton-limits.h"
#include "transport/penalty-sweep.h"
#include "transport/schur.h"

namespace extrema::transport {

namespace {

constexpr double kArmijo = 1e-4;
constexpr double kHeld = 1e30;  // of the mass, on the diagonal: no step
constexpr double kHidden = 1e-13;

DualPoint newPoint(size_t n, size_t m) {
  DualPoint point(n, m);
  point.demandA = Aligned<double>(n);
  point.demandB = Aligned<double>(m);
  point.a = point.demandA.data();
  point.b = point.demandB.data();
  return point;
}

class PenaltyNewton {
 public:
  PenaltyNewton(Context& context, const Options& options, Penalty& a, Penalty& b, Report& report,
                History& history)
      : context_(context),
        n_(context.problem.n),
        m_(context.problem.m),
        a_(a),
        b_(b),
        report_(report),
        progress_(context, options, report, history),
        continuation_(context),
        kept_(n_, m_),
        sweep_(n_, m_),
        sparse_(context.team, n_, m_),
        dense_(context, report),
        schur_(n_, m_),
        point_(newPoint(n_, m_)),
        trial_(newPoint(n_, m_)),
        x_(n_),
        y_(m_),
        p_(n_),
        q_(m_),
        diagonalA_(n_),
        diagonalB_(m_),
        work_(std::max(n_, m_)) {}

  void run(double tolerance, double* f, double* g) {
    if (progress_.over()) return;
    for (int k = start(f, g);; k++) {
      const bool last = k == continuation_.last;
      if (last) progress_.watch(point_);
      solveStage(last ? tolerance : kStageTolerance, last);
      if (progress_.over() || last) break;
      setEpsilon(continuation_.epsilonOf(k + 1));
      sweeps(kEntrySweeps, kStageTolerance);
    }
    if (!context_.monitor.cancelled() && epsilon_ != context_.problem.epsilon) {
      // Stopped on the way: potentials of a larger epsilon say little about the plan at this one.
      setEpsilon(context_.problem.epsilon);
      sweep();
    }
    progress_.result(point_, f, g);
  }

 private:
  // Potentials less their offsets stay as they are.
  void setEpsilon(double epsilon) {
    const auto move = [&](Penalty& side, Aligned<double>& potential) {
      for (size_t i = 0; i < side.size(); i++) potential[i] -= side.offset(i);
      side.setEpsilon(epsilon);
      for (size_t i = 0; i < side.size(); i++) {
        potential[i] = side.leftOut(i) ? side.nothing(i) : side.clamped(i, potential[i] + side.offset(i));
      }
    };
    move(a_, point_.f);
    move(b_, point_.g);
    epsilon_ = epsilon;
  }

  // Returns the first stage. A warm start skips those that are coarser than its error calls for.
  int start(const double* f, const double* g) {
    const auto nonzero = [](double value) { return value != 0; };
    const bool warm = std::any_of(f, f + n_, nonzero) || std::any_of(g, g + m_, nonzero);
    a_.setEpsilon(context_.problem.epsilon);
    b_.setEpsilon(context_.problem.epsilon);
    if (warm) {
      std::copy_n(f, n_, point_.f.data());
      std::copy_n(g, m_, point_.g.data());
      setEpsilon(context_.problem.epsilon);
      evaluate(point_);
      for (int k = continuation_.last; k >= 0 && !context_.monitor.cancelled(); k -= 2) {
        if (point_.error <= kWarmError) return std::min(k + 2, continuation_.last);
        setEpsilon(continuation_.epsilonOf(k));
        sweep();
        evaluate(point_);
        if (point_.error <= kWarmError) return k;
      }
    }
    for (size_t i = 0; i < n_; i++) point_.f[i] = a_.offset(i);
    for (size_t j = 0; j < m_; j++) point_.g[j] = b_.offset(j);
    setEpsilon(continuation_.epsilonOf(0));
    sweeps(kEntrySweeps, kStageTolerance);
    return 0;
  }

  void evaluate(DualPoint& at) {
    PlanPass pass;
    pass.epsilon = epsilon_;
    pass.f = at.f.data();
    pass.g = at.g.data();
    pass.rowSum = at.rowSum.data();
    pass.columnSum = at.columnSum.data();
    planPass(context_.team, context_.geometry, context_.workspace, pass);
    report_.passes++;
    double error = 0, mass = 0;
    const auto side = [&](const Penalty& penalty, const Aligned<double>& potential,
                          const Aligned<double>& total, Aligned<double>& demand) {
      for (size_t i = 0; i < penalty.size(); i++) {
        demand[i] = penalty.leftOut(i) ? total[i] : penalty.demand(i, potential[i], total[i]);
        work_[i] = penalty.leftOut(i) ? 0 : penalty.missed(i, potential[i], total[i]);
      }
      error += sum(work_.data(), penalty.size());
      mass += sum(demand.data(), penalty.size()) / 2;
    };
    side(a_, at.f, at.rowSum, at.demandA);
    side(b_, at.g, at.columnSum, at.demandB);
    at.mass = mass;
    at.error = error == 0 ? 0 : error / mass;
  }

  void differentiate() {
    double squares = 0, terms = 0;
    const auto side = [&](const Penalty& penalty, const Aligned<double>& potential,
                          const Aligned<double>& total, const double* demand, Aligned<double>& gradient) {
      for (size_t i = 0; i < penalty.size(); i++) {
        gradient[i] = demand[i] - total[i];
        squares += gradient[i] * gradient[i];
        terms += demand[i] * std::fabs(potential[i]);
      }
    };
    side(a_, point_.f, point_.rowSum, point_.a, x_);
    side(b_, point_.g, point_.columnSum, point_.b, y_);
    gradientNorm_ = std::sqrt(squares);
    magnitude_ = terms / epsilon_ + point_.mass;
  }

  double roundoff() const { return 1.1e-16 * magnitude_ / point_.mass; }

  void solveStage(double target, bool last) {
    kept_.reset();
    useDense_ = false;
    for (int iteration = 0; last || iteration < kStageIterations; iteration++) {
      if (point_.error <= target || progress_.over()) return;
      iterate(target);
      if (context_.monitor.cancelled()) return;
    }
  }

  void iterate(double target) {
    const double error = point_.error;
    differentiate();
    if (!useDense_ && !kept_.select(context_, point_, epsilon_)) {
      // Plans this smooth are what scaling is good at; if it is not, Newton with the whole plan.
      sweeps(kDenseSweeps, 0);
      const double now = point_.error;
      useDense_ = now > target && std::log(target / now) < kMostBlocks * std::log(now / error);
      return;
    }
    if (newton(target)) {
      report_.newtonIterations++;
      progress_.record(point_, roundoff());
    } else if (!context_.monitor.cancelled()) {
      sweeps(kFallbackSweeps, 0);
    }
  }

  // The Newton direction, shifted if the line search calls for it, and a step along it.
  bool newton(double target) {
    const double error = point_.error;
    const double inexactness = std::min(kInexactness, std::max(error, 1e-3 * target / error));
    const double firstShift = 0.1 * gradientNorm_ * std::min(1.0, epsilon_ / continuation_.range);
    double shift = 1e-14 * point_.mass / static_cast<double>(std::max(n_, m_));
    const auto diagonal = [&](const Penalty& side, const Aligned<double>& potential,
                              const Aligned<double>& total, Aligned<double>& out) {
      for (size_t i = 0; i < side.size(); i++) {
        const double bend =
            side.leftOut(i) ? std::numeric_limits<double>::infinity() : side.bend(i, potential[i], total[i]);
        out[i] = std::isfinite(bend) ? total[i] + bend + shift : kHeld * point_.mass;
      }
    };
    for (int attempt = 0; attempt <= kMostShifts; attempt++) {
      diagonal(a_, point_.f, point_.rowSum, diagonalA_);
      diagonal(b_, point_.g, point_.columnSum, diagonalB_);
      const NewtonSystem system{diagonalA_.data(), diagonalB_.data(), x_.data(), y_.data()};
      schur_.solve(reset(system), system, inexactness * error * point_.mass, kMostConjugateGradients,
                   context_.monitor, p_.data(), q_.data());
      if (context_.monitor.cancelled()) return false;
      if (search(attempt == kMostShifts ? kLeastStep : kLeastShiftedStep)) return true;
      if (context_.monitor.cancelled()) return false;
      shift = std::max(10 * shift, firstShift);
    }
    return false;
  }

  PlanOperator& reset(const NewtonSystem& system) {
    if (useDense_) {
      dense_.reset(epsilon_, point_.f.data(), point_.g.data(), nullptr, 0, system);
      return dense_;
    }
    sparse_.reset(kept_.entries, system);
    return sparse_;
  }

  // Armijo's rule along the projected direction, with the steps 1, 1/2, … >= least; `point_` moves.
  bool search(double least) {
    for (double alpha = 1; alpha >= least; alpha /= 2) {
      double slope = 0, gain = 0;  // in units of epsilon
      const auto move = [&](const Penalty& side, const Aligned<double>& from, const Aligned<double>& gradient,
                            const Aligned<double>& direction, Aligned<double>& to) {
        for (size_t i = 0; i < side.size(); i++) {
          to[i] = side.leftOut(i) ? from[i] : side.clamped(i, from[i] + alpha * epsilon_ * direction[i]);
          slope += gradient[i] * (to[i] - from[i]) / epsilon_;
          work_[i] = to[i] == from[i] ? 0 : side.gain(i, from[i], to[i]) / epsilon_;
        }
        gain += sum(work_.data(), side.size());
      };
      move(a_, point_.f, x_, p_, trial_.f);
      move(b_, point_.g, y_, q_, trial_.g);
      if (!(slope > 0 && std::isfinite(slope))) continue;
      evaluate(trial_);
      if (context_.monitor.cancelled()) return false;
      if (!std::isfinite(trial_.error)) continue;
      for (size_t i = 0; i < n_; i++) work_[i] = trial_.rowSum[i] - point_.rowSum[i];
      gain -= sum(work_.data(), n_);
      const bool hidden = slope < kHidden * magnitude_;
      if (hidden ? trial_.error < point_.error : gain >= kArmijo * slope) {
        std::swap(point_, trial_);
        return true;
      }
      if (hidden) return false;
    }
    return false;
  }

  void sweep() {
    report_.passes += sweep_.run(context_.team, context_.geometry, context_.workspace, a_, b_, epsilon_,
                                 point_.f.data(), point_.g.data());
  }

  // A block of scaling iterations, cut short once the error before one of them was small enough.
  void sweeps(int count, double target) {
    for (int k = 0; k < count && !context_.monitor.cancelled(); k++) {
      sweep();
      if (sweep_.error <= target * point_.mass) break;
    }
    if (context_.monitor.cancelled()) return;
    evaluate(point_);
    differentiate();
    progress_.record(point_, roundoff());
  }

  Context& context_;
  const size_t n_, m_;
  Penalty &a_, &b_;
  Report& report_;
  Progress progress_;
  Continuation continuation_;
  KeptEntries kept_;
  PenaltySweep sweep_;
  SparseOperator sparse_;
  DenseOperator dense_;
  SchurSolver schur_;
  DualPoint point_, trial_;
  Aligned<double> x_, y_;  // gradient
  Aligned<double> p_, q_;  // direction
  Aligned<double> diagonalA_, diagonalB_, work_;
  double epsilon_ = 0, gradientNorm_ = 0, magnitude_ = 0;
  bool useDense_ = false;
};

}  // namespace

void penaltyNewton(Context& context, const Options& options, Penalty& a, Penalty& b, double* f, double* g,
                   Report& report, History& history) {
  PenaltyNewton(context, options, a, b, report, history).run(options.tolerance, f, g);
}

}  // namespace extrema::transport
