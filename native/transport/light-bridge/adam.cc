#include <cmath>

#include "transport/light-bridge/fit.h"

namespace extrema::transport::bridge {

namespace {

// Kingma, Ba, arXiv 1412.6980, algorithm 1.
constexpr double kPi = 3.141592653589793;
constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kTiny = 1e-8;

Points window(const Data& data, size_t dimension, double iteration, double batch) {
  const double rows = static_cast<double>(data.rows), count = std::min(rows, batch);
  const auto start = static_cast<size_t>(std::fmod(iteration * count, rows));
  return {data.points + start * dimension, static_cast<size_t>(count)};
}

}  // namespace

void adam(const Shape& shape, Objective& objective, const FitSettings& settings, const Data& source,
          const Data& target, double* theta, double* moments, History& history, FitReport& report,
          Monitor& monitor) {
  Team team(settings.threads, monitor);
  const size_t size = shape.size();
  Aligned<double> gradient(size), lastGood(size);
  double *first = moments, *second = moments + size;
  const Points allSource{source.points, source.evaluated}, allTarget{target.points, target.evaluated};
  const auto measure = [&] {
    report.loss = objective.evaluate(team, theta, allSource, allTarget, 0, gradient.data());
    report.residual = largest(gradient.data(), size);
    return std::isfinite(report.loss) && std::isfinite(report.residual);
  };
  const auto restore = [&] {
    std::copy_n(lastGood.data(), size, theta);
    report.status = FitStatus::diverged;
    measure();
  };
  std::copy_n(theta, size, lastGood.data());
  bool good = settings.first > 0 || measure();
  for (double it = 0; good && it < settings.iterations && report.residual > settings.tolerance; it++) {
    if (monitor.expired()) {
      report.status = FitStatus::timeLimit;
      break;
    }
    const double step = settings.first + it + 1;
    const double value = objective.evaluate(team, theta, window(source, shape.dimension, it, settings.batch),
                                            window(target, shape.dimension, it, settings.batch),
                                            static_cast<uint64_t>(step), gradient.data());
    if (monitor.cancelled()) return;
    if (!std::isfinite(value) || !std::isfinite(largest(gradient.data(), size))) return restore();
    history.set(it, value);
    std::copy_n(theta, size, lastGood.data());
    const double decay = settings.cosine ? (1 + std::cos(kPi * (step - 1) / settings.total)) / 2 : 1;
    const double rate = settings.learningRate * decay / (1 - std::pow(kBeta1, step));
    const double correction = 1 / (1 - std::pow(kBeta2, step));
    const auto update = [&](size_t begin, size_t end, double rate) {
      for (size_t i = begin; i < end; i++) {
        const double g = gradient[i];
        first[i] = kBeta1 * first[i] + (1 - kBeta1) * g;
        second[i] = kBeta2 * second[i] + (1 - kBeta2) * g * g;
        theta[i] -= rate * first[i] / (std::sqrt(second[i] * correction) + kTiny);
      }
    };
    // In units of the data, a mean moves as far as the logarithms do.
    const size_t means = shape.components, scales = means * (1 + shape.dimension);
    update(0, means, rate);
    update(means, scales, rate / std::sqrt(shape.epsilon));
    update(scales, size, rate);
    report.iterations++;
    if (std::fmod(report.iterations, settings.checkEvery) == 0) good = measure();
    monitor.progress(settings.first + report.iterations, report.residual);
  }
  const bool last =
      report.status != FitStatus::iterationLimit || settings.first + report.iterations >= settings.total;
  if (good && (last || report.residual <= settings.tolerance)) good = measure();
  if (!good && !monitor.cancelled()) return restore();
  if (report.residual <= settings.tolerance) report.status = FitStatus::converged;
}

}  // namespace extrema::transport::bridge
