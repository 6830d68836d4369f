// The symmetric Sinkhorn iteration of debiased transport: f <- f + omega (T f - f), where T f is the update
// of f by itself (Feydy, Séjourné, Vialard, Amari, Trouvé, Peyré 2019, arXiv 1810.08278, with omega = 1/2).

#include "transport/symmetric.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"

namespace extrema::transport {

namespace {

// T does not expand, so that any averaging converges; its derivative is minus a stochastic matrix, for a
// positive definite kernel with eigenvalues from -1 to 0. The Chebyshev weights of that interval make errors
// 99 times smaller in three iterations, where halves make them 8 times smaller.
constexpr double kWeights[] = {2 / (3 + 0.8660254037844386), 2 / (3 - 0.8660254037844386), 2.0 / 3};
constexpr int kPatience = 60;        // iterations without a better error
constexpr double kAsymmetry = 1e-6;  // of the range of the costs
constexpr size_t kTile = 64;

void checkSymmetric(const Context& context, const char* name) {
  const Problem& problem = context.problem;
  if (problem.metric != Metric::dense) return;
  const size_t n = problem.n;
  const double slack = kAsymmetry * (context.range.most - context.range.least);
  const auto at = [&](size_t i, size_t j) {
    return problem.cost64 != nullptr ? problem.cost64[i * n + j] : double{problem.cost32[i * n + j]};
  };
  for (size_t i0 = 0; i0 < n; i0 += kTile) {
    if (context.monitor.cancelled()) return;
    for (size_t j0 = 0; j0 <= i0; j0 += kTile) {
      for (size_t i = i0; i < std::min(i0 + kTile, n); i++) {
        for (size_t j = j0; j < std::min(j0 + kTile, i); j++) {
          const double above = at(j, i), below = at(i, j);
          if (above == below || std::fabs(above - below) <= slack) continue;
          throw Error("ERR_SHAPE", std::string(name) + ": expected a symmetric matrix, got " +
                                       std::to_string(below) + " at [" + std::to_string(i) + "][" +
                                       std::to_string(j) + "] and " + std::to_string(above) + " across");
        }
      }
    }
  }
}

}  // namespace

void symmetricSinkhorn(const Problem& problem, const Options& options, const char* name, double* f,
                       Report& report, Monitor& monitor) {
  Context context(problem, options.threads, monitor);
  checkSymmetric(context, name);
  const size_t n = problem.n;
  const double epsilon = problem.epsilon;
  // Where nothing but the diagonal has mass, sqrt(a) is exact.
  if (std::all_of(f, f + n, [](double value) { return value == 0; })) {
    for (size_t i = 0; i < n; i++) f[i] = epsilon / 2 * std::log(problem.a[i]);
  }
  Aligned<double> scale(n), shift(n), rowSum(n), best(n);
  double least = std::numeric_limits<double>::infinity();
  int since = 0;
  PlanPass pass;
  pass.epsilon = epsilon;
  pass.f = f;
  pass.g = f;
  pass.scaling = Scaling::sinkhorn;
  pass.a = problem.a;
  pass.scale = scale.data();
  pass.shift = shift.data();
  pass.rowSum = rowSum.data();
  for (;;) {
    planPass(context.team, context.geometry, context.workspace, pass);
    if (monitor.cancelled()) return;
    report.passes++;
    double error = 0;
    for (size_t i = 0; i < n; i++)
      error += shift[i] != 0 ? problem.a[i] : std::fabs(rowSum[i] - problem.a[i]);
    error *= 2 / context.mass;  // rows and columns
    if (error < least) {
      least = error;
      since = 0;
      std::copy_n(f, n, best.data());
    } else {
      since++;
    }
    report.status = error <= options.tolerance                   ? Status::converged
                    : since >= kPatience                         ? Status::stalled
                    : report.iterations >= options.maxIterations ? Status::iterationLimit
                    : monitor.expired()                          ? Status::timeLimit
                                                                 : report.status;
    const bool over = error <= options.tolerance || since >= kPatience ||
                      report.iterations >= options.maxIterations || monitor.expired();
    if (over) break;
    const double omega = kWeights[static_cast<size_t>(report.iterations) % std::size(kWeights)];
    for (size_t i = 0; i < n; i++) f[i] += omega * (shift[i] + epsilon * std::log(scale[i]));
    report.iterations++;
    monitor.progress(report.iterations, error);
  }
  std::copy_n(best.data(), n, f);
  measure(context, f, f, report);
  if (report.marginalError <= options.tolerance) {
    report.status = Status::converged;
  } else if (report.status == Status::converged) {
    report.status = Status::stalled;
  }
}

}  // namespace extrema::transport
