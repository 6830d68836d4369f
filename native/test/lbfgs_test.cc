// L-BFGS on functions with known minima, smooth, nearly flat and with kinks.

#include "core/lbfgs.h"

#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <vector>

namespace {

using namespace extrema;

int failures = 0;

void expect(bool right, const char* what) {
  if (right) return;
  failures++;
  std::printf("FAIL: %s\n", what);
}

using Function = std::function<double(const Aligned<double>&, Aligned<double>&)>;

struct Outcome {
  LbfgsResult result;
  std::vector<double> x;
  int evaluations;
};

// The residual is the largest entry of the gradient.
Outcome minimize(const Function& function, const std::vector<double>& start, LbfgsOptions options) {
  Aligned<double> x(start.size());
  std::copy(start.begin(), start.end(), x.begin());
  int evaluations = 0;
  const LbfgsResult result = lbfgs(x, options, [&](LbfgsTrial& trial) {
    trial.value = function(trial.x, trial.gradient);
    trial.residual = 0;
    for (const double g : trial.gradient) {
      if (!(std::fabs(g) <= trial.residual)) trial.residual = std::fabs(g);  // NaN, too
    }
    trial.roundoff = 4 * std::numeric_limits<double>::epsilon() * std::fabs(trial.value);
    return ++evaluations < 100000;
  });
  return {result, std::vector<double>(x.begin(), x.end()), evaluations};
}

double rosenbrock(const Aligned<double>& x, Aligned<double>& g) {
  double value = 0;
  g.clear();
  for (size_t i = 0; i + 1 < x.size(); i++) {
    const double a = x[i + 1] - x[i] * x[i], b = 1 - x[i];
    value += 100 * a * a + b * b;
    g[i] -= 400 * x[i] * a + 2 * b;
    g[i + 1] += 200 * a;
  }
  return value;
}

LbfgsOptions options(double tolerance, double maxIterations) {
  LbfgsOptions options;
  options.tolerance = tolerance;
  options.maxIterations = maxIterations;
  return options;
}

void smooth() {
  for (const size_t n : {2, 50}) {
    std::vector<double> start(n);
    for (size_t i = 0; i < n; i++) start[i] = i % 2 == 0 ? -1.2 : 1;
    const Outcome found = minimize(rosenbrock, start, options(1e-10, 1000));
    expect(found.result.status == LbfgsStatus::converged, "Rosenbrock converges");
    for (const double value : found.x) expect(std::fabs(value - 1) < 1e-8, "Rosenbrock's minimum");
  }
  const Outcome flat = minimize(
      [](const Aligned<double>& x, Aligned<double>& g) {
        g[0] = 2 * x[0];
        g[1] = 20 * x[1];
        return 1e8 + x[0] * x[0] + 10 * x[1] * x[1];
      },
      {1, 1}, options(1e-10, 1000));
  expect(flat.result.status == LbfgsStatus::converged, "slopes decide where values do not");
}

void kinks() {
  const Outcome found = minimize(
      [](const Aligned<double>& x, Aligned<double>& g) {
        g[0] = (x[0] > 0 ? 2 : -2) + 0.2 * x[0];
        g[1] = 2 * (x[1] - 3);
        return 2 * std::fabs(x[0]) + 0.1 * x[0] * x[0] + (x[1] - 3) * (x[1] - 3);
      },
      {5, -4}, options(1e-10, 1000));
  expect(found.result.status != LbfgsStatus::converged, "a kink has no small gradient");
  expect(std::fabs(found.x[0]) < 1e-6 && std::fabs(found.x[1] - 3) < 1e-4, "the kink is found");
}

void ends() {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Outcome broken = minimize(
      [&](const Aligned<double>&, Aligned<double>& g) {
        g[0] = g[1] = nan;
        return nan;
      },
      {1, 2}, options(1e-10, 1000));
  expect(broken.result.status == LbfgsStatus::stalled, "NaN stalls");
  expect(broken.x[0] == 1 && broken.x[1] == 2, "NaN moves nothing");
  const Outcome wall = minimize(
      [&](const Aligned<double>& x, Aligned<double>& g) {
        g[0] = x[0] > 0 ? 1 - 1 / x[0] : nan;
        return x[0] > 0 ? x[0] - std::log(x[0]) : nan;
      },
      {1e-3},
      [] {
        LbfgsOptions far = options(1e-10, 1000);
        far.firstStep = 100;
        return far;
      }());
  expect(wall.result.status == LbfgsStatus::converged && std::fabs(wall.x[0] - 1) < 1e-9, "walls of NaN");
  expect(minimize(rosenbrock, {-1.2, 1}, options(0, 3)).result.status == LbfgsStatus::iterationLimit,
         "the limit of iterations");

  Aligned<double> x(2);
  int left = 5;
  const LbfgsResult stopped = lbfgs(x, options(0, 100), [&](LbfgsTrial& trial) {
    trial.value = rosenbrock(trial.x, trial.gradient);
    trial.residual = 1;
    return --left > 0;
  });
  expect(stopped.status == LbfgsStatus::stopped && left == 0, "the caller's word to stop");
}

}  // namespace

int main() {
  smooth();
  kinks();
  ends();
  if (failures == 0) std::printf("ok\n");
  return failures == 0 ? 0 : 1;
}
