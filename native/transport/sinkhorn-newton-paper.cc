// The algorithm as the paper states it (arXiv 2401.12253, Algorithm 1), for comparison.

#include <algorithm>
#include <cmath>
#include <functional>

#include "transport/newton.h"

namespace extrema::transport {

namespace {

constexpr double kLeastStep = 0x1p-40;
constexpr double kResidual = 1e-8;  // of the linear systems, relative

class Paper {
 public:
  Paper(Context& context, const Options& options, Report& report, History& history)
      : context_(context),
        problem_(context.problem),
        n_(problem_.n),
        m_(problem_.m),
        options_(options),
        report_(report),
        history_(history),
        progress_(context, options, report, history),
        dual_(context, report),
        plan_(n_ * m_),
        scratch_(n_ * m_),
        z_(n_ + m_),
        r_(n_ + m_),
        d_(n_ + m_),
        w_(n_ + m_),
        diagonal_(n_ + m_),
        product_(n_ + m_) {
    dual_.store = plan_.data();
    dual_.storePitch = m_;
    const double size = static_cast<double>(n_ + m_);
    const double lambda = options.sparsity > 0 ? options.sparsity : 2 / static_cast<double>(n_);
    const double entries = std::floor((lambda * size * size - size) / 2 * (1 + 1e-12));
    most_ = static_cast<size_t>(std::clamp(entries, 0.0, static_cast<double>(n_ * m_)));
  }

  void run(double* f, double* g) {
    std::copy_n(f, n_, dual_.point.f.data());
    std::copy_n(g, m_, dual_.point.g.data());
    sinkhorn();
    project();
    if (context_.monitor.cancelled()) return;
    dual_.evaluate(dual_.point);
    progress_.watch(dual_.point);
    while (dual_.point.error > options_.tolerance && !progress_.over()) {
      dual_.differentiate();
      sparsify();
      solve();
      if (context_.monitor.cancelled()) return;
      const double alpha = dual_.setSlope() ? dual_.allowedStep(kept_, kLeastStep) : 0;
      if (alpha == 0 || dual_.search(alpha, kLeastStep) == 0) {  // step 7
        report_.status = Status::stalled;
        break;
      }
      report_.newtonIterations++;
      progress_.record(dual_.point, dual_.roundoff());
    }
    progress_.result(dual_.point, f, g);
  }

 private:
  // Steps 1 and 2.
  void sinkhorn() {
    LogSweep<double> sweep(n_, m_);
    for (int k = 0; k < options_.sinkhornIterations && !progress_.over(); k++) {
      report_.passes += sweep.run(context_.team, context_.geometry, context_.workspace, problem_,
                                  dual_.point.f.data(), dual_.point.g.data());
      report_.iterations++;
      const double error = sweep.error / context_.mass;
      history_.add(error);
      context_.monitor.progress(report_.iterations, error);
      if (error <= options_.tolerance) break;
    }
  }

  // Step 3: off the direction v = (1, -1) that leaves the plan as it is.
  void project() {
    const double t =
        (sum(dual_.point.f.data(), n_) - sum(dual_.point.g.data(), m_)) / static_cast<double>(n_ + m_);
    for (double& value : dual_.point.f) value -= t;
    for (double& value : dual_.point.g) value += t;
  }

  // Step 5: S, the most_ largest entries of P; of equal ones the first.
  void sparsify() {
    double rho = 0;
    size_t atRho = 0;  // how many entries equal to rho belong to S
    const size_t size = n_ * m_;
    if (most_ > 0 && most_ < size) {
      std::copy_n(plan_.data(), size, scratch_.data());
      std::nth_element(scratch_.begin(), scratch_.begin() + (most_ - 1), scratch_.end(),
                       std::greater<double>());
      rho = scratch_[most_ - 1];
      const auto above =
          std::count_if(scratch_.begin(), scratch_.begin() + most_, [&](double v) { return v > rho; });
      atRho = most_ - static_cast<size_t>(above);
    }
    kept_.start.assign(1, 0);
    kept_.column.clear();
    kept_.value.clear();
    for (size_t i = 0; i < n_; i++) {
      const double* row = plan_.data() + i * m_;
      for (size_t j = 0; j < m_ && most_ > 0; j++) {
        if (row[j] < rho || (row[j] == rho && most_ < size && atRho == 0)) continue;
        if (row[j] == rho && most_ < size) atRho--;
        kept_.column.push_back(static_cast<int32_t>(j));
        kept_.value.push_back(row[j]);
      }
      kept_.start.push_back(kept_.value.size());
    }
  }

