// The symmetric Sinkhorn iteration of debiased transport: f <- f + omega (T f - f), where T f is the update
// of f by itself (Feydy, Séjourné, Vialard, Amari, Trouvé, Peyré 2019, arXiv 1810.08278, with omega = 1/2).

#include "transport/symmetric.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "transport/newton.h"

namespace extrema::transport {

namespace {

// T does not expand, so that any averaging converges; its derivative is minus a stochastic matrix, for a
// positive definite kernel with eigenvalues from -1 to 0. The Chebyshev weights of that interval make errors
// 99 times smaller in three iterations, where halves make them 8 times smaller.
constexpr double kWeights[] = {2 / (3 + 0.8660254037844386), 2 / (3 - 0.8660254037844386), 2.0 / 3};
// A kernel that is not positive definite may bring the eigenvalue 1, and averaging to a standstill.
constexpr int kMostAveraging = 60;
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

class Averaging {
 public:
  Averaging(Context& context, double* f)
      : context_(context),
        f_(f),
        scale_(context.problem.n),
        shift_(context.problem.n),
        rowSum_(context.problem.n) {}

  // Finds T f; returns the marginal error of f.
  double step() {
    PlanPass pass;
    pass.epsilon = context_.problem.epsilon;
    pass.f = f_;
    pass.g = f_;
    pass.scaling = Scaling::sinkhorn;
    pass.a = context_.problem.a;
    pass.scale = scale_.data();
    pass.shift = shift_.data();
    pass.rowSum = rowSum_.data();
    planPass(context_.team, context_.geometry, context_.workspace, pass);
    passes++;
    for (size_t i = 0; i < rowSum_.size(); i++) {
      const double a = context_.problem.a[i];
      rowSum_[i] = shift_[i] != 0 ? a : std::fabs(rowSum_[i] - a);
    }
    error = 2 / context_.mass * sum(rowSum_.data(), rowSum_.size());  // rows and columns
    return error;
  }

  void update(size_t iteration) {
    const double omega = kWeights[iteration % std::size(kWeights)];
    for (size_t i = 0; i < rowSum_.size(); i++) {
      f_[i] += omega * (shift_[i] + context_.problem.epsilon * std::log(scale_[i]));
    }
  }

  double error = 0;
  int passes = 0;

 private:
  Context& context_;
  double* f_;
  Aligned<double> scale_, shift_, rowSum_;
};

// The dual is concave, and (g, f) as good as (f, g): their mean is no worse.
void solveByNewton(Context& context, const Options& options, double* f, Report& report) {
  const size_t n = context.problem.n;
  Aligned<double> left(n), right(n);
  std::copy_n(f, n, left.data());
  std::copy_n(f, n, right.data());
  History history(nullptr, 0);
  sinkhornNewtonAdaptive(context, options, left.data(), right.data(), report, history);
  for (size_t i = 0; i < n; i++) f[i] = (left[i] + right[i]) / 2;
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
  Averaging averaging(context, f);
  report.status = Status::converged;
  while (averaging.step() > options.tolerance && !monitor.cancelled()) {
    monitor.progress(report.iterations, averaging.error);
    if (report.iterations >= options.maxIterations) {
      report.status = Status::iterationLimit;
      break;
    }
    if (monitor.expired()) {
      report.status = Status::timeLimit;
      break;
    }
    if (report.iterations >= kMostAveraging) {
      solveByNewton(context, options, f, report);
      break;
    }
    averaging.update(static_cast<size_t>(report.iterations));
    report.iterations++;
  }
  report.passes += averaging.passes;
  if (monitor.cancelled()) return;
  measure(context, f, f, report);
  if (report.marginalError <= options.tolerance) {
    report.status = Status::converged;
  } else if (report.status == Status::converged) {
    report.status = Status::stalled;
  }
}

}  // namespace extrema::transport
