#include "core/error.h"
#include "linear/csr.h"
#include "linear/iterative.h"
#include "linear/sweeps.h"

namespace extrema::linear {

namespace {

// Where the residual has grown by this much there is no convergence.
constexpr double kGrowth = 1e8;
// Iterations after which the residual is computed from x again.
constexpr int kRefresh = 50;

// One iteration on x and r = b - A x. After (D/omega + L) d = r, r - A d is ((1/omega - 1) D - U) d: half of
// A's entries give the step and the other half the new residual.
class Sweeper {
 public:
  Sweeper(Split& split, Sweep sweep, double omega, const std::vector<size_t>& begin, Team& team)
      : split_(split),
        sweep_(sweep),
        omega_(omega),
        begin_(begin),
        team_(team),
        vectors_(split.matrix.rows, team),
        step_(split.matrix.rows) {}

  // Returns the new r·r.
  double advance(double* x, double* r) {
    if (sweep_ == Sweep::jacobi) {
      jacobi(x, r);
    } else {
      forward(x, r);
      if (sweep_ == Sweep::ssor) backward(x, r);
    }
    return vectors_.dot(r, r);
  }

 private:
  void jacobi(double* x, double* r) {
    double* d = step_.data();
    vectors_.forEach([&](size_t from, size_t to) {
      for (size_t i = from; i < to; i++) {
        d[i] = omega_ * split_.inverse[i] * r[i];
        x[i] += d[i];
      }
    });
    team_.run(static_cast<uint32_t>(begin_.size() - 1), [&](uint32_t c, unsigned) {
      for (size_t i = begin_[c]; i < begin_[c + 1]; i++) {
        double sum = 0;
        for (int32_t k = split_.matrix.indptr[i]; k < split_.matrix.indptr[i + 1]; k++)
          sum += split_.matrix.data[k] * d[split_.matrix.indices[k]];
        r[i] -= sum;
      }
    });
  }

  void forward(double* x, double* r) {
    double* d = step_.data();
    // (D/omega + L) d = r is (D + omega L) d = omega r.
    split_.forward(r, omega_, omega_, d, team_);
    after(x, r, false);
  }
  void backward(double* x, double* r) {
    double* d = step_.data();
    vectors_.forEach([&](size_t from, size_t to) {
      for (size_t i = from; i < to; i++) d[i] = omega_ * split_.inverse[i] * r[i];
    });
    split_.backward(d, omega_, d, team_);
    after(x, r, true);
  }
  // x += d, r = ((1/omega - 1) D - U) d, or with L in the place of U.
  void after(double* x, double* r, bool lower) {
    const double* d = step_.data();
    const double own = 1 / omega_ - 1;
    team_.run(static_cast<uint32_t>(begin_.size() - 1), [&](uint32_t c, unsigned) {
      for (size_t i = begin_[c]; i < begin_[c + 1]; i++) {
        const int32_t at = split_.diagonal[i];
        const int32_t from = lower ? split_.matrix.indptr[i] : at + 1;
        const int32_t to = lower ? at : split_.matrix.indptr[i + 1];
        double sum = 0;
        for (int32_t k = from; k < to; k++) sum += split_.matrix.data[k] * d[split_.matrix.indices[k]];
        r[i] = own * split_.matrix.data[at] * d[i] - sum;
        x[i] += d[i];
      }
    });
  }

  Split& split_;
  Sweep sweep_;
  double omega_;
  const std::vector<size_t>& begin_;
  Team& team_;
  Vectors vectors_;
  Aligned<double> step_;
};

}  // namespace

void stationary(const Csr& matrix, Sweep sweep, const System& system, const IterativeSettings& settings,
                IterativeReport& report, Monitor& monitor) {
  const size_t n = system.n;
  double* x = system.x;
  Team team(settings.threads, monitor);
  Vectors v(n, team);
  Course course(system, settings, report, monitor);
  const auto a = csrOperator(matrix);
  Split split(matrix, sweep != Sweep::jacobi);
  const std::vector<size_t> begin = balancedRows(matrix);
  Aligned<double> residual(n);
  double* r = residual.data();
  if (settings.checkSymmetry) {
    Aligned<double> u(n), w(n);
    course.checkSymmetry(*a, r, u.data(), w.data(), v, team);
  }
  const double size = std::sqrt(v.dot(system.b, system.b));
  if (course.endsAtZero(size, v)) return;
  const auto refresh = [&] {
    a->apply(x, r, team);
    report.matvecs++;
    return std::sqrt(v.residual(system.b, r));
  };
  Sweeper sweeper(split, sweep, settings.omega, begin, team);
  const double goal = settings.tolerance * size;
  double norm = refresh();
  checkRange(norm);
  const double most = kGrowth * std::max(norm, size);
  double proven = norm;  // when it last was computed from x at the goal
  course.record(norm / size);
  while (norm > goal) {
    if (!course.goesOn()) {
      if (monitor.cancelled()) return;
      course.record(refresh() / size);
      if (report.residual <= settings.tolerance) report.ended = Ended::converged;
      return;
    }
    norm = std::sqrt(sweeper.advance(x, r));
    report.matvecs++;
    report.iterations++;
    if (monitor.cancelled()) return;
    const bool reached = norm <= goal;
    if (reached || static_cast<long>(report.iterations) % kRefresh == 0) norm = refresh();
    if (!(norm <= most)) {
      // On a positive definite matrix these sweeps converge whatever omega in (0, 2).
      if (sweep != Sweep::jacobi && settings.checkSymmetry)
        throw Error("ERR_NOT_POSITIVE", "matrix: expected a positive definite one, got diverging sweeps");
      checkRange(norm);
      course.record(norm / size);
      report.ended = Ended::stalled;
      return;
    }
    course.record(norm / size);
    if (reached && norm > goal) {
      if (norm > proven / 2) {
        report.ended = Ended::stalled;
        return;
      }
      proven = norm;
    }
  }
  report.ended = Ended::converged;
}

}  // namespace extrema::linear
