#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>

#include "core/aligned.h"
#include "core/team.h"

// Light Schrödinger Bridge (Korotin, Gushchin, Burnaev, arXiv 2310.01174). The adjusted potential is a
// Gaussian mixture
//   v(x1) = sum_k alpha_k N(x1 | r_k, epsilon S_k),
// which makes the conditional plan one as well (proposition 3.2):
//   pi(x1 | x0) = (1 / c(x0)) sum_k a_k(x0) N(x1 | r_k + S_k x0, epsilon S_k),
//   a_k(x0) = alpha_k exp((x0' S_k x0 + 2 r_k' x0) / (2 epsilon)),  c(x0) = sum_k a_k(x0).
namespace extrema::transport::bridge {

struct Shape {
  size_t components = 0, dimension = 0;
  bool full = false;  // S_k of any form, otherwise diagonal
  double epsilon = 1;
  // Numbers per S_k.
  size_t scaleSize() const { return full ? dimension * dimension : dimension; }
  // Of all parameters.
  size_t size() const { return components * (1 + dimension + scaleSize()); }
};

struct Mixture : Shape {
  const double* logWeights = nullptr;  // K: log alpha_k
  const double* means = nullptr;       // K × D: r_k
  const double* scales = nullptr;  // K × D: S_k; full: K × D × D, the lower triangles L_k of S_k = L_k L_k'
};

struct Components {
  size_t begin, end;
};

// Calls fn(range) for ranges that make up all components, on the team where they are worth it.
template <class F>
void forComponents(Team& team, const Shape& shape, F&& fn) {
  const double numbers = static_cast<double>(shape.dimension) * static_cast<double>(shape.scaleSize());
  const double work = static_cast<double>(shape.components) * numbers / 32768;
  const auto chunks = static_cast<uint32_t>(std::max(1.0, std::min({work, 16.0, double(shape.components)})));
  team.run(chunks, [&](uint32_t chunk, unsigned) {
    fn(Components{shape.components * chunk / chunks, shape.components * (chunk + 1) / chunks});
  });
}

// Rows of data that are worked on at once; also the pitch of K × kBlock matrices, whose rows belong to
// components.
constexpr size_t kBlock = 64;

// out (rows × (2 D + 1)): x, x², 1 of each row.
void features(const double* x, size_t rows, size_t dimension, double* out);

// For each of the first `columns` columns of the K × kBlock matrix: log sum_k exp(logit_k), and the logits
// become the softmax over k.
void softmax(double* logits, size_t components, size_t columns, double* logSumExp);

// A function log sum_k exp(logit_k(x)) of a point: log c on the side of the source, log v on that of the
// target. Its values, and sums over points of its derivatives by the parameters.
class Side {
 public:
  virtual ~Side() = default;
  // For this mixture from now on; called for all ranges of components.
  virtual void prepare(const Mixture& mixture, Components range) = 0;
  // Numbers of memory that a block of rows takes, and that the sums take.
  virtual size_t scratchSize() const = 0;
  virtual size_t sumSize() const = 0;
  // The logits (K × kBlock) of at most kBlock rows.
  virtual void logits(const double* x, size_t rows, double* scratch, double* out) const = 0;
  // Adds the derivatives of the rows whose logits came last, given their softmax, to the sums.
  virtual void add(const double* x, size_t rows, const double* weights, double* scratch,
                   double* sums) const = 0;
  // gradient += factor × the derivatives by log alpha, r and S (full: L); called for all ranges of
  // components.
  virtual void differentiate(const Mixture& mixture, double* sums, double factor, double* gradient,
                             Components range) const = 0;
};

std::unique_ptr<Side> sourceSide(const Shape& shape);
std::unique_ptr<Side> targetSide(const Shape& shape);

// The drift of dX = g(X, t) dt + sqrt(epsilon) dW,
//   g(x, t) = sum_k w_k C_k^-1 ((S_k - I) x + r_k),   C_k = (1 - t) I + t S_k,
//   w_k ∝ alpha_k |C_k|^(-1/2) exp((x' C_k^-1 (S_k - I) x + 2 x' C_k^-1 r_k - t r_k' C_k^-1 r_k) / (2
//   epsilon)).
// That is (E[X_1 | X_t = x] - x) / (1 - t) with the factor 1 / (1 - t) cancelled: regular on all of [0, 1].
class Drift {
 public:
  virtual ~Drift() = default;
  // For this mixture and time from now on; called for all ranges of components.
  virtual void prepare(const Mixture& mixture, double t, Components range) = 0;
  virtual size_t scratchSize() const = 0;
  virtual void evaluate(const double* x, size_t rows, double* scratch, double* out) const = 0;
};

std::unique_ptr<Drift> driftOf(const Shape& shape);

std::unique_ptr<Side> diagonalSource(const Shape& shape);
std::unique_ptr<Side> diagonalTarget(const Shape& shape);
std::unique_ptr<Drift> diagonalDrift(const Shape& shape);
std::unique_ptr<Side> fullSource(const Shape& shape);
std::unique_ptr<Side> fullTarget(const Shape& shape);
std::unique_ptr<Drift> fullDrift(const Shape& shape);

}  // namespace extrema::transport::bridge
