#include "lowrank/polar.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>

namespace extrema::lowrank {

namespace {

// From this size on products beat the SVD.
constexpr size_t kProducts = 64;
constexpr size_t kRows = 64;  // of a chunk
// Singular values below this share of the greatest count as none; projections of orthogonal matrices are cut
// earlier, since another candidate can fill what they leave.
constexpr double kNull = 1e-12, kFaint = 1e-4;
// Smaller ratios of the singular values are left to the SVD.
constexpr double kLeastRatio = 1e-4;
constexpr int kPowerSteps = 8, kSpareIterations = 6;
// One more iteration takes this error below rounding.
constexpr double kAlmost = 1e-8;

int asInt(size_t n) { return static_cast<int>(n); }

}  // namespace

Polar::Polar(size_t n, Team& team)
    : n_(n), team_(team), svd_(n), left_(n * n), right_(n * n), product_(n * n) {
  if (n < kProducts) return;
  for (Aligned<double>* room : {&x_, &next_, &gram_}) *room = Aligned<double>(n * n);
  vector_ = Aligned<double>(n);
  image_ = Aligned<double>(n);
}

bool Polar::factor(const double* a, const double* near, double* out) {
  if (n_ >= kProducts && byProducts(a, out)) return true;
  if (team_.monitor().cancelled()) return true;
  // Row-major a is column-major aᵀ, and so is its factor.
  const int n = asInt(n_);
  svd_.decompose(a);
  size_t filled = append(0, svd_.s[0] * kNull);
  const bool full = filled == n_;
  uint32_t seed = 1;
  for (int candidate = 0; filled < n_; candidate++) {
    // What the candidate does between the spaces that are still free.
    if (candidate == 0) {
      std::copy_n(near, n_ * n_, product_.data());
    } else if (candidate == 1) {
      product_.clear();
      for (size_t i = 0; i < n_; i++) product_[i * n_ + i] = 1;
    } else {
      for (double& entry : product_) {
        seed = seed * 1664525u + 1013904223u;
        entry = static_cast<double>(seed) * 0x1p-31 - 1;
      }
    }
    const int k = asInt(filled);
    if (k > 0) {
      // svd_.u and svd_.vt are free for the projections.
      cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, k, n, n, 1, left_.data(), n, product_.data(), n, 0,
                  svd_.u.data(), n);
      cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, n, n, k, -1, left_.data(), n, svd_.u.data(), n,
                  1, product_.data(), n);
      cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, n, k, n, 1, product_.data(), n, right_.data(), n,
                  0, svd_.u.data(), n);
      cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, n, n, k, -1, svd_.u.data(), n, right_.data(), n,
                  1, product_.data(), n);
    }
    svd_.decompose(product_.data());
    filled = append(filled, kFaint);
  }
  cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, left_.data(), n, right_.data(), n, 0,
              out, n);
  return full;
}

// Takes the singular vectors above `least` into left (as columns) and right (as rows).
size_t Polar::append(size_t filled, double least) {
  for (size_t k = 0; k < n_ && filled < n_ && svd_.s[k] > least; k++, filled++) {
    std::copy_n(&svd_.u[k * n_], n_, &left_[filled * n_]);
    for (size_t j = 0; j < n_; j++) right_[j * n_ + filled] = svd_.vt[j * n_ + k];
  }
  return filled;
}

void Polar::inverseRoot(const double* a, double least, double* out) {
  svd_.decompose(a);
  const double floor = svd_.s[0] > 0 ? svd_.s[0] * least : 1;
  for (size_t k = 0; k < n_; k++) {
    const double factor = 1 / std::sqrt(std::max(svd_.s[k], floor));
    for (size_t i = 0; i < n_; i++) product_[k * n_ + i] = factor * svd_.u[k * n_ + i];
  }
  const int n = asInt(n_);
  cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, n, n, n, 1, product_.data(), n, svd_.u.data(), n, 0,
              out, n);
}

// gram = xᵀ x
void Polar::gram(const double* x) {
  const auto chunks = static_cast<uint32_t>((n_ + kRows - 1) / kRows);
  const int n = asInt(n_);
  team_.run(chunks, [&](uint32_t chunk, unsigned) {
    const size_t begin = chunk * kRows, count = std::min(kRows, n_ - begin);
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, asInt(count), n, n, 1, x + begin, n, x, n, 0,
                gram_.data() + begin * n_, n);
  });
}

