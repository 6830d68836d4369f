#include "linear/iterative.h"

namespace extrema::linear {

namespace {

// Where an inner product says nothing any more.
constexpr double kBreakdown = 1e-15;
// Rounds without progress before it is given up.
constexpr int kRounds = 4;

}  // namespace

void bicgstab(Operator& a, Preconditioner* m, const System& system, const IterativeSettings& settings,
              IterativeReport& report, Monitor& monitor) {
  const size_t n = system.n;
  const double* b = system.b;
  double* x = system.x;
  Team team(settings.threads, monitor);
  Vectors v(n, team);
  Course course(system, settings, report, monitor);
  a.prepare(false);
  Aligned<double> memory((m == nullptr ? 5 : 6) * n);
  double *r = memory.data(), *shadow = r + n, *p = shadow + n, *image = p + n, *t = image + n;
  double* scratch = m == nullptr ? nullptr : t + n;
  const double size = std::sqrt(v.dot(b, b));
  if (course.endsAtZero(size, v)) return;
  const auto refresh = [&] {
    a.apply(x, r, team);
    report.matvecs++;
    return std::sqrt(v.residual(b, r));
  };
  // out = A M⁻¹ in; M⁻¹ in is what it returns.
  const auto apply = [&](const double* in, double* out) {
    if (m != nullptr) m->apply(in, scratch, team);
    const double* direction = m == nullptr ? in : scratch;
    a.apply(direction, out, team);
    report.matvecs++;
    return direction;
  };
  const double goal = settings.tolerance * size;
  double norm = refresh();
  checkRange(norm);
  course.record(norm / size);
  // Each round starts from x with a new shadow residual: after a breakdown, or where rounding errors have
  // spoilt the recursion.
  double proven = norm;
  int failed = 0;
  while (norm > goal) {
    v.copy(r, shadow);
    v.copy(r, p);
    const double shadowNorm = norm;
    double rho = norm * norm;
    bool going = true;
    while (norm > goal && (going = course.goesOn())) {
      const double* direction = apply(p, image);
      const double inner = v.dot(shadow, image), imageNorm = std::sqrt(v.dot(image, image));
      checkRange(imageNorm);
      if (monitor.cancelled()) return;
      if (std::abs(inner) <= kBreakdown * shadowNorm * imageNorm) break;
      const double alpha = rho / inner;
      v.axpy(alpha, direction, x);
      norm = std::sqrt(v.subtract(alpha, image, r));
      report.iterations++;
      if (norm <= goal) {
        course.record(norm / size);
        break;
      }
      direction = apply(r, t);
      const double tt = v.dot(t, t), tr = v.dot(t, r);
      if (monitor.cancelled()) return;
      if (std::abs(tr) <= kBreakdown * std::sqrt(tt) * norm) {
        course.record(norm / size);
        break;
      }
      const double omega = tr / tt;
      v.axpy(omega, direction, x);
      norm = std::sqrt(v.subtract(omega, t, r));
      course.record(norm / size);
      checkRange(norm);
      const double next = v.dot(shadow, r);
      if (std::abs(next) <= kBreakdown * shadowNorm * norm) break;
      const double beta = next / rho * (alpha / omega);
      rho = next;
      v.forEach([=](size_t from, size_t to) {
        for (size_t i = from; i < to; i++) p[i] = r[i] + beta * (p[i] - omega * image[i]);
      });
    }
    norm = refresh();
    if (monitor.cancelled()) return;
    course.record(norm / size);
    if (norm <= goal) break;
    if (!going) return;
    failed = norm > proven * 0.9 ? failed + 1 : 0;
    proven = std::min(proven, norm);
    if (failed == kRounds) {
      report.ended = Ended::stalled;
      return;
    }
  }
  report.ended = Ended::converged;
}

}  // namespace extrema::linear
