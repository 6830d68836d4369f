#include <cblas.h>

#include <algorithm>
#include <cmath>

#include "transport/light-bridge/mixture.h"

namespace extrema::transport::bridge {

namespace {

constexpr double kLogTwoPi = 1.8378770664093453;

int asInt(size_t n) { return static_cast<int>(n); }

double dot(const double* x, const double* y, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += x[i] * y[i];
  return sum;
}

// For each component a block of points moved and multiplied or divided by its triangle: y (K × kBlock × D),
// and after them the product of means and points (K × kBlock).
class Triangular : public Side {
 public:
  explicit Triangular(const Shape& shape) : K(shape.components), D(shape.dimension), block(kBlock * D) {}

  size_t scratchSize() const override { return K * block; }
  // Per component: the count, D and D × D numbers.
  size_t sumSize() const override { return K * (1 + D + D * D); }
  void prepare(const Mixture& mixture, Components) override { mixture_ = mixture; }

 protected:
  const size_t K, D, block;
  Mixture mixture_;
  const double* triangle(size_t k) const { return mixture_.scales + k * D * D; }
};

// y = L'x: the logit is log alpha + (|y|² + 2 r'x) / (2 epsilon), its derivative by L is tril(x y') /
// epsilon.
class FullSource : public Triangular {
 public:
  using Triangular::Triangular;

  void logits(const double* x, size_t rows, double* scratch, double* out) const override {
    const double epsilon = mixture_.epsilon;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, asInt(K), asInt(rows), asInt(D), 2, mixture_.means,
                asInt(D), x, asInt(D), 0, out, asInt(kBlock));
    for (size_t k = 0; k < K; k++) {
      double* y = scratch + k * block;
      std::copy_n(x, rows * D, y);
      cblas_dtrmm(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, asInt(rows), asInt(D), 1,
                  triangle(k), asInt(D), y, asInt(D));
      double* logit = out + k * kBlock;
      for (size_t b = 0; b < rows; b++) {
        logit[b] = mixture_.logWeights[k] + (logit[b] + dot(y + b * D, y + b * D, D)) / (2 * epsilon);
      }
    }
  }

  void add(const double* x, size_t rows, const double* weights, double* scratch,
           double* sums) const override {
    double *first = sums + K, *second = first + K * D;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, asInt(K), asInt(D), asInt(rows), 1, weights,
                asInt(kBlock), x, asInt(D), 1, first, asInt(D));
    for (size_t k = 0; k < K; k++) {
      const double* p = weights + k * kBlock;
      double* y = scratch + k * block;
      for (size_t b = 0; b < rows; b++) {
        sums[k] += p[b];
        for (size_t i = 0; i < D; i++) y[b * D + i] *= p[b];
      }
      cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, asInt(D), asInt(D), asInt(rows), 1, x, asInt(D), y,
                  asInt(D), 1, second + k * D * D, asInt(D));
    }
  }

  void differentiate(const Mixture& mixture, double* sums, double factor, double* gradient,
                     Components range) const override {
    const double *first = sums + K, *second = first + K * D;
    double *byMean = gradient + K, *byScale = byMean + K * D;
    const double scale = factor / mixture.epsilon;
    for (size_t k = range.begin; k < range.end; k++) {
      gradient[k] += factor * sums[k];
      for (size_t i = 0; i < D; i++) {
        byMean[k * D + i] += scale * first[k * D + i];
        for (size_t j = 0; j <= i; j++) byScale[(k * D + i) * D + j] += scale * second[(k * D + i) * D + j];
      }
    }
  }
};

// z = L^-1 (x - r): the logit is log alpha - log |2 pi epsilon S| / 2 - |z|² / (2 epsilon), its derivative by
// r is L^-T z / epsilon, by L it is tril(L^-T (z z' / epsilon - I)).
class FullTarget : public Triangular {
 public:
  using Triangular::Triangular;

  void logits(const double* x, size_t rows, double* scratch, double* out) const override {
    const double epsilon = mixture_.epsilon,
                 logScale = static_cast<double>(D) * (kLogTwoPi + std::log(epsilon)) / 2;
    for (size_t k = 0; k < K; k++) {
      const double *l = triangle(k), *r = mixture_.means + k * D;
      double constant = mixture_.logWeights[k] - logScale;
      for (size_t i = 0; i < D; i++) constant -= std::log(l[i * D + i]);
      double* z = scratch + k * block;
      for (size_t b = 0; b < rows; b++) {
        for (size_t i = 0; i < D; i++) z[b * D + i] = x[b * D + i] - r[i];
      }
      cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, asInt(rows), asInt(D), 1,
                  l, asInt(D), z, asInt(D));
      for (size_t b = 0; b < rows; b++) {
        out[k * kBlock + b] = constant - dot(z + b * D, z + b * D, D) / (2 * epsilon);
      }
    }
  }

  void add(const double*, size_t rows, const double* weights, double* scratch, double* sums) const override {
    double *first = sums + K, *second = first + K * D;
    double root[kBlock];
    for (size_t k = 0; k < K; k++) {
      const double* q = weights + k * kBlock;
      double* z = scratch + k * block;
      for (size_t b = 0; b < rows; b++) {
        sums[k] += q[b];
        root[b] = std::sqrt(q[b]);
        for (size_t i = 0; i < D; i++) z[b * D + i] *= root[b];
      }
      cblas_dgemv(CblasRowMajor, CblasTrans, asInt(rows), asInt(D), 1, z, asInt(D), root, 1, 1, first + k * D,
                  1);
      cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, asInt(D), asInt(rows), 1, z, asInt(D), 1,
                  second + k * D * D, asInt(D));
    }
  }

  void differentiate(const Mixture& mixture, double* sums, double factor, double* gradient,
                     Components range) const override {
    double *first = sums + K, *second = first + K * D;
    double *byMean = gradient + K, *byScale = byMean + K * D;
    for (size_t k = range.begin; k < range.end; k++) {
      const double* l = mixture.scales + k * D * D;
      gradient[k] += factor * sums[k];
      double *mean = first + k * D, *square = second + k * D * D;
      cblas_dtrsv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, asInt(D), l, asInt(D), mean, 1);
      for (size_t i = 0; i < D; i++) byMean[k * D + i] += factor * mean[i] / mixture.epsilon;
      for (size_t i = 0; i < D; i++) {
        for (size_t j = 0; j < i; j++) {
          square[i * D + j] /= mixture.epsilon;
          square[j * D + i] = square[i * D + j];
        }
        square[i * D + i] = square[i * D + i] / mixture.epsilon - sums[k];
      }
      cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasTrans, CblasNonUnit, asInt(D), asInt(D), 1, l,
                  asInt(D), square, asInt(D));
      for (size_t i = 0; i < D; i++) {
        for (size_t j = 0; j <= i; j++) byScale[(k * D + i) * D + j] += factor * square[i * D + j];
      }
    }
  }
};

}  // namespace

std::unique_ptr<Side> fullSource(const Shape& shape) { return std::make_unique<FullSource>(shape); }
std::unique_ptr<Side> fullTarget(const Shape& shape) { return std::make_unique<FullTarget>(shape); }

}  // namespace extrema::transport::bridge
