#include <cblas.h>

#include <cmath>

#include "transport/light-bridge/matching.h"

namespace extrema::transport::bridge {

namespace {

int asInt(size_t n) { return static_cast<int>(n); }

// What the drift of a diagonal mixture is at one time: logits linear in the features x, x², 1 of a point, and
// for each component a map linear in 1 and x.
struct DiagonalTerms {
  explicit DiagonalTerms(const Shape& shape)
      : K(shape.components), D(shape.dimension), width(2 * D + 1), logits(K * width), maps(K * 2 * D) {}

  void prepare(const Mixture& mixture, double t, Components range) {
    const double epsilon = mixture.epsilon;
    for (size_t k = range.begin; k < range.end; k++) {
      const double *r = mixture.means + k * D, *s = mixture.scales + k * D;
      double *row = logits.data() + k * width, *map = maps.data() + k * 2 * D;
      double sum = 0;
      for (size_t i = 0; i < D; i++) {
        const double c = 1 - t + t * s[i];
        map[i] = r[i] / c;
        map[D + i] = (s[i] - 1) / c;
        row[i] = map[i] / epsilon;
        row[D + i] = map[D + i] / (2 * epsilon);
        sum += std::log(c) + t * r[i] * r[i] / (c * epsilon);
      }
      row[2 * D] = mixture.logWeights[k] - sum / 2;
    }
  }

  // weights: K × kBlock; means: room for kBlock × 2 D numbers; logSum: kBlock
  void evaluate(const double* x, const double* point, size_t rows, double* weights, double* logSum,
                double* means, double* out) const {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, asInt(K), asInt(rows), asInt(width), 1,
                logits.data(), asInt(width), point, asInt(width), 0, weights, asInt(kBlock));
    softmax(weights, K, rows, logSum);
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, asInt(rows), asInt(2 * D), asInt(K), 1, weights,
                asInt(kBlock), maps.data(), asInt(2 * D), 0, means, asInt(2 * D));
    for (size_t b = 0; b < rows; b++) {
      const double* mean = means + b * 2 * D;
      for (size_t i = 0; i < D; i++) out[b * D + i] = mean[i] + mean[D + i] * x[b * D + i];
    }
  }

  const size_t K, D, width;
  Aligned<double> logits;  // K × (2 D + 1)
  Aligned<double> maps;    // K × 2 D: r / C and (S - I) / C
};

class DiagonalDrift : public Drift {
 public:
  explicit DiagonalDrift(const Shape& shape) : terms_(shape) {}

  void prepare(const Mixture& mixture, double t, Components range) override {
    terms_.prepare(mixture, t, range);
  }
  size_t scratchSize() const override { return kBlock * (2 * terms_.width + terms_.K + 1); }

  void evaluate(const double* x, size_t rows, double* scratch, double* out) const override {
    double *weights = scratch + kBlock * terms_.width, *means = weights + kBlock * terms_.K;
    features(x, rows, terms_.D, scratch);
    terms_.evaluate(x, scratch, rows, weights, means + kBlock * 2 * terms_.D, means, out);
  }

 private:
  DiagonalTerms terms_;
};

class DiagonalGroup : public Matching::Group {
 public:
  explicit DiagonalGroup(const Shape& shape)
      : terms_(shape), K(terms_.K), D(terms_.D), byLogit_(K * terms_.width), byMap_(K * 2 * D) {}

  size_t scratchSize() const override { return kBlock * (terms_.width + 2 * K + 4 * D + 2); }

  void prepare(const Mixture& mixture, double t) override {
    mixture_ = &mixture;
    t_ = t;
    terms_.prepare(mixture, t, {0, K});
    byLogit_.clear();
    byMap_.clear();
  }

  double add(const double* x, const double* y, size_t rows, double factor, double* scratch) override {
    const size_t width = terms_.width;
    double *weights = scratch + kBlock * width, *eta = weights + K * kBlock, *means = eta + K * kBlock;
    double *g = means + kBlock * 2 * D, *logSum = g + kBlock * D;
    features(x, rows, D, scratch);
    terms_.evaluate(x, scratch, rows, weights, logSum, means, g);
    // The residuals e, next to e x.
    double squares = 0;
    double along[kBlock];  // e'g
    for (size_t b = 0; b < rows; b++) {
      double* row = means + b * 2 * D;
      along[b] = 0;
      for (size_t i = 0; i < D; i++) {
        const double e = g[b * D + i] - y[b * D + i];
        squares += e * e;
        row[i] = factor * e;
        row[D + i] = row[i] * x[b * D + i];
        along[b] += row[i] * g[b * D + i];
      }
    }
    // The derivative by the logit is w (e'u - e'g).
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, asInt(K), asInt(rows), asInt(2 * D), 1,
                terms_.maps.data(), asInt(2 * D), means, asInt(2 * D), 0, eta, asInt(kBlock));
    for (size_t k = 0; k < K; k++) {
      for (size_t b = 0; b < rows; b++) {
        eta[k * kBlock + b] = weights[k * kBlock + b] * (eta[k * kBlock + b] - along[b]);
      }
    }
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, asInt(K), asInt(width), asInt(rows), 1, eta,
                asInt(kBlock), scratch, asInt(width), 1, byLogit_.data(), asInt(width));
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, asInt(K), asInt(2 * D), asInt(rows), 1, weights,
                asInt(kBlock), means, asInt(2 * D), 1, byMap_.data(), asInt(2 * D));
    return squares;
  }

  void finish(double* gradient) override {
    const double epsilon = mixture_->epsilon;
    double *byMean = gradient + K, *byScale = byMean + K * D;
    for (size_t k = 0; k < K; k++) {
      const double *r = mixture_->means + k * D, *s = mixture_->scales + k * D;
      const double *h = byLogit_.data() + k * terms_.width, *a = byMap_.data() + k * 2 * D;
      const double count = h[2 * D];
      for (size_t i = 0; i < D; i++) {
        const double c = 1 - t_ + t_ * s[i];
        // Of x - t r and of its square.
        const double first = h[i] - t_ * r[i] * count;
        const double second = h[D + i] - t_ * r[i] * (h[i] + first);
        byMean[k * D + i] += (a[i] + first / epsilon) / c;
        byScale[k * D + i] += (a[D + i] - t_ * (r[i] * a[i] + (s[i] - 1) * a[D + i]) / c) / c +
                              (second / (epsilon * c) - t_ * count) / (2 * c);
      }
      gradient[k] += count;
    }
  }

 private:
  DiagonalTerms terms_;
  const size_t K, D;
  Aligned<double> byLogit_, byMap_;
  const Mixture* mixture_ = nullptr;
  double t_ = 0;
};

}  // namespace

std::unique_ptr<Drift> diagonalDrift(const Shape& shape) { return std::make_unique<DiagonalDrift>(shape); }
std::unique_ptr<Matching::Group> diagonalGroup(const Shape& shape) {
  return std::make_unique<DiagonalGroup>(shape);
}

}  // namespace extrema::transport::bridge
