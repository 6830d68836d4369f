#include <cblas.h>

#include <algorithm>
#include <cmath>

#include "transport/light-bridge/matching.h"

namespace extrema::transport::bridge {

namespace {

int asInt(size_t n) { return static_cast<int>(n); }

double dot(const double* x, const double* y, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += x[i] * y[i];
  return sum;
}

// The lower triangle of a positive definite matrix becomes its Cholesky factor.
void cholesky(double* a, size_t n) {
  for (size_t j = 0; j < n; j++) {
    double* row = a + j * n;
    const double root = std::sqrt(row[j] - dot(row, row, j));
    row[j] = root;
    for (size_t i = j + 1; i < n; i++) a[i * n + j] = (a[i * n + j] - dot(a + i * n, row, j)) / root;
  }
}

// What the drift of a full mixture is at one time: u = C^-1 ((S - I) x + r) of each component, with the logit
// constant + (x'u + x'C^-1 r) / (2 epsilon).
struct FullTerms {
  explicit FullTerms(const Shape& shape)
      : K(shape.components),
        D(shape.dimension),
        constants(K),
        means(K * D),
        maps(K * D * D),
        roots(K * D * D),
        epsilon(shape.epsilon) {}

  void prepare(const Mixture& mixture, double t, Components range) {
    for (size_t k = range.begin; k < range.end; k++) {
      const double *l = mixture.scales + k * D * D, *r = mixture.means + k * D;
      double *s = maps.data() + k * D * D, *e = means.data() + k * D, *c = roots.data() + k * D * D;
      std::copy_n(l, D * D, s);
      cblas_dtrmm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, asInt(D), asInt(D), 1, l,
                  asInt(D), s, asInt(D));
      for (size_t i = 0; i < D * D; i++) c[i] = t * s[i];
      for (size_t i = 0; i < D; i++) {
        c[i * D + i] += 1 - t;
        s[i * D + i] -= 1;
      }
      cholesky(c, D);
      double constant = mixture.logWeights[k];
      for (size_t i = 0; i < D; i++) constant -= std::log(c[i * D + i]);
      std::copy_n(r, D, e);
      divide(k, e, 1);
      divide(k, s, D);
      constants[k] = constant - t * dot(r, e, D) / (2 * epsilon);
    }
  }

  // C^-1 of a D × columns matrix.
  void divide(size_t k, double* matrix, size_t columns) const {
    for (const CBLAS_TRANSPOSE transpose : {CblasNoTrans, CblasTrans}) {
      cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, transpose, CblasNonUnit, asInt(D), asInt(columns), 1,
                  roots.data() + k * D * D, asInt(D), matrix, asInt(columns));
    }
  }

  // u: K × kBlock × D; weights: K × kBlock; logSum: kBlock
  void evaluate(const double* x, size_t rows, double* u, double* weights, double* logSum, double* out) const {
    for (size_t k = 0; k < K; k++) {
      double* own = u + k * kBlock * D;
      const double* e = means.data() + k * D;
      for (size_t b = 0; b < rows; b++) std::copy_n(e, D, own + b * D);
      // C^-1 and S commute, so the matrix is symmetric.
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, asInt(rows), asInt(D), asInt(D), 1, x, asInt(D),
                  maps.data() + k * D * D, asInt(D), 1, own, asInt(D));
      for (size_t b = 0; b < rows; b++) {
        const double* point = x + b * D;
        weights[k * kBlock + b] =
            constants[k] + (dot(point, own + b * D, D) + dot(point, e, D)) / (2 * epsilon);
      }
    }
    softmax(weights, K, rows, logSum);
    std::fill_n(out, rows * D, 0.0);
    for (size_t k = 0; k < K; k++) {
      const double* own = u + k * kBlock * D;
      for (size_t b = 0; b < rows; b++) {
        const double w = weights[k * kBlock + b];
        for (size_t i = 0; i < D; i++) out[b * D + i] += w * own[b * D + i];
      }
    }
  }

  const size_t K, D;
  Aligned<double> constants, means, maps, roots;
  const double epsilon;
};

class FullDrift : public Drift {
 public:
  explicit FullDrift(const Shape& shape) : terms_(shape) {}

  void prepare(const Mixture& mixture, double t, Components range) override {
    terms_.prepare(mixture, t, range);
  }
  size_t scratchSize() const override { return kBlock * (terms_.K * (terms_.D + 1) + 1); }

  void evaluate(const double* x, size_t rows, double* scratch, double* out) const override {
    double *weights = scratch + terms_.K * kBlock * terms_.D, *logSum = weights + terms_.K * kBlock;
    terms_.evaluate(x, rows, scratch, weights, logSum, out);
  }

 private:
  FullTerms terms_;
};

