#include <cblas.h>

#include <algorithm>
#include <cmath>

#include "lowrank/dictionary.h"

namespace extrema::lowrank {

namespace {

// Whitening starts at this many samples for each dimension, and is computed anew after every step up to the
// second number, then whenever the samples have grown by a tenth.
constexpr double kFirstSamples = 2, kManySamples = 8, kGrowth = 1.1;
constexpr double kLeastVariance = 1e-12;

int asInt(size_t n) { return static_cast<int>(n); }

double power(const Coding& coding) { return coding.shaping == Shaping::cube ? 3 : 4; }

double inner(const double* a, const double* b, size_t count) { return cblas_ddot(asInt(count), a, 1, b, 1); }

// out = a b
void multiply(const double* a, const double* b, size_t n, double* out) {
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, asInt(n), asInt(n), asInt(n), 1, a, asInt(n), b,
              asInt(n), 0, out, asInt(n));
}

class Online {
 public:
  Online(const OnlineJob& job, OnlineReport& report, Monitor& monitor)
      : job_(job),
        report_(report),
        monitor_(monitor),
        n_(job.samples.n),
        size_(n_ * n_),
        team_(job.threads, monitor),
        gradient_(job.samples, job.coding, std::min(job.batch, job.samples.rows), team_),
        polar_(n_, team_),
        g_(size_),
        vertex_(size_),
        turned_(job.whitening == nullptr ? 0 : size_) {}

  void run() {
    for (size_t begin = 0; begin < job_.samples.rows; begin += job_.batch) {
      if (monitor_.cancelled()) return;
      if (monitor_.expired()) {
        report_.status = 2;
        return;
      }
      const size_t rows = std::min(job_.batch, job_.samples.rows - begin);
      step(begin, rows);
      if (monitor_.cancelled()) return;
      report_.rows += static_cast<double>(rows);
      if (job_.patience > 0 && report_.calm >= job_.patience) {
        report_.status = 0;
        return;
      }
      monitor_.progress(report_.steps, report_.relativeGap);
    }
  }

 private:
  void step(size_t begin, size_t rows) {
    const double* w = job_.relaxed;
    if (job_.covariance != nullptr) {
      gradient_.addSquares(begin, rows, job_.covariance);
      report_.seen += static_cast<double>(rows);
    }
    if (job_.whitening != nullptr) {
      if (!whiten()) {
        report_.skipped++;
        return;
      }
      multiply(job_.whitening, job_.relaxed, n_, turned_.data());
      w = turned_.data();
    }
    double* g = g_.data();
    const Sums sums = gradient_.evaluate(begin, rows, w, g);
    if (monitor_.cancelled()) return;
    if (sums.largest == 0) {
      report_.skipped++;
      return;
    }
    if (job_.whitening != nullptr) {
      multiply(job_.whitening, g, n_, turned_.data());
      g = turned_.data();
    }
    report_.objective += sums.objective;
    report_.second += sums.second;
    report_.fourth += sums.fourth;
    report_.coefficients += static_cast<double>(rows * n_);

    const auto t = static_cast<size_t>(report_.steps);
    const double rho = job_.rho[t], gamma = job_.gamma[t];
    // G_t = (1 - rho) G_{t-1} + rho g_t
    double *G = job_.averaged, *A = job_.relaxed, *S = vertex_.data();
    const double factor = rho * power(job_.coding) / static_cast<double>(rows);
    for (size_t i = 0; i < size_; i++) G[i] = (1 - rho) * G[i] + factor * g[i];
    const double norm = cblas_dnrm2(asInt(size_), G, 1);
    if (norm > 0) {
      // S_t = argmax <G_t, S> over the spectral ball; A_t = A_{t-1} + gamma (S_t - A_{t-1})
      if (!polar_.factor(G, A, S)) report_.rankDeficient++;
      if (monitor_.cancelled()) return;
      report_.gap = std::max(0.0, inner(G, S, size_) - inner(G, A, size_));
      report_.relativeGap = report_.gap / norm;
      for (size_t i = 0; i < size_; i++) A[i] += gamma * (S[i] - A[i]);
      report_.calm = report_.relativeGap <= job_.tolerance ? report_.calm + 1 : 0;
    } else {
      report_.degenerate++;
      report_.gap = report_.relativeGap = report_.calm = 0;
    }
    job_.gaps[t] = report_.gap;
    report_.steps++;
  }

  // False while there are too few rows to invert their covariance.
  bool whiten() {
    const double seen = report_.seen, dimension = static_cast<double>(n_);
    if (seen < kFirstSamples * dimension) return false;
    if (report_.whitenedAt > 0 && seen > kManySamples * dimension && seen < kGrowth * report_.whitenedAt)
      return true;
    for (size_t i = 0; i < size_; i++) g_[i] = job_.covariance[i] / seen;
    polar_.inverseRoot(g_.data(), kLeastVariance, job_.whitening);
    report_.whitenedAt = seen;
    return true;
  }

  const OnlineJob& job_;
  OnlineReport& report_;
  Monitor& monitor_;
  size_t n_, size_;
  Team team_;
  Gradient gradient_;
  Polar polar_;
  Aligned<double> g_, vertex_, turned_;
};

}  // namespace

void learnOnline(const OnlineJob& job, OnlineReport& report, Monitor& monitor) {
  Online(job, report, monitor).run();
}

void measureGap(const Samples& samples, const Coding& coding, const double* w, unsigned threads,
                GapReport& report, Monitor& monitor) {
  Team team(threads, monitor);
  const size_t size = samples.n * samples.n;
  Gradient gradient(samples, coding, samples.rows, team);
  Polar polar(samples.n, team);
  Aligned<double> g(size), vertex(size);
  const Sums sums = gradient.evaluate(0, samples.rows, w, g.data());
  if (monitor.cancelled()) return;
  cblas_dscal(asInt(size), power(coding) / static_cast<double>(samples.rows), g.data(), 1);
  report.objective = sums.objective;
  report.second = sums.second;
  report.fourth = sums.fourth;
  const double norm = cblas_dnrm2(asInt(size), g.data(), 1);
  if (norm == 0) return;
  polar.factor(g.data(), w, vertex.data());
  report.gap = std::max(0.0, inner(g.data(), vertex.data(), size) - inner(g.data(), w, size));
  report.relativeGap = report.gap / norm;
}

}  // namespace extrema::lowrank
