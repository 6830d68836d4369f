#include "transport/barycenter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.h"
#include "simd/math.h"
#include "transport/anderson.h"
#include "transport/problem.h"
#include "transport/solve.h"

namespace extrema::transport {

namespace {

// Iterative Bregman projections in logarithms (Benamou et al. 2015, section 3.2), with K = exp(-C / epsilon):
//   u_k = a_k / (K v_k),  b = d prod_k (K^T u_k)^lambda_k,  v_k = b / (K^T u_k),
// and d = 1, or debiased (Janati, Cuturi, Gramfort 2020, algorithm 1) d <- sqrt(d b / (K d)). The state is
// (v, d).
class Iteration {
 public:
  Iteration(const Barycenter& problem, LogKernel& kernel, Team& team)
      : p_(problem),
        kernel_(kernel),
        team_(team),
        n_(kernel.size()),
        count_(problem.count),
        arrays_(problem.count + (problem.debiased ? 1 : 0)),
        chunks_(static_cast<uint32_t>(std::clamp<size_t>(n_ * arrays_ / 4096, 1, 32))),
        logA(count_ * n_),
        state(arrays_ * n_),
        image(arrays_ * n_),
        logU(count_ * n_),
        b(n_),
        products_(arrays_ * n_),
        sums_(count_ * n_),
        logB_(n_),
        parts_(chunks_ * arrays_) {
    logArray(p_.histograms, logA.data(), count_ * n_);
    for (size_t i = 0; i < n_; i++) mass += p_.histograms[i];
  }

  // From the state x: u, b, the image of x, and the error of the plans diag(u_k) K diag(v_k). Their rows are
  // exact.
  void evaluate() {
    const size_t arrays = activeArrays();
    std::copy_n(state.data(), arrays * n_, products_.data());
    kernel_.apply(products_.data(), arrays, false);
    if (team_.monitor().cancelled()) return;
    over([&](size_t j0, size_t j1, double*) {
      for (size_t k = 0; k < count_; k++) {
        for (size_t i = k * n_ + j0; i < k * n_ + j1; i++) sums_[i] = logU[i] = logA[i] - products_[i];
      }
    });
    kernel_.apply(sums_.data(), count_, true);
    if (team_.monitor().cancelled()) return;
    const double* d = debiasing ? state.data() + count_ * n_ : nullptr;
    over([&](size_t j0, size_t j1, double* part) {
      part[0] = -std::numeric_limits<double>::infinity();
      for (size_t j = j0; j < j1; j++) {
        double log = d == nullptr ? 0 : d[j];
        for (size_t k = 0; k < count_; k++) log += p_.weights[k] * sums_[k * n_ + j];
        logB_[j] = log;
        part[0] = std::max(part[0], log);
      }
    });
    double top = parts_[0];
    for (uint32_t c = 1; c < chunks_; c++) top = std::max(top, parts_[c * arrays_]);
    over([&](size_t j0, size_t j1, double* part) {
      for (size_t j = j0; j < j1; j++) b[j] = logB_[j] - top;
      expArray(b.data() + j0, b.data() + j0, j1 - j0);
      part[0] = 0;
      for (size_t j = j0; j < j1; j++) part[0] += b[j];
    });
    double total = 0;
    for (uint32_t c = 0; c < chunks_; c++) total += parts_[c * arrays_];
    const double scale = mass / total;  // exp(top) at the solution
    top_ = top;
    total_ = total;
    over([&](size_t j0, size_t j1, double* part) {
      for (size_t j = j0; j < j1; j++) b[j] *= scale;
      for (size_t k = 0; k < arrays; k++) {
        const bool plan = k < count_;
        const double* with = plan ? sums_.data() + k * n_ : products_.data() + k * n_;
        const double* x = state.data() + k * n_;
        double* y = image.data() + k * n_;
        for (size_t j = j0; j < j1; j++) y[j] = with[j] + x[j];
        expArray(y + j0, y + j0, j1 - j0);  // column sums of the plan; d K d
        part[k] = 0;
        for (size_t j = j0; j < j1; j++) {
          part[k] += std::fabs(y[j] - b[j]);
          y[j] = plan ? logB_[j] - with[j] : 0.5 * (x[j] + logB_[j] - with[j]);
        }
      }
    });
    error = 0;
    for (size_t k = 0; k < arrays; k++) {
      double sum = 0;
      for (uint32_t c = 0; c < chunks_; c++) sum += parts_[c * arrays_ + k];
      // NaN must not pass for small.
      if (!(sum / mass <= error)) error = sum / mass;
    }
  }

