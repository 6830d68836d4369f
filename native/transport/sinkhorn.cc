#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "transport/solve.h"

namespace extrema::transport {

Context::Context(const Problem& p, unsigned threads, Monitor& m, bool feasible)
    : problem(p),
      monitor(m),
      team(std::min(threads, rowChunks(p.n, p.m)), m),
      geometry(p),
      workspace(geometry, team.size()),
      range(costRange(team, geometry, workspace)),
      mass(sum(p.a, p.n)) {
  geometry.borderCost = std::isfinite(range.least) ? range.least : 0;
  if (range.forbids && !p.relaxed() && !feasible) checkFeasible(problem, mass, monitor);
}

template <class T>
LogSweep<T>::LogSweep(size_t n, size_t m)
    : shift(n), rowScale(n), columnScale(m), rowSum_(n), columnSum_(m), columnMin_(m) {}

template <class T>
int LogSweep<T>::run(Team& team, const Geometry<T>& geometry, Workspace<T>& workspace, const Problem& problem,
                     double* f, double* g) {
  constexpr double kLeast = sizeof(T) == 8 ? 1e-280 : 1e-30, kMost = sizeof(T) == 8 ? 1e280 : 1e30;
  const size_t n = problem.n, m = problem.m;
  const double epsilon = problem.epsilon;
  int passes = 1;
  PlanPass pass;
  pass.epsilon = epsilon;
  pass.f = f;
  pass.g = g;
  pass.scaling = Scaling::sinkhorn;
  pass.a = problem.a;
  pass.scale = rowScale.data();
  pass.shift = shift.data();
  pass.rowSum = rowSum_.data();
  pass.columnSum = columnSum_.data();
  pass.store = store;
  pass.storePitch = storePitch;
  pass.storeFloat = storeFloat;
  planPass(team, geometry, workspace, pass);
  if (team.monitor().cancelled()) return passes;
  stored = store != nullptr;

  for (size_t i = 0; i < n; i++) {
    rowSum_[i] = shift[i] != 0 ? problem.a[i] : std::fabs(rowSum_[i] - problem.a[i]);
    f[i] += shift[i] + epsilon * std::log(rowScale[i]);
  }
  error = sum(rowSum_.data(), n);

  const auto sound = [](double s) { return s > kLeast && s < kMost; };
  if (!std::all_of(columnSum_.begin(), columnSum_.end(), sound)) {
    stored = false;  // g moves by more than the stored rows can follow
    TransformPass transform;
    transform.f = f;
    transform.columnMin = columnMin_.data();
    transformPass(team, geometry, workspace, transform);
    for (size_t j = 0; j < m; j++) {
      if (!sound(columnSum_[j])) g[j] = columnMin_[j];
    }
    PlanPass again;
    again.epsilon = epsilon;
    again.f = f;
    again.g = g;
    again.columnSum = columnSum_.data();
    planPass(team, geometry, workspace, again);
    passes += 2;
    if (team.monitor().cancelled()) return passes;
  }
  for (size_t j = 0; j < m; j++) {
    columnScale[j] = problem.b[j] / columnSum_[j];
    g[j] += epsilon * std::log(columnScale[j]);
  }
  return passes;
}
template class LogSweep<double>;
template class LogSweep<float>;

namespace {

// Kernel values below the smallest normal number are lost; scalings stay so close to one that no lost entry
// mattered.
template <class T>
constexpr double kLargestScaling = sizeof(T) == 8 ? 1e100 : 1e8;

// Sinkhorn's iteration on a stored kernel matrix K = exp((alpha + beta - C) / epsilon) with scalings u, v,
// absorbed into alpha, beta when they grow (Schmitzer 2019); where K under- or overflows, in the log domain.
template <class T>
class StabilizedKernel {
 public:
  StabilizedKernel(Context& context)
      : context_(context),
        sweep_(context.problem.n, context.problem.m),
        pitch_(padded<T>(context.problem.m)),
        kernel_(context.problem.n * pitch_),
        u_(context.problem.n),
        v_(context.problem.m),
        columnSum_(context.problem.m) {
    for (uint32_t c = 0; c < context.workspace.chunks; c++) columns_.emplace_back(pitch_);
    sweep_.store = kernel_.data();
    sweep_.storePitch = pitch_;
    sweep_.storeFloat = sizeof(T) == 4;
  }

  // One iteration from and to potentials alpha + epsilon log u, beta + epsilon log v. Returns the passes it
  // took.
  int iterate(double* alpha, double* beta) {
    const Problem& problem = context_.problem;
    if (!valid_) {
      int passes = sweep_.run(context_.team, context_.geometry, context_.workspace, problem, alpha, beta);
      error = sweep_.error;
      valid_ = sweep_.stored && usable(sweep_.rowScale) && usable(sweep_.columnScale);
      if (valid_) {
        // The stored rows belong to the potentials before the update: take the scalings out again.
        for (size_t i = 0; i < problem.n; i++) {
          u_[i] = static_cast<T>(sweep_.rowScale[i]);
          alpha[i] -= problem.epsilon * std::log(sweep_.rowScale[i]);
        }
        for (size_t j = 0; j < problem.m; j++) {
          v_[j] = static_cast<T>(sweep_.columnScale[j]);
          beta[j] -= problem.epsilon * std::log(sweep_.columnScale[j]);
        }
      }
      return passes;
    }
    KernelSweep<T> pass;
    pass.kernel = kernel_.data();
    pass.n = problem.n;
    pass.m = problem.m;
    pass.pitch = pitch_;
    pass.v = v_.data();
    pass.a = problem.a;
    pass.u = u_.data();
    pass.columnSum = columnSum_.data();
    kernelSweep(context_.team, columns_, pass);
    if (context_.monitor.cancelled()) return 1;
    error = pass.error;
    bool sound = !pass.unsafe;
    for (size_t j = 0; j < problem.m && sound; j++) {
      const double v = problem.b[j] / columnSum_[j];
      sound = v > 0 && v < std::numeric_limits<T>::max();
      if (sound) v_[j] = static_cast<T>(v);
    }
    if (!sound || !usable(u_) || !usable(v_)) absorb(alpha, beta);
    return 1;
  }

