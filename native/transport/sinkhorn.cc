#include <algorithm>
#include <cmath>
#include <optional>

#include "core/error.h"
#include "simd/math.h"
#include "transport/column-rescue.h"
#include "transport/sinkhorn-acceleration.h"
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
  int passes = 1;
  if (cloud != nullptr) {
    passes = cloud->run(team, workspace, pass);
  } else {
    planPass(team, geometry, workspace, pass);
  }
  if (team.monitor().cancelled()) return passes;
  stored = store != nullptr;

  for (size_t i = 0; i < n; i++) {
    rowSum_[i] = shift[i] != 0 ? problem.a[i] : std::fabs(rowSum_[i] - problem.a[i]);
    f[i] += shift[i] + epsilon * std::log(rowScale[i]);
  }
  error = sum(rowSum_.data(), n);

  for (size_t j = 0; j < m; j++) columnMin_[j] = std::fabs(columnSum_[j] - problem.b[j]);
  columnError = sum(columnMin_.data(), m);
  const int rescue =
      rescueColumns(team, geometry, workspace, epsilon, f, g, columnSum_.data(), columnMin_.data(),
                    [&](size_t j) { return !(columnSum_[j] > kLeast && columnSum_[j] < kMost); });
  if (rescue > 0) stored = false;  // g moves by more than the stored rows can follow
  passes += rescue;
  if (team.monitor().cancelled()) return passes;
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
        columnSum_(context.problem.m),
        moved_(context.problem.m) {
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
      columnError = sweep_.columnError;
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
    columnError = 0;
    for (size_t j = 0; j < problem.m && sound; j++) {
      columnError += std::fabs(v_[j] * columnSum_[j] - problem.b[j]);
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

  // The potentials of the state.
  void read(const double* alpha, const double* beta, double* f, double* g) const {
    read(alpha, u_, f);
    read(beta, v_, g);
  }

  // Puts g in place of the targets' potentials.
  void moveTo(double* alpha, double* beta, const double* g) {
    if (valid_) {
      for (size_t j = 0; j < v_.size(); j++) moved_[j] = (g[j] - beta[j]) / context_.problem.epsilon;
      expArray(moved_.data(), moved_.data(), v_.size());
      double least = moved_[0], most = moved_[0];
      for (const double v : moved_) {
        least = std::min(least, v);
        most = std::max(most, v);
      }
      if (least > 1 / kLargestScaling<T> && most < kLargestScaling<T>) {
        for (size_t j = 0; j < v_.size(); j++) v_[j] = static_cast<T>(moved_[j]);
        return;
      }
      absorb(alpha, beta);
    }
    std::copy_n(g, v_.size(), beta);
  }

  double error = 0;        // sum |P1 - a| before the last iteration
  double columnError = 0;  // sum |P^T 1 - b| between its two updates

 private:
  void read(const double* base, const Aligned<T>& scaling, double* out) const {
    if (!valid_) {
      std::copy_n(base, scaling.size(), out);
      return;
    }
    for (size_t i = 0; i < scaling.size(); i++) out[i] = scaling[i];
    logArray(out, out, scaling.size());
    for (size_t i = 0; i < scaling.size(); i++) out[i] = base[i] + context_.problem.epsilon * out[i];
  }

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
  Aligned<double> columnSum_, moved_;
  std::vector<Aligned<T>> columns_;
  bool valid_ = false;
};

// Points: nothing of size n × m is kept, every iteration is one pass in the log domain.
template <class T>
class StreamedKernel {
 public:
  StreamedKernel(Context& context, bool truncated)
      : context_(context),
        geometry_(context.problem),
        workspace_(geometry_, context.team.size()),
        sweep_(context.problem.n, context.problem.m) {
    if (!CloudSweep<T>::fits(geometry_, context.problem.epsilon)) return;
    cloud_.emplace(context.problem, geometry_, workspace_, truncated);
    sweep_.cloud = &*cloud_;
  }

  int iterate(double* f, double* g) {
    const int passes = sweep_.run(context_.team, geometry_, workspace_, context_.problem, f, g);
    error = sweep_.error;
    columnError = sweep_.columnError;
    return passes;
  }
  void absorb(double*, double*) {}
  void read(const double* alpha, const double* beta, double* f, double* g) const {
    std::copy_n(alpha, context_.problem.n, f);
    std::copy_n(beta, context_.problem.m, g);
  }
  void moveTo(double*, double* beta, const double* g) { std::copy_n(g, context_.problem.m, beta); }

  double skipped() const { return cloud_ ? cloud_->skipped() : 0; }

  double error = 0, columnError = 0;

 private:
  Context& context_;
  Geometry<T> geometry_;
  Workspace<T> workspace_;
  LogSweep<T> sweep_;
  std::optional<CloudSweep<T>> cloud_;
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
  const size_t n = context.problem.n, m = context.problem.m;
  std::optional<SinkhornAcceleration> acceleration;
  Aligned<double> fNow(options.anderson ? n : 0), gNow(options.anderson ? m : 0);
  if (options.anderson) acceleration.emplace(context.problem, unit, g);
  for (;;) {
    report.status = Status::iterationLimit;
    while (report.iterations < options.maxIterations) {
      report.passes += kernel.iterate(f, g);
      if (context.monitor.cancelled()) return;
      report.iterations++;
      const double error = (acceleration ? kernel.columnError : kernel.error) / context.mass;
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
      const bool expired = context.monitor.expired();
      if (acceleration) {
        kernel.read(f, g, fNow.data(), gNow.data());
        const bool sound = acceleration->sound(fNow.data(), gNow.data(), error);
        // The last iteration starts from a plain step, so that it need not be taken back.
        if (sound && (expired || report.iterations + 1 >= options.maxIterations)) {
          acceleration->keep(gNow.data());
        } else {
          acceleration->advance(context.team, sound, gNow.data());
          kernel.moveTo(f, g, gNow.data());
          if (expired && !sound) report.passes += kernel.iterate(f, g);
        }
      }
      if (expired) {
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
    if (acceleration) acceleration->keep(g);
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
    StreamedKernel<float> kernel(context, options.truncated);
    iterate(context, kernel, options, f, g, report, history);
    report.skipped = kernel.skipped();
  } else {
    StreamedKernel<double> kernel(context, options.truncated);
    iterate(context, kernel, options, f, g, report, history);
    report.skipped = kernel.skipped();
  }
  if (options.certificate && !monitor.cancelled()) certify(context, f, g, report);
}

}  // namespace extrema::transport