  // d for the b of the last evaluation, as if K were the identity: d K d = b.
  void startDebiasing() {
    const double norm = std::log(mass / total_) - top_;
    for (size_t j = 0; j < n_; j++) state[count_ * n_ + j] = 0.5 * (logB_[j] + norm);
  }

  // The arrays of the state in use: log v_k, and with debiasing log d.
  size_t activeArrays() const { return count_ + (debiasing ? 1 : 0); }

  // For another epsilon: the potentials epsilon log v_k stay.
  void rescale(double factor) {
    for (size_t i = 0; i < count_ * n_; i++) state[i] *= factor;
  }

  // sum_k lambda_k OT_epsilon(a_k, b)
  double value() const {
    double total = -mass;
    for (size_t k = 0; k < count_; k++) {
      double sum = 0;
      for (size_t i = 0; i < n_; i++) {
        const double a = p_.histograms[k * n_ + i];
        if (a > 0) sum += a * logU[k * n_ + i];
        sum += b[i] * state[k * n_ + i];
      }
      total += p_.weights[k] * sum;
    }
    return p_.epsilon * total;
  }

 private:
  // Calls body(j0, j1, sums of the part) for the parts of 0 … n.
  template <class F>
  void over(F&& body) {
    team_.run(chunks_, [&](uint32_t c, unsigned) {
      const Range range = chunkRange(n_, chunks_, c);
      body(range.begin, range.end, parts_.data() + c * arrays_);
    });
  }

  const Barycenter& p_;
  LogKernel& kernel_;
  Team& team_;
  size_t n_, count_, arrays_;
  uint32_t chunks_;

 public:
  bool debiasing = false;
  double mass = 0, error = 0;
  Aligned<double> logA, state, image, logU, b;

 private:
  Aligned<double> products_, sums_, logB_;
  double top_ = 0, total_ = 1;  // b is exp(logB - top) mass / total
  std::vector<double> parts_;
};

// A start at a large epsilon, halved as soon as the error there is small: mass travels far at a large one
// only.
constexpr double kFirstEpsilon = 1.0 / 20;
constexpr double kStageTolerance = 1e-2;
// Places of b with less than this part of the mean are left to the plain iteration: extrapolated, they
// explode.
constexpr double kNegligible = 1e-10;

class Solver {
 public:
  Solver(const Barycenter& problem, LogKernel& kernel, Team& team, Monitor& monitor)
      : p_(problem),
        kernel_(kernel),
        team_(team),
        monitor_(monitor),
        iteration_(problem, kernel, team),
        anderson_(problem.plain ? 0 : iteration_.state.size() / kernel.size(), kernel.size()),
        lastImage_(problem.plain ? 0 : iteration_.state.size()) {}

  void run() {
    double epsilon = p_.plain ? p_.epsilon : std::max(p_.epsilon, kFirstEpsilon * kernel_.range());
    for (;;) {
      kernel_.prepare(epsilon);
      const bool last = epsilon <= p_.epsilon;
      iteration_.debiasing = p_.debiased && last;
      stage(last ? p_.tolerance : std::max(kStageTolerance, p_.tolerance));
      if (monitor_.cancelled() || last) break;
      // Out of iterations or time on the way: the answer still has to be one for the given epsilon.
      const bool ended = spent();
      const double next = ended ? p_.epsilon : std::max(epsilon / 2, p_.epsilon);
      iteration_.rescale(epsilon / next);
      if (p_.debiased && next <= p_.epsilon) iteration_.startDebiasing();
      epsilon = next;
      if (!ended) continue;
      kernel_.prepare(epsilon);
      iteration_.debiasing = p_.debiased;
      iteration_.evaluate();
      if (iteration_.error <= p_.tolerance) status_ = Status::converged;
      break;
    }
    if (!monitor_.cancelled()) write();
  }