class FullGroup : public Matching::Group {
 public:
  explicit FullGroup(const Shape& shape)
      : terms_(shape),
        K(terms_.K),
        D(terms_.D),
        count_(K),
        byMean_(K * D),
        byMap_(K * D * D),
        square_(K * D * D) {}

  size_t scratchSize() const override { return kBlock * (K * (D + 1) + 4 * D + 1); }

  void prepare(const Mixture& mixture, double t) override {
    mixture_ = &mixture;
    t_ = t;
    terms_.prepare(mixture, t, {0, K});
    for (Aligned<double>* sums : {&count_, &byMean_, &byMap_, &square_}) sums->clear();
  }

  double add(const double* x, const double* y, size_t rows, double factor, double* scratch) override {
    const double epsilon = terms_.epsilon;
    double *u = scratch, *weights = u + K * kBlock * D, *logSum = weights + K * kBlock, *g = logSum + kBlock;
    double *e = g + kBlock * D, *left = e + kBlock * D, *right = left + kBlock * D;
    terms_.evaluate(x, rows, u, weights, logSum, g);
    double squares = 0;
    double along[kBlock];  // e'g
    for (size_t b = 0; b < rows; b++) {
      for (size_t i = b * D; i < (b + 1) * D; i++) {
        const double residual = g[i] - y[i];
        squares += residual * residual;
        e[i] = factor * residual;
      }
      along[b] = dot(e + b * D, g + b * D, D);
    }
    for (size_t k = 0; k < K; k++) {
      double* own = u + k * kBlock * D;
      const double* r = mixture_->means + k * D;
      double* byMean = byMean_.data() + k * D;
      double eta[kBlock];
      for (size_t b = 0; b < rows; b++) {
        const double w = weights[k * kBlock + b];
        eta[b] = w * (dot(e + b * D, own + b * D, D) - along[b]);
        count_[k] += eta[b];
        for (size_t i = 0; i < D; i++) left[b * D + i] = w * e[b * D + i];
        for (size_t i = 0; i < D; i++) own[b * D + i] = x[b * D + i] - t_ * own[b * D + i];
      }
      // sum w e (x - t u)'
      cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, asInt(D), asInt(D), asInt(rows), 1, left, asInt(D),
                  own, asInt(D), 1, byMap_.data() + k * D * D, asInt(D));
      // sum eta (x - t r) (x - t r)'
      for (size_t b = 0; b < rows; b++) {
        for (size_t i = 0; i < D; i++) {
          own[b * D + i] = x[b * D + i] - t_ * r[i];
          right[b * D + i] = eta[b] * own[b * D + i];
          byMean[i] += left[b * D + i] + right[b * D + i] / epsilon;
        }
      }
      cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, asInt(D), asInt(D), asInt(rows), 1, own, asInt(D),
                  right, asInt(D), 1, square_.data() + k * D * D, asInt(D));
    }
    return squares;
  }

  // The derivative by S is the symmetric part of C^-1 (sum w e (x - t u)') +
  // (C^-1 (sum eta (x - t r) (x - t r)') C^-1 / epsilon - t (sum eta) C^-1) / 2.
  void finish(double* gradient) override {
    double *byMean = gradient + K, *byScale = byMean + K * D;
    for (size_t k = 0; k < K; k++) {
      gradient[k] += count_[k];
      double *mean = byMean_.data() + k * D, *map = byMap_.data() + k * D * D,
             *square = square_.data() + k * D * D;
      terms_.divide(k, mean, 1);
      for (size_t i = 0; i < D; i++) byMean[k * D + i] += mean[i];
      // As C^-1 (… + (square C^-1 / epsilon - t count I) / 2), the square being symmetric.
      terms_.divide(k, square, D);
      for (size_t i = 0; i < D; i++) {
        for (size_t j = 0; j < D; j++) map[i * D + j] += square[j * D + i] / (2 * terms_.epsilon);
        map[i * D + i] -= t_ * count_[k] / 2;
      }
      terms_.divide(k, map, D);
      for (size_t i = 0; i < D; i++) {
        for (size_t j = 0; j < D; j++) byScale[(k * D + i) * D + j] += (map[i * D + j] + map[j * D + i]) / 2;
      }
    }
  }

 private:
  FullTerms terms_;
  const size_t K, D;
  Aligned<double> count_, byMean_, byMap_, square_;
  const Mixture* mixture_ = nullptr;
  double t_ = 0;
};

}  // namespace

std::unique_ptr<Drift> fullDrift(const Shape& shape) { return std::make_unique<FullDrift>(shape); }
std::unique_ptr<Matching::Group> fullGroup(const Shape& shape) { return std::make_unique<FullGroup>(shape); }

}  // namespace extrema::transport::bridge