  // Moves the scalings into the potentials; the kernel is formed anew by the next iteration.
  void absorb(double* alpha, double* beta) {
    if (!valid_) return;
    for (size_t i = 0; i < u_.size(); i++) alpha[i] += context_.problem.epsilon * std::log(double{u_[i]});
    for (size_t j = 0; j < v_.size(); j++) beta[j] += context_.problem.epsilon * std::log(double{v_[j]});
    valid_ = false;
  }

  double error = 0;  // sum |P1 - a| before the last iteration

 private:
  template <class S>
  static bool usable(const Aligned<S>& scaling) {
    S least = scaling[0], most = scaling[0];
    for (const S s : scaling) {
      least = std::min(least, s);
      most = std::max(most, s);
    }
    return least > 1 / kLargestScaling<T> && most < kLargestScaling<T>;
  }

  Context& context_;
  LogSweep<double> sweep_;
  size_t pitch_;
  Aligned<T> kernel_, u_, v_;
  Aligned<double> columnSum_;
  std::vector<Aligned<T>> columns_;
  bool valid_ = false;
};

// Points: nothing of size n × m is kept, every iteration is one pass in the log domain.
template <class T>
class StreamedKernel {
 public:
  StreamedKernel(Context& context)
      : context_(context),
        geometry_(context.problem),
        workspace_(geometry_, context.team.size()),
        sweep_(context.problem.n, context.problem.m) {}

  int iterate(double* f, double* g) {
    const int passes = sweep_.run(context_.team, geometry_, workspace_, context_.problem, f, g);
    error = sweep_.error;
    return passes;
  }
  void absorb(double*, double*) {}

  double error = 0;

 private:
  Context& context_;
  Geometry<T> geometry_;
  Workspace<T> workspace_;
  LogSweep<T> sweep_;
};

// Tells slow progress from the floor of the arithmetic: Sinkhorn's row error never grows but by rounding.
class StallTest {
 public:
  StallTest(double floor) : floor_(floor) {}
  bool stalled(double error) {
    if (error < best_ * (1 - 1e-3)) {
      best_ = error;
      since_ = 0;
      return false;
    }
    return ++since_ >= 200 && best_ < floor_;
  }

 private:
  double floor_, best_ = std::numeric_limits<double>::infinity();
  int since_ = 0;
};

template <class KernelType>
void iterate(Context& context, KernelType& kernel, const Options& options, double* f, double* g,
             Report& report, History& history) {
  const double unit = options.float32 ? 6e-8 : 1.2e-16;
  const double span = (context.range.most - context.range.least) / context.problem.epsilon;
  double target = options.tolerance;
  StallTest stall(1e3 * unit * (16 + span));
  for (;;) {
    report.status = Status::iterationLimit;
    while (report.iterations < options.maxIterations) {
      report.passes += kernel.iterate(f, g);
      if (context.monitor.cancelled()) return;
      report.iterations++;
      const double error = kernel.error / context.mass;
      history.add(error);
      context.monitor.progress(report.iterations, error);
      if (error <= target) {
        report.status = Status::converged;
        break;
      }
      if (std::isnan(error) || stall.stalled(error)) {  // NaN: somebody writes to the cost
        report.status = Status::stalled;
        break;
      }
      if (context.monitor.expired()) {
        report.status = Status::timeLimit;
        break;
      }
    }
    kernel.absorb(f, g);
    measure(context, f, g, report);
    if (report.marginalError <= options.tolerance) report.status = Status::converged;
    if (report.status != Status::converged || report.marginalError <= options.tolerance) return;
    // The kernel's own rounding hid an error above the tolerance: form it anew and ask for more, while that
    // helps.
    target /= 4;
    if (target < options.tolerance / 64) {
      report.status = Status::stalled;
      return;
    }
  }
}

}  // namespace

void sinkhorn(const Problem& problem, const Options& options, double* f, double* g, Report& report,
              History& history, Monitor& monitor) {
  Context context(problem, options.threads, monitor);
  if (problem.metric == Metric::dense) {
    if (options.float32) {
      StabilizedKernel<float> kernel(context);
      iterate(context, kernel, options, f, g, report, history);
    } else {
      StabilizedKernel<double> kernel(context);
      iterate(context, kernel, options, f, g, report, history);
    }
  } else if (options.float32) {
    StreamedKernel<float> kernel(context);
    iterate(context, kernel, options, f, g, report, history);
  } else {
    StreamedKernel<double> kernel(context);
    iterate(context, kernel, options, f, g, report, history);
  }
  if (options.certificate && !monitor.cancelled()) certify(context, f, g, report);
}

}  // namespace extrema::transport
