#include <string>

#include "core/error.h"
#include "linear/iterative.h"

namespace extrema::linear {

namespace {

// ‖A r‖ / (‖A‖ ‖r‖) where nothing more can be had: x is a least-squares solution.
constexpr double kNormal = 1e-13;

}  // namespace

void minres(Operator& a, Preconditioner* m, const System& system, const IterativeSettings& settings,
            IterativeReport& report, Monitor& monitor) {
  const size_t n = system.n;
  const double* b = system.b;
  double* x = system.x;
  Team team(settings.threads, monitor);
  Vectors v(n, team);
  Course course(system, settings, report, monitor);
  a.prepare(false);
  Aligned<double> memory(7 * n);
  double *r = memory.data(), *now = r + n, *before = now + n, *z = before + n, *q = z + n;
  double *w = q + n, *w1 = w + n;
  course.checkSymmetry(a, r, now, q, v, team);
  const double size = std::sqrt(v.dot(b, b));
  if (course.endsAtZero(size, v)) return;
  const auto refresh = [&] {
    a.apply(x, r, team);
    report.matvecs++;
    v.residual(b, r);
    project(system.null, r, v);
    return std::sqrt(v.dot(r, r));
  };
  // z = M⁻¹ now; returns the root of z·now.
  const auto precondition = [&] {
    if (m == nullptr) {
      v.copy(now, z);
    } else {
      m->apply(now, z, team);
    }
    project(system.null, z, v);
    const double square = v.dot(z, now);
    if (!(square >= 0) && !monitor.cancelled())
      throw Error("ERR_NOT_POSITIVE",
                  "preconditioner: expected a positive definite one, got r·M⁻¹r = " + std::to_string(square));
    return std::sqrt(square);
  };
  const double goal = settings.tolerance * size;
  double norm = refresh();
  checkRange(norm);
  course.record(norm / size);
  // Each round starts from x; another is only needed where rounding errors have spoilt the recursion.
  while (norm > goal) {
    const double proven = norm;
    v.copy(r, now);
    v.clear(before);
    v.clear(w);
    v.clear(w1);
    double gamma = precondition(), gamma0 = 1, eta = gamma;
    double c = 1, c0 = 1, s = 0, s0 = 0, most = 0;
    bool done = false;
    while (!done) {
      if (!course.goesOn()) {
        if (monitor.cancelled()) return;
        course.record(refresh() / size);
        if (report.residual <= settings.tolerance) report.ended = Ended::converged;
        return;
      }
      if (gamma == 0) break;
      v.scaled(1 / gamma, z, z);
      const double delta = a.applyDot(z, q, team);
      report.matvecs++;
      checkRange(delta);
      // v_{j+1} = A z_j - (delta_j / gamma_j) v_j - (gamma_j / gamma_{j-1}) v_{j-1}
      const double one = delta / gamma, two = gamma / gamma0;
      v.forEach([=](size_t from, size_t to) {
        for (size_t i = from; i < to; i++) before[i] = q[i] - one * now[i] - two * before[i];
      });
      std::swap(now, before);
      project(system.null, now, v);
      // z_j, which the next one overwrites.
      v.copy(z, q);
      const double next = precondition();
      most = std::max(most, std::sqrt(gamma * gamma + delta * delta + next * next));
      const double a0 = c * delta - c0 * s * gamma, a1 = std::hypot(a0, next);
      const double a2 = s * delta + c0 * c * gamma, a3 = s0 * gamma;
      if (monitor.cancelled()) return;
      if (a1 <= 1e-15 * most) break;
      c0 = c;
      s0 = s;
      c = a0 / a1;
      s = next / a1;
      const double step = c * eta;
      v.forEach([=](size_t from, size_t to) {
        for (size_t i = from; i < to; i++) {
          const double direction = (q[i] - a3 * w1[i] - a2 * w[i]) / a1;
          w1[i] = direction;
          x[i] += step * direction;
        }
      });
      std::swap(w, w1);
      const double last = std::abs(eta);
      eta = -s * eta;
      if (m == nullptr) {
        norm = std::abs(eta);
      } else {
        // r = s² r + c eta v_{j+1} / gamma_{j+1}
        const double keep = s * s, add = next == 0 ? 0 : c * eta / next;
        norm = std::sqrt(v.sum([=](size_t from, size_t to) {
          for (size_t i = from; i < to; i++) r[i] = keep * r[i] + add * now[i];
          return dotRange(r + from, r + from, to - from);
        }));
      }
      gamma0 = gamma;
      gamma = next;
      report.iterations++;
      course.record(norm / size);
      done = norm <= goal || last * std::hypot(a0, c0 * next) <= kNormal * most * last;
    }
    norm = refresh();
    course.record(norm / size);
    if (norm > goal && norm > proven / 2) {
      report.ended = Ended::stalled;
      return;
    }
  }
  report.ended = Ended::converged;
}

}  // namespace extrema::linear
