// Sketch and precondition, then refine: V. Rokhlin, M. Tygert, PNAS 105 (2008), 13212-13217; H. Avron, P.
// Maymounkov, S. Toledo, SIAM J. Sci. Comput. 32 (2010), 1217-1236; refinement after E. Epperly, M. Meier, Y.
// Nakatsukasa 2024, arXiv 2406.03468.

#include "linear/least-squares.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/error.h"
#include "linear/dense.h"
#include "linear/matrix.h"
#include "linear/normal-products.h"

namespace extrema::dense {

namespace {

constexpr double kDeficient = 1e-12;  // of the largest diagonal entry of R
constexpr double kDiverged = 10;      // times the smallest gradient so far
constexpr double kRefined = 1e-3;     // by which a refinement reduces the gradient
constexpr int kConverged = 0, kIterationLimit = 1, kTimeLimit = 2, kStalled = 3;

bool allFinite(const double* x, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += x[i] * 0;
  return sum == 0;
}

double norm(const double* x, size_t n) { return cblas_dnrm2(static_cast<int>(n), x, 1); }

// Which entry of A made a result infinite or NaN.
[[noreturn]] void refuse(Team& team, const MatrixView& a) {
  if (!a.sparse()) scanMatrix(team, "matrix", a.data, a.rows, a.columns);
  throw Error("ERR_NOT_FINITE", "matrix: expected entries whose products stay finite, got an overflow");
}

Aligned<double> toDense(const MatrixView& a) {
  Aligned<double> out(a.rows * a.columns);
  if (!a.sparse()) {
    std::copy_n(a.data, a.rows * a.columns, out.data());
    return out;
  }
  for (size_t i = 0; i < a.rows; i++) {
    for (int32_t k = a.indptr[i]; k < a.indptr[i + 1]; k++) {
      out[i * a.columns + static_cast<size_t>(a.indices[k])] = a.values[k];
    }
  }
  return out;
}

}  // namespace

void SketchFactor::build(Team& team, const Sketch& sketch, const MatrixView& a, unsigned threads,
                         Monitor& monitor) {
  n = a.columns;
  Aligned<double> sketched;
  if (sketch.rows == 0) {
    sketched = toDense(a);
    rows_ = a.rows;
  } else {
    rows_ = sketch.rows;
    sketched = Aligned<double>(rows_ * n);
    if (sketch.kind == SketchKind::normRows) drawRows(team, sketch, a);
    applySketch(team, sketch, a, sketched.data());
  }
  if (monitor.cancelled()) return;
  if (!allFinite(sketched.data(), rows_ * n)) refuse(team, a);
  const size_t k = std::min(rows_, n);
  factor = Aligned<double>(n * n);
  reflectors_ = Aligned<double>(rows_ * n);
  tau_ = Aligned<double>(k);
  std::vector<int32_t> permutation(n);
  Aligned<double> r(k * n);
  QrJob job;
  job.m = rows_;
  job.n = n;
  job.a = sketched.data();
  job.reflectors = reflectors_.data();
  job.tau = tau_.data();
  job.permutation = permutation.data();
  job.r = r.data();
  job.threads = threads;
  const auto diagonal = [&](size_t i) { return std::fabs(r[i * n + i]); };
  const auto countLarge = [&] {
    double largest = 0;
    for (size_t i = 0; i < k; i++) largest = std::max(largest, diagonal(i));
    size_t count = 0;
    while (count < k && diagonal(count) > kDeficient * largest) count++;
    double least = largest;
    for (size_t i = 0; i < count; i++) least = std::min(least, diagonal(i));
    spread = count > 0 ? largest / least : 1;
    return count;
  };
  qr(job, monitor);
  if (monitor.cancelled()) return;
  rank = countLarge();
  triangular = rank == n;
  if (triangular) {
    std::copy_n(r.data(), n * n, factor.data());
    return;
  }
  job.pivoting = true;
  qr(job, monitor);
  rank = countLarge();
  if (rank == 0 || monitor.cancelled()) return;
  // S A P = Q [R1 R2], [R1 R2]^T = Z T, N = P Z T^-T: then S A N has orthonormal columns.
  Aligned<double> top(n * rank), below(n * rank), scales(rank), triangle(rank * rank), z(n * rank);
  std::vector<int32_t> order(rank);
  transpose(team, r.data(), rank, n, top.data());
  QrJob second;
  second.m = n;
  second.n = rank;
  second.a = top.data();
  second.reflectors = below.data();
  second.tau = scales.data();
  second.permutation = order.data();
  second.r = triangle.data();
  second.q = z.data();
  second.threads = threads;
  qr(second, monitor);
  if (monitor.cancelled()) return;
  const int width = static_cast<int>(rank);
  cblas_dtrsm(CblasRowMajor, CblasRight, CblasUpper, CblasTrans, CblasNonUnit, static_cast<int>(n), width, 1,
              triangle.data(), width, z.data(), width);
  for (size_t j = 0; j < n; j++) {
    std::copy_n(z.data() + j * rank, rank, factor.data() + static_cast<size_t>(permutation[j]) * rank);
  }
}

void SketchFactor::project(Team& team, const Sketch& sketch, const double* b, double* y,
                           Monitor& monitor) const {
  Aligned<double> sketched(rows_);
  if (sketch.rows == 0) {
    std::copy_n(b, rows_, sketched.data());
  } else {
    MatrixView column;
    column.rows = sketch.inputRows;
    column.columns = 1;
    column.data = b;
    applySketch(team, sketch, column, sketched.data());
  }
  applyQ(reflectors_.data(), tau_.data(), rows_, std::min(rows_, n), true, sketched.data(), 1, 1, monitor);
  std::copy_n(sketched.data(), rank, y);
}

void SketchFactor::apply(const double* y, double* x) const {
  const int size = static_cast<int>(n), width = static_cast<int>(rank);
  if (triangular) {
    std::copy_n(y, n, x);
    cblas_dtrsv(CblasRowMajor, CblasUpper, CblasNoTrans, CblasNonUnit, size, factor.data(), size, x, 1);
  } else if (rank == 0) {
    std::fill_n(x, n, 0.0);
  } else {
    cblas_dgemv(CblasRowMajor, CblasNoTrans, size, width, 1, factor.data(), width, y, 1, 0, x, 1);
  }
}

void SketchFactor::applyTransposed(const double* x, double* y) const {
  const int size = static_cast<int>(n), width = static_cast<int>(rank);
  if (triangular) {
    if (x != y) std::copy_n(x, n, y);
    cblas_dtrsv(CblasRowMajor, CblasUpper, CblasTrans, CblasNonUnit, size, factor.data(), size, y, 1);
  } else if (rank > 0) {
    cblas_dgemv(CblasRowMajor, CblasTrans, size, width, 1, factor.data(), width, x, 1, 0, y, 1);
  }
}

namespace {

// min |A N y - r| from y = 0 by the gradient g = N^T A^T (r - A N y), with H = N^T A^T A N near to the
// identity.
class Inner {
 public:
  Inner(const LeastSquaresJob& job, const SketchFactor& factor, NormalProducts& products,
        LeastSquaresReport& report, double scale, Monitor& monitor)
      : job_(job),
        factor_(factor),
        products_(products),
        report_(report),
        scale_(scale),
        monitor_(monitor),
        method_(job.method),
        y(std::max<size_t>(1, factor.rank)),
        gradient_(y.size()),
        step_(y.size()),
        image_(y.size()),
        x_(factor.n),
        product_(factor.n) {}

