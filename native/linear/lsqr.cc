#include "linear/iterative.h"

namespace extrema::linear {

void lsqr(Operator& a, Preconditioner* m, const System& system, const IterativeSettings& settings,
          IterativeReport& report, Monitor& monitor) {
  const size_t n = system.n, rows = system.rows;
  const double *b = system.b, damp = settings.damp;
  double* x = system.x;
  Team team(settings.threads, monitor);
  Vectors tall(rows, team), wide(n, team);
  Course course(system, settings, report, monitor);
  a.prepare(false);
  a.prepare(true);
  Aligned<double> upper(rows), image(rows), lower(n), direction(n), solution(n), scratch(n);
  double *u = upper.data(), *au = image.data(), *v = lower.data(), *w = direction.data();
  double *y = solution.data(), *av = scratch.data();
  const double size = std::sqrt(tall.dot(b, b));
  if (course.endsAtZero(size, wide)) return;
  const auto normalize = [](double* vector, Vectors& vectors) {
    const double norm = std::sqrt(vectors.dot(vector, vector));
    checkRange(norm);
    if (norm > 0) vectors.scaled(1 / norm, vector, vector);
    return norm;
  };
  // av = R⁻ᵀ Aᵀ u
  const auto transpose = [&] {
    a.applyTranspose(u, av, team);
    if (m != nullptr) m->applyHalf(av, av, true, team);
  };
  double frobenius = 0;  // ‖A R⁻¹‖² as far as it is known, with the damping
  double fit = 0;        // ‖b - A x‖
  // u = b - A x; the smaller of ‖u‖ / ‖b‖ and ‖Aᵀu - damp² x‖ / (‖A‖ ‖u‖), both from x itself.
  const auto measure = [&](bool first) {
    a.apply(x, u, team);
    fit = std::sqrt(tall.residual(b, u));
    checkRange(fit);
    report.matvecs++;
    report.fit = fit / size;
    if (first) return fit / size;
    transpose();
    report.matvecs++;
    if (damp > 0) wide.axpy(-damp * damp, x, av);
    const double total = std::hypot(fit, damp * std::sqrt(wide.dot(x, x)));
    const double normal = std::sqrt(wide.dot(av, av));
    report.normal = total == 0 || frobenius == 0 ? 0 : normal / (std::sqrt(frobenius) * total);
    return std::min(report.fit, report.normal);
  };
  double residual = measure(true);
  course.record(residual);
  double proven = residual;
  if (residual <= settings.tolerance) {
    report.ended = Ended::converged;
    return;
  }
  for (;;) {
    double beta = normalize(u, tall);
    transpose();
    report.matvecs++;
    wide.copy(av, v);
    double alpha = normalize(v, wide);
    wide.copy(v, w);
    wide.clear(y);
    frobenius = alpha * alpha;
    double phi = beta, rho = alpha, damped = 0;
    bool going = true, done = alpha == 0;
    while (!done && (going = course.goesOn())) {
      // beta u = A R⁻¹ v - alpha u
      if (m == nullptr) {
        a.apply(v, au, team);
      } else {
        m->applyHalf(v, av, false, team);
        a.apply(av, au, team);
      }
      tall.xpby(au, -alpha, u);
      beta = normalize(u, tall);
      transpose();
      report.matvecs += 2;
      wide.xpby(av, -beta, v);
      alpha = normalize(v, wide);
      if (monitor.cancelled()) return;
      frobenius += alpha * alpha + beta * beta + damp * damp;
      const double rho1 = std::hypot(rho, damp);
      const double psi = damp / rho1 * phi;
      phi *= rho / rho1;
      const double rho2 = std::hypot(rho1, beta), c = rho1 / rho2, s = beta / rho2;
      const double theta = s * alpha, step = c * phi / rho2;
      rho = -c * alpha;
      phi *= s;
      damped = std::hypot(damped, psi);
      wide.advance(step, -theta / rho2, v, w, y);
      report.iterations++;
      const double total = std::hypot(phi, damped);
      const double normal = std::abs(phi) * alpha * std::abs(c);
      const double relative =
          std::min(total / size, total == 0 ? 0 : normal / (std::sqrt(frobenius) * total));
      course.record(relative);
      done = relative <= settings.tolerance || alpha == 0;
    }
    if (monitor.cancelled()) return;
    if (m != nullptr) m->applyHalf(y, y, false, team);
    wide.axpy(1, y, x);
    residual = measure(false);
    course.record(residual);
    if (residual <= settings.tolerance) {
      report.ended = Ended::converged;
      return;
    }
    if (!going) return;
    // A damped system cannot start again from x, and any other only where that helps.
    if (damp > 0 || residual > proven / 2) {
      report.ended = Ended::stalled;
      return;
    }
    proven = residual;
  }
}

}  // namespace extrema::linear
