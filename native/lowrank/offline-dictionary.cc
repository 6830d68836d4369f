#include <cblas.h>

#include <algorithm>
#include <cmath>

#include "lowrank/dictionary.h"

namespace extrema::lowrank {

// W <- polar(Yᵀ shaped(Y W)): the generalised power method for powers (Frank-Wolfe with full steps on a
// convex function, which never falls), and hard thresholding in turn with Procrustes' problem for codes.
void learnOffline(const OfflineJob& job, OfflineReport& report, Monitor& monitor) {
  Team team(job.threads, monitor);
  const size_t n = job.samples.n, size = n * n;
  const bool powers = job.coding.shaping == Shaping::cube || job.coding.shaping == Shaping::fourth;
  Gradient gradient(job.samples, job.coding, job.samples.rows, team);
  Polar polar(n, team);
  Aligned<double> g(size), next(size);
  const int count = static_cast<int>(size);
  for (;;) {
    const Sums sums = gradient.evaluate(0, job.samples.rows, job.dictionary, g.data());
    if (monitor.cancelled()) return;
    report.objective = sums.objective;
    polar.factor(g.data(), job.dictionary, next.data());
    if (monitor.cancelled()) return;
    const double norm = cblas_dnrm2(count, g.data(), 1);
    if (powers) {
      const double gap =
          cblas_ddot(count, g.data(), 1, next.data(), 1) - cblas_ddot(count, g.data(), 1, job.dictionary, 1);
      report.residual = norm > 0 ? std::max(0.0, gap) / norm : 0;
    } else {
      double change = 0;
      for (size_t i = 0; i < size; i++)
        change += (next[i] - job.dictionary[i]) * (next[i] - job.dictionary[i]);
      report.residual = std::sqrt(change / static_cast<double>(n));
    }
    if (report.residual <= job.tolerance) {
      report.status = 0;
      return;
    }
    if (report.iterations >= job.maxIterations) return;
    if (monitor.expired()) {
      report.status = 2;
      return;
    }
    job.history[static_cast<size_t>(report.iterations)] = report.objective;
    std::copy_n(next.data(), size, job.dictionary);
    report.iterations++;
    monitor.progress(report.iterations, report.residual);
  }
}

}  // namespace extrema::lowrank