  // Until |g| <= target, or out of iterations or time.
  void run(const double* gradient, double target) {
    bool done = false;
    while (!done) {
      std::copy_n(gradient, factor_.rank, gradient_.data());
      y.clear();
      step_.clear();
      done = method_ == InnerMethod::cg ? conjugate(target) : simple(target);
      if (done) return;
      method_ = InnerMethod::cg;
      report_.switched = true;
    }
  }

  bool mayGoOn() const {
    return !monitor_.cancelled() && report_.iterations < job_.maxIterations && !monitor_.expired();
  }

  void note(double value) {
    if (report_.historyLength < job_.historySize) job_.history[report_.historyLength++] = value / scale_;
    monitor_.progress(report_.iterations, value / scale_);
  }

 private:
  // image = H step
  void multiply() {
    factor_.apply(step_.data(), x_.data());
    products_.apply(x_.data(), product_.data());
    factor_.applyTransposed(product_.data(), image_.data());
    report_.iterations++;
  }

  bool conjugate(double target) {
    const int size = static_cast<int>(factor_.rank);
    double rho = cblas_ddot(size, gradient_.data(), 1, gradient_.data(), 1);
    std::copy_n(gradient_.data(), factor_.rank, step_.data());
    while (std::sqrt(rho) > target && mayGoOn()) {
      multiply();
      const double curvature = cblas_ddot(size, step_.data(), 1, image_.data(), 1);
      if (!(curvature > 0)) return true;  // rounding: no more is to be had in this round
      const double alpha = rho / curvature;
      cblas_daxpy(size, alpha, step_.data(), 1, y.data(), 1);
      cblas_daxpy(size, -alpha, image_.data(), 1, gradient_.data(), 1);
      const double next = cblas_ddot(size, gradient_.data(), 1, gradient_.data(), 1);
      for (size_t i = 0; i < factor_.rank; i++) step_[i] = gradient_[i] + next / rho * step_[i];
      rho = next;
      note(std::sqrt(rho));
    }
    return true;
  }

