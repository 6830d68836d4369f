#include <cblas.h>

#include <cmath>

#include "transport/light-bridge/mixture.h"

namespace extrema::transport::bridge {

void features(const double* x, size_t rows, size_t dimension, double* out) {
  for (size_t b = 0; b < rows; b++) {
    for (size_t i = 0; i < dimension; i++) {
      out[i] = x[i];
      out[dimension + i] = x[i] * x[i];
    }
    out[2 * dimension] = 1;
    x += dimension;
    out += 2 * dimension + 1;
  }
}

namespace {

constexpr double kLogTwoPi = 1.8378770664093453;

int asInt(size_t n) { return static_cast<int>(n); }

// Logits linear in x, x² and 1: a GEMM with a K × (2 D + 1) matrix, and another for the sums of the features
// weighted by the softmax.
class Linear : public Side {
 public:
  explicit Linear(const Shape& shape)
      : K(shape.components), D(shape.dimension), width(2 * D + 1), matrix(K * width) {}

  size_t scratchSize() const override { return kBlock * width; }
  size_t sumSize() const override { return K * width; }

  void logits(const double* x, size_t rows, double* scratch, double* out) const override {
    features(x, rows, D, scratch);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, asInt(K), asInt(rows), asInt(width), 1,
                matrix.data(), asInt(width), scratch, asInt(width), 0, out, asInt(kBlock));
  }
  void add(const double*, size_t rows, const double* weights, double* scratch, double* sums) const override {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, asInt(K), asInt(width), asInt(rows), 1, weights,
                asInt(kBlock), scratch, asInt(width), 1, sums, asInt(width));
  }

 protected:
  const size_t K, D, width;
  Aligned<double> matrix;
};

class DiagonalSource : public Linear {
 public:
  using Linear::Linear;

  void prepare(const Mixture& mixture, Components range) override {
    const double epsilon = mixture.epsilon;
    for (size_t k = range.begin; k < range.end; k++) {
      const double *r = mixture.means + k * D, *s = mixture.scales + k * D;
      double* row = matrix.data() + k * width;
      for (size_t i = 0; i < D; i++) {
        row[i] = r[i] / epsilon;
        row[D + i] = s[i] / (2 * epsilon);
      }
      row[2 * D] = mixture.logWeights[k];
    }
  }

  void differentiate(const Mixture& mixture, double* sums, double factor, double* gradient,
                     Components range) const override {
    const double linear = factor / mixture.epsilon, quadratic = factor / (2 * mixture.epsilon);
    double *byMean = gradient + K, *byScale = byMean + K * D;
    for (size_t k = range.begin; k < range.end; k++) {
      const double* row = sums + k * width;
      for (size_t i = 0; i < D; i++) {
        byMean[k * D + i] += linear * row[i];
        byScale[k * D + i] += quadratic * row[D + i];
      }
      gradient[k] += factor * row[2 * D];
    }
  }
};

class DiagonalTarget : public Linear {
 public:
  using Linear::Linear;

  void prepare(const Mixture& mixture, Components range) override {
    const double epsilon = mixture.epsilon,
                 constant = static_cast<double>(D) * (kLogTwoPi + std::log(epsilon));
    for (size_t k = range.begin; k < range.end; k++) {
      const double *r = mixture.means + k * D, *s = mixture.scales + k * D;
      double* row = matrix.data() + k * width;
      double sum = constant;
      for (size_t i = 0; i < D; i++) {
        const double precision = 1 / (epsilon * s[i]);
        row[i] = r[i] * precision;
        row[D + i] = -precision / 2;
        sum += r[i] * r[i] * precision + std::log(s[i]);
      }
      row[2 * D] = mixture.logWeights[k] - sum / 2;
    }
  }

  void differentiate(const Mixture& mixture, double* sums, double factor, double* gradient,
                     Components range) const override {
    double *byMean = gradient + K, *byScale = byMean + K * D;
    for (size_t k = range.begin; k < range.end; k++) {
      const double *r = mixture.means + k * D, *s = mixture.scales + k * D;
      const double* row = sums + k * width;
      const double count = row[2 * D];
      for (size_t i = 0; i < D; i++) {
        const double precision = 1 / (mixture.epsilon * s[i]);
        // Of x - r and of its square.
        const double first = row[i] - r[i] * count;
        const double second = row[D + i] - r[i] * (row[i] + first);
        byMean[k * D + i] += factor * first * precision;
        byScale[k * D + i] += factor * (second * precision - count) / (2 * s[i]);
      }
      gradient[k] += factor * count;
    }
  }
};

}  // namespace

std::unique_ptr<Side> diagonalSource(const Shape& shape) { return std::make_unique<DiagonalSource>(shape); }
std::unique_ptr<Side> diagonalTarget(const Shape& shape) { return std::make_unique<DiagonalTarget>(shape); }

std::unique_ptr<Side> sourceSide(const Shape& shape) {
  return shape.full ? fullSource(shape) : diagonalSource(shape);
}
std::unique_ptr<Side> targetSide(const Shape& shape) {
  return shape.full ? fullTarget(shape) : diagonalTarget(shape);
}
std::unique_ptr<Drift> driftOf(const Shape& shape) {
  return shape.full ? fullDrift(shape) : diagonalDrift(shape);
}

}  // namespace extrema::transport::bridge