  // w = M s,  M = [[diag(P1), S], [S^T, diag(P^T 1)]] + kappa v v^T, v = (1, -1) / |(1, -1)|
  void multiply(const double* s, double* w) {
    const DualPoint& point = dual_.point;
    const double along = kappa_ * (sum(s, n_) - sum(s + n_, m_)) / static_cast<double>(n_ + m_);
    for (size_t j = 0; j < m_; j++) w[n_ + j] = point.columnSum[j] * s[n_ + j] - along;
    for (size_t i = 0; i < n_; i++) {
      double total = point.rowSum[i] * s[i] + along;
      for (size_t k = kept_.start[i]; k < kept_.start[i + 1]; k++) {
        total += kept_.value[k] * s[n_ + kept_.column[k]];
        w[n_ + kept_.column[k]] += kept_.value[k] * s[i];
      }
      w[i] = total;
    }
  }

  double dot(const double* u, const double* v) {
    for (size_t k = 0; k < n_ + m_; k++) w_[k] = u[k] * v[k];
    return sum(w_.data(), n_ + m_);
  }

  // Step 6: M (p, q) = gradient by conjugate gradients with Jacobi preconditioner.
  void solve() {
    const DualPoint& point = dual_.point;
    const size_t size = n_ + m_;
    kappa_ = sum(point.rowSum.data(), n_) / static_cast<double>(n_);
    for (size_t k = 0; k < size; k++) {
      r_[k] = k < n_ ? dual_.x[k] : dual_.y[k - n_];
      diagonal_[k] =
          (k < n_ ? point.rowSum[k] : point.columnSum[k - n_]) + kappa_ / static_cast<double>(size);
      z_[k] = 0;
      d_[k] = 0;
    }
    const double target = kResidual * kResidual * dot(r_.data(), r_.data());
    double rzBefore = 1;
    for (size_t iteration = 0; iteration < 10 * size && !context_.monitor.cancelled(); iteration++) {
      if (!(dot(r_.data(), r_.data()) > target)) break;
      for (size_t k = 0; k < size; k++) w_[k] = r_[k] * r_[k] / diagonal_[k];
      const double rz = sum(w_.data(), size), beta = iteration == 0 ? 0 : rz / rzBefore;
      rzBefore = rz;
      for (size_t k = 0; k < size; k++) d_[k] = r_[k] / diagonal_[k] + beta * d_[k];
      multiply(d_.data(), product_.data());
      const double curvature = dot(d_.data(), product_.data());
      if (!(curvature > 0)) break;
      const double step = rz / curvature;
      for (size_t k = 0; k < size; k++) {
        z_[k] += step * d_[k];
        r_[k] -= step * product_[k];
      }
    }
    std::copy_n(z_.data(), n_, dual_.p.data());
    std::copy_n(z_.data() + n_, m_, dual_.q.data());
  }

  Context& context_;
  const Problem& problem_;
  const size_t n_, m_;
  const Options& options_;
  Report& report_;
  History& history_;
  Progress progress_;
  Dual dual_;
  Aligned<double> plan_, scratch_;
  Sparse kept_;
  size_t most_ = 0;  // entries of S
  double kappa_ = 0;
  Aligned<double> z_, r_, d_, w_, diagonal_, product_;
};

}  // namespace

void sinkhornNewtonPaper(Context& context, const Options& options, double* f, double* g, Report& report,
                         History& history) {
  Paper(context, options, report, history).run(f, g);
}

}  // namespace extrema::transport