  // Gradient steps of length one, or heavy ball with the step and momentum for a Gaussian sketch. False when
  // it diverges.
  bool simple(double target) {
    const double share = job_.sketch.rows == 0 || method_ == InnerMethod::gradient
                             ? 0
                             : static_cast<double>(factor_.rank) / static_cast<double>(job_.sketch.rows);
    const double length = (1 - share) * (1 - share);
    double smallest = std::numeric_limits<double>::infinity();
    for (;;) {
      const double size = norm(gradient_.data(), factor_.rank);
      if (size <= target) return true;
      smallest = std::min(smallest, size);
      if (!(size <= kDiverged * smallest)) return false;
      if (!mayGoOn()) return true;
      for (size_t i = 0; i < factor_.rank; i++) step_[i] = length * gradient_[i] + share * step_[i];
      multiply();
      for (size_t i = 0; i < factor_.rank; i++) {
        y[i] += step_[i];
        gradient_[i] -= image_[i];
      }
      note(norm(gradient_.data(), factor_.rank));
    }
  }

  const LeastSquaresJob& job_;
  const SketchFactor& factor_;
  NormalProducts& products_;
  LeastSquaresReport& report_;
  double scale_;
  Monitor& monitor_;
  InnerMethod method_;

 public:
  Aligned<double> y;

 private:
  Aligned<double> gradient_, step_, image_, x_, product_;
};

}  // namespace

LeastSquaresReport leastSquares(const LeastSquaresJob& job, Monitor& monitor) {
  Team team(job.threads, monitor);
  const MatrixView& a = job.a;
  const size_t m = a.rows, n = a.columns;
  LeastSquaresReport report;
  double largest = 0;
  for (size_t i = 0; i < m; i++) largest = std::max(largest, std::fabs(job.b[i]));
  // Squares of scaled numbers neither overflow nor vanish.
  const double unit = largest > 0 ? std::exp2(std::floor(std::log2(largest))) : 1;
  Aligned<double> b(m), r(m), product(n), step(n), next(n);
  for (size_t i = 0; i < m; i++) b[i] = job.b[i] / unit;
  const double scale = largest > 0 ? norm(b.data(), m) : 1;

  SketchFactor factor;
  factor.build(team, job.sketch, a, job.threads, monitor);
  if (monitor.cancelled()) return report;
  report.rank = static_cast<double>(factor.rank);
  double* x = job.x;
  Aligned<double> gradient(std::max<size_t>(1, factor.rank)), better(gradient.size());
  if (job.warm) {
    for (size_t j = 0; j < n; j++) x[j] /= unit;
  } else {
    factor.project(team, job.sketch, b.data(), gradient.data(), monitor);
    factor.apply(gradient.data(), x);
  }
  NormalProducts products(team, a);
  double squares = 0;
  const auto evaluate = [&](const double* at, double* g) {
    squares = products.residual(b.data(), at, r.data(), product.data());
    if (monitor.cancelled()) return 0.0;
    if (!std::isfinite(squares) || !allFinite(product.data(), n)) refuse(team, a);
    factor.applyTransposed(product.data(), g);
    return norm(g, factor.rank);
  };
  double size = evaluate(x, gradient.data());
  report.residualNorm = std::sqrt(squares);
  Inner inner(job, factor, products, report, scale, monitor);
  inner.note(size);
  const double goal = job.tolerance * scale;
  size_t refined = 0;
  report.status = kConverged;
  while (!monitor.cancelled()) {
    const bool reached = size <= goal;
    if (reached && (refined == job.refinements || size == 0)) break;
    if (!inner.mayGoOn()) {
      if (!reached) report.status = monitor.expired() ? kTimeLimit : kIterationLimit;
      break;
    }
    if (reached) refined++;
    // Rounding keeps a round from reducing the gradient by more than the condition number allows.
    const double floor = std::numeric_limits<double>::epsilon() * factor.spread * size;
    inner.run(gradient.data(), std::max(reached ? kRefined * size : goal, floor));
    factor.apply(inner.y.data(), step.data());
    for (size_t j = 0; j < n; j++) next[j] = x[j] + step[j];
    const double size2 = evaluate(next.data(), better.data());
    if (monitor.cancelled()) break;
    report.rounds++;
    const bool improved = size2 < size;
    if (improved) {
      std::copy_n(next.data(), n, x);
      std::copy_n(better.data(), gradient.size(), gradient.data());
      report.residualNorm = std::sqrt(squares);
    }
    const bool stuck = size2 > 0.5 * size;
    size = std::min(size, size2);
    if (stuck && inner.mayGoOn()) {
      if (size > goal) report.status = kStalled;
      break;
    }
  }
  report.residual = size / scale;
  report.residualNorm *= unit;
  for (size_t j = 0; j < n; j++) x[j] *= unit;
  return report;
}

}  // namespace extrema::dense