 private:
  void stage(double tolerance) {
    Aligned<double>& state = iteration_.state;
    anderson_.restart(iteration_.activeArrays());
    const double floor = 1e3 * 1.2e-16 * (16 + kernel_.range() / p_.epsilon);
    double before = std::numeric_limits<double>::infinity(), best = before;
    int sinceBest = 0;
    bool accelerated = false;
    for (;;) {
      iteration_.evaluate();
      if (monitor_.cancelled()) return;
      iterations_++;
      const double error = iteration_.error;
      monitor_.progress(iterations_, error);
      if (error <= tolerance) {
        status_ = Status::converged;
        return;
      }
      // An extrapolation that made things worse: back to the plain step, which is never far off.
      if (accelerated && !(error <= 2 * before)) {
        std::copy(lastImage_.begin(), lastImage_.end(), state.begin());
        anderson_.clear();
        accelerated = false;
        continue;
      }
      before = error;
      if (error < best * (1 - 1e-3)) {
        best = error;
        sinceBest = 0;
      } else if ((++sinceBest >= 200 && best < floor) || std::isnan(error)) {
        status_ = Status::stalled;  // NaN: somebody writes to the cost
        return;
      }
      if (spent()) return;
      // The last iteration is a plain one, so that it need not be taken back.
      if (p_.plain || iterations_ + 1 >= p_.maxIterations) {
        std::copy(iteration_.image.begin(), iteration_.image.end(), state.begin());
        accelerated = false;
      } else {
        std::copy(iteration_.image.begin(), iteration_.image.end(), lastImage_.begin());
        accelerated = anderson_.advance(team_, state.data(), iteration_.image.data(), iteration_.b.data(),
                                        kNegligible * iteration_.mass / static_cast<double>(kernel_.size()));
      }
    }
  }

  // Whether no iterations or no time are left: then that is the status.
  bool spent() {
    const bool counted = iterations_ >= p_.maxIterations;
    if (!counted && !monitor_.expired()) return false;
    status_ = counted ? Status::iterationLimit : Status::timeLimit;
    return true;
  }

  void write() {
    const size_t n = kernel_.size(), entries = p_.count * n;
    std::copy_n(iteration_.b.data(), n, p_.barycenter);
    for (size_t i = 0; i < entries; i++) {
      p_.f[i] = p_.epsilon * iteration_.logU[i];
      p_.g[i] = p_.epsilon * iteration_.state[i];
    }
    p_.report[0] = static_cast<double>(status_);
    p_.report[1] = iterations_;
    p_.report[2] = iteration_.error;
    p_.report[3] = iteration_.value();
  }

  const Barycenter& p_;
  LogKernel& kernel_;
  Team& team_;
  Monitor& monitor_;
  Iteration iteration_;
  Anderson anderson_;
  Aligned<double> lastImage_;
  double iterations_ = 0;
  Status status_ = Status::iterationLimit;
};

}  // namespace

void barycenter(const Barycenter& problem, Monitor& monitor) {
  Team team(std::min(problem.threads, 32u), monitor);
  LogKernel kernel(problem.axes, problem.count + 1, team);
  if (monitor.cancelled()) return;
  if (problem.debiased && !kernel.symmetric()) {
    size_t i, j;
    kernel.asymmetricEntry(i, j);
    const auto name = [](size_t row, size_t column) {
      return "cost[" + std::to_string(row) + "][" + std::to_string(column) + "]";
    };
    throw Error("ERR_OPTION", "debiased: expected false for a cost that is not symmetric, got " + name(i, j) +
                                  " unlike " + name(j, i));
  }
  Solver(problem, kernel, team, monitor).run();
}

}  // namespace extrema::transport
