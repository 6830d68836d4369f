#include "transport/newton.h"

#include <algorithm>
#include <cmath>

namespace extrema::transport {

namespace {

// An error that falls by less than a tenth in this many iterations does not fall any more, the second if
// rounding explains it.
constexpr int kPatience = 100, kPatienceAtRoundoff = 3;
constexpr double kRoundoffs = 64;

}  // namespace

Progress::Progress(Context& context, const Options& options, Report& report, History& history)
    : context_(context),
      options_(options),
      report_(report),
      history_(history),
      f_(context.problem.n),
      g_(context.problem.m) {
  report.status = Status::converged;  // unless something stops it
}

void Progress::watch(const DualPoint& at) {
  watching_ = true;
  keep(at);
}

void Progress::keep(const DualPoint& at) {
  if (!(at.error < best_)) return;
  best_ = at.error;
  std::copy_n(at.f.data(), at.f.size(), f_.data());
  std::copy_n(at.g.data(), at.g.size(), g_.data());
}

void Progress::record(const DualPoint& at, double roundoff) {
  report_.iterations++;
  history_.add(at.error);
  context_.monitor.progress(report_.iterations, at.error);
  if (!watching_) return;
  keep(at);
  if (at.error < 0.9 * mark_) {
    mark_ = at.error;
    since_ = 0;
  } else {
    since_++;
  }
  stalled_ = since_ >= (best_ <= kRoundoffs * roundoff ? kPatienceAtRoundoff : kPatience);
}

bool Progress::over() {
  if (context_.monitor.cancelled()) return true;
  if (stalled_) {
    report_.status = Status::stalled;
  } else if (report_.iterations >= options_.maxIterations) {
    report_.status = Status::iterationLimit;
  } else if (context_.monitor.expired()) {
    report_.status = Status::timeLimit;
  } else {
    return false;
  }
  return true;
}

void Progress::result(const DualPoint& last, double* f, double* g) const {
  const bool kept = watching_ && best_ < std::numeric_limits<double>::infinity();
  std::copy_n(kept ? f_.data() : last.f.data(), last.f.size(), f);
  std::copy_n(kept ? g_.data() : last.g.data(), last.g.size(), g);
}

}  // namespace extrema::transport
