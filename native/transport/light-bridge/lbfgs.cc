#include "core/lbfgs.h"

#include <cmath>

#include "transport/light-bridge/fit.h"

namespace extrema::transport::bridge {

namespace {

// The first step changes no coordinate of theta by more.
constexpr double kFirstStep = 0.1;
// Of the value, relative.
constexpr double kRoundoff = 4e-15;

}  // namespace

void lbfgs(const Shape& shape, Objective& objective, const FitSettings& settings, const Data& source,
           const Data& target, double* theta, History& history, FitReport& report, Monitor& monitor) {
  Team team(settings.threads, monitor);
  Aligned<double> x(shape.size());
  std::copy_n(theta, x.size(), x.data());
  LbfgsOptions options;
  options.tolerance = settings.tolerance;
  options.maxIterations = settings.iterations;
  options.firstStep = kFirstStep;
  const Points allSource{source.points, source.evaluated}, allTarget{target.points, target.evaluated};
  bool begun = false;
  const LbfgsResult result = extrema::lbfgs(x, options, [&](LbfgsTrial& trial) {
    // The first point is always measured: there must be something to report.
    if (monitor.cancelled() || (begun && monitor.expired())) return false;
    begun = true;
    trial.value = objective.evaluate(team, trial.x.data(), allSource, allTarget, 0, trial.gradient.data());
    trial.residual = largest(trial.gradient.data(), x.size());
    trial.roundoff = kRoundoff * (1 + std::fabs(trial.value));
    // The last trial of an iteration is the one it takes.
    history.set(trial.iteration, trial.value);
    monitor.progress(trial.iteration, trial.residual);
    return true;
  });
  std::copy_n(x.data(), x.size(), theta);
  report.iterations = result.iterations;
  report.residual = result.residual;
  report.loss = result.value;
  switch (result.status) {
    case LbfgsStatus::converged:
      report.status = FitStatus::converged;
      break;
    case LbfgsStatus::iterationLimit:
      report.status = FitStatus::iterationLimit;
      break;
    case LbfgsStatus::stalled:
      report.status = FitStatus::stalled;
      break;
    case LbfgsStatus::stopped:
      report.status = FitStatus::timeLimit;
      break;
  }
}

}  // namespace extrema::transport::bridge