// out = x (own I + other gram)
void Polar::times(const double* x, double own, double other, double* out) {
  const auto chunks = static_cast<uint32_t>((n_ + kRows - 1) / kRows);
  const int n = asInt(n_);
  team_.run(chunks, [&](uint32_t chunk, unsigned) {
    const size_t begin = chunk * kRows, count = std::min(kRows, n_ - begin);
    std::copy_n(x + begin * n_, count * n_, out + begin * n_);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, asInt(count), n, n, other, x + begin * n_, n,
                gram_.data(), n, own, out + begin * n_, n);
  });
}

// Newton and Schulz's iteration x <- x (3 I - xᵀ x) / 2, scaled for the range [l, 1] of singular values as
// Chen and Chow do (A stable scaling of Newton-Schulz for improving the sign function computation, 2014).
bool Polar::byProducts(const double* a, double* out) {
  const Monitor& monitor = team_.monitor();
  const int n = asInt(n_);
  const double norm = cblas_dnrm2(n * n, a, 1);
  if (!(norm > 0)) return false;
  for (size_t i = 0; i < n_ * n_; i++) x_[i] = a[i] / norm;
  gram(x_.data());
  // Bounds of the eigenvalues of the Gram matrix: above by its row sums, or by mean and deviation (Wolkowicz
  // and Styan, 1980); below an estimate from power steps, which may err without harm.
  double trace = 0, squares = 0, rows = 0;
  for (size_t i = 0; i < n_; i++) {
    const double* row = &gram_[i * n_];
    double sum = 0;
    for (size_t j = 0; j < n_; j++) {
      sum += std::fabs(row[j]);
      squares += row[j] * row[j];
    }
    trace += row[i];
    rows = std::max(rows, sum);
  }
  const double size = static_cast<double>(n_), mean = trace / size;
  const double deviation = std::sqrt(std::max(0.0, squares / size - mean * mean));
  const double most = std::min(rows, mean + deviation * std::sqrt(size - 1)) * (1 + 1e-12);
  double above = 0;
  for (size_t i = 0; i < n_; i++)
    vector_[i] = 1 + 0.5 * std::fabs(1 - std::fmod(0.6180339887498949 * static_cast<double>(i), 2.0));
  for (int k = 0; k <= kPowerSteps; k++) {
    const double length = cblas_dnrm2(n, vector_.data(), 1);
    for (size_t i = 0; i < n_; i++) vector_[i] /= length;
    cblas_dgemv(CblasRowMajor, CblasNoTrans, n, n, -1, gram_.data(), n, vector_.data(), 1, 0, image_.data(),
                1);
    for (size_t i = 0; i < n_; i++) image_[i] += most * vector_[i];
    above = cblas_ddot(n, vector_.data(), 1, image_.data(), 1);
    std::swap(vector_, image_);
  }
  double least = std::sqrt(std::max(0.0, most - above) / most) / 2;
  if (least < kLeastRatio) return false;
  const double unit = std::sqrt(most);
  for (size_t i = 0; i < n_ * n_; i++) x_[i] /= unit;
  for (size_t i = 0; i < n_ * n_; i++) gram_[i] /= most;

  int spare = kSpareIterations;
  while (!monitor.cancelled()) {
    const double scale = std::sqrt(3 / (1 + least + least * least));
    times(x_.data(), 1.5 * scale, -0.5 * scale * scale * scale, next_.data());
    std::swap(x_, next_);
    least = std::min(1.0, 0.5 * scale * least * (3 - scale * scale * least * least));
    gram(x_.data());
    double error = 0;
    for (size_t i = 0; i < n_; i++) {
      for (size_t j = 0; j < n_; j++) {
        const double entry = gram_[i * n_ + j] - (i == j ? 1 : 0);
        error += entry * entry;
      }
    }
    if (std::sqrt(error) < kAlmost) {
      times(x_.data(), 1.5, -0.5, out);
      return true;
    }
    if (least > 0.999 && spare-- == 0) return false;
  }
  return false;
}

}  // namespace extrema::lowrank
