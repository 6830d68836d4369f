#include "core/error.h"
#include "linear/iterative.h"

namespace extrema::linear {

namespace {

// An A that is positive definite lets the residual grow by the root of its condition at most.
constexpr double kGrowth = 1e8;

}  // namespace

void conjugateGradient(Operator& a, Preconditioner* m, const System& system,
                       const IterativeSettings& settings, IterativeReport& report, Monitor& monitor) {
  const size_t n = system.n;
  const double* b = system.b;
  double* x = system.x;
  Team team(settings.threads, monitor);
  Vectors v(n, team);
  Course course(system, settings, report, monitor);
  a.prepare(false);
  Aligned<double> residual(n), direction(n), image(n), preconditioned(m == nullptr ? 0 : n);
  double *r = residual.data(), *p = direction.data(), *q = image.data();
  double* z = m == nullptr ? r : preconditioned.data();
  course.checkSymmetry(a, r, p, q, v, team);
  const double bb = v.dot(b, b), size = std::sqrt(bb);
  if (course.endsAtZero(size, v)) return;
  // r = b - A x from x itself; returns r·r.
  const auto restart = [&] {
    a.apply(x, r, team);
    report.matvecs++;
    const double rr = v.residual(b, r);
    if (system.null == nullptr) return rr;
    project(system.null, r, v);
    return v.dot(r, r);
  };
  // z = M⁻¹ r; returns r·z.
  const auto precondition = [&](double rr) {
    if (m == nullptr) return rr;
    m->apply(r, z, team);
    project(system.null, z, v);
    const double rz = v.dot(r, z);
    if (!(rz > 0) && !monitor.cancelled())
      throw Error("ERR_NOT_POSITIVE",
                  "preconditioner: expected a positive definite one, got r·M⁻¹r = " + std::to_string(rz));
    return rz;
  };

  double rr;
  if (v.dot(x, x) == 0) {
    v.copy(b, r);
    rr = bb;
  } else {
    rr = restart();
  }
  checkRange(rr);
  const double goal = settings.tolerance * size;
  double proven = rr;  // r·r when it last was computed from x
  const double most = kGrowth * kGrowth * std::max(rr, bb);
  course.record(std::sqrt(rr) / size);
  if (std::sqrt(rr) <= goal) {
    report.ended = Ended::converged;
    return;
  }
  double rz = precondition(rr);
  v.copy(z, p);
  while (course.goesOn()) {
    const double pq = a.applyDot(p, q, team);
    report.matvecs++;
    if (monitor.cancelled()) return;
    checkRange(pq);
    if (!(pq > 0))
      throw Error("ERR_NOT_POSITIVE",
                  "matrix: expected a positive definite one, got p·Ap = " + std::to_string(pq));
    const double alpha = rz / pq;
    rr = v.subtract(alpha, q, r);
    project(system.null, r, v);
    report.iterations++;
    course.record(std::sqrt(rr) / size);
    if (std::sqrt(rr) > goal && rr <= most) {
      const double before = rz;
      rz = precondition(rr);
      v.advance(alpha, rz / before, z, p, x);
      continue;
    }
    v.axpy(alpha, p, x);
    const bool diverged = !(rr <= most);
    rr = restart();
    course.record(std::sqrt(rr) / size);
    if (std::sqrt(rr) <= goal) {
      report.ended = Ended::converged;
      return;
    }
    // The recursion has lost touch: once more from x, unless that no longer helps.
    if (diverged || rr > proven / 4) {
      report.ended = Ended::stalled;
      return;
    }
    proven = rr;
    rz = precondition(rr);
    v.copy(z, p);
  }
  if (monitor.cancelled()) return;
  course.record(std::sqrt(restart()) / size);
  if (report.residual <= settings.tolerance) report.ended = Ended::converged;
}

}  // namespace extrema::linear
