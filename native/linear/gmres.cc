#include <vector>

#include "linear/iterative.h"

namespace extrema::linear {

void gmres(Operator& a, Preconditioner* m, const System& system, const IterativeSettings& settings,
           IterativeReport& report, Monitor& monitor) {
  const size_t n = system.n, most = std::min<size_t>(settings.restart, n);
  const double* b = system.b;
  double* x = system.x;
  Team team(settings.threads, monitor);
  Vectors v(n, team);
  Course course(system, settings, report, monitor);
  a.prepare(false);
  Aligned<double> basis((most + 1) * n), scratch(m == nullptr ? 0 : n);
  std::vector<double> h((most + 1) * most), c(most), s(most), g(most + 1), y(most);
  double *r = basis.data(), *z = scratch.data();
  const double size = std::sqrt(v.dot(b, b));
  if (course.endsAtZero(size, v)) return;
  const auto refresh = [&] {
    a.apply(x, r, team);
    report.matvecs++;
    return std::sqrt(v.residual(b, r));
  };
  const double goal = settings.tolerance * size;
  double norm = refresh();
  checkRange(norm);
  course.record(norm / size);
  while (norm > goal) {
    const double proven = norm;
    v.scaled(1 / norm, r, r);
    g[0] = norm;
    size_t k = 0;
    bool going = true, singular = false;
    while (k < most && norm > goal && (going = course.goesOn())) {
      const double* last = r + k * n;
      double* next = r + (k + 1) * n;
      if (m == nullptr) {
        a.apply(last, next, team);
      } else {
        m->apply(last, z, team);
        a.apply(z, next, team);
      }
      report.matvecs++;
      // Modified Gram-Schmidt; column k of H is h[k * (most + 1) …].
      double* column = &h[k * (most + 1)];
      const double before = std::sqrt(v.dot(next, next));
      checkRange(before);
      for (size_t j = 0; j <= k; j++) {
        column[j] = v.dot(r + j * n, next);
        v.axpy(-column[j], r + j * n, next);
      }
      double length = std::sqrt(v.dot(next, next));
      // What is left of a vector inside the space is rounding error.
      if (length <= 1e-15 * before) length = 0;
      if (monitor.cancelled()) return;
      if (length > 0) v.scaled(1 / length, next, next);
      for (size_t j = 0; j < k; j++) {
        const double upper = column[j];
        column[j] = c[j] * upper + s[j] * column[j + 1];
        column[j + 1] = c[j] * column[j + 1] - s[j] * upper;
      }
      const double rho = std::hypot(column[k], length);
      if (rho <= 1e-15 * before) {
        // A maps the space into itself, and is singular there.
        singular = true;
        break;
      }
      c[k] = column[k] / rho;
      s[k] = length / rho;
      column[k] = rho;
      g[k + 1] = -s[k] * g[k];
      g[k] *= c[k];
      norm = std::abs(g[k + 1]);
      k++;
      report.iterations++;
      course.record(norm / size);
      if (length == 0) break;
    }
    for (size_t i = k; i-- > 0;) {
      double sum = g[i];
      for (size_t j = i + 1; j < k; j++) sum -= h[j * (most + 1) + i] * y[j];
      y[i] = sum / h[i * (most + 1) + i];
    }
    if (m == nullptr) {
      for (size_t j = 0; j < k; j++) v.axpy(y[j], r + j * n, x);
    } else if (k > 0) {
      // r's place is free only after this: the sum goes to the last vector, which is not among the k.
      double* sum = r + k * n;
      v.scaled(y[0], r, sum);
      for (size_t j = 1; j < k; j++) v.axpy(y[j], r + j * n, sum);
      m->apply(sum, z, team);
      v.axpy(1, z, x);
    }
    norm = refresh();
    if (monitor.cancelled()) return;
    course.record(norm / size);
    if (norm <= goal) break;
    if (!going) return;
    if (singular || norm >= proven * (1 - 1e-10)) {
      report.ended = Ended::stalled;
      return;
    }
  }
  report.ended = Ended::converged;
}

}  // namespace extrema::linear
