// Scetbon, Cuturi, Peyré 2021, "Low-rank Sinkhorn factorization" (arXiv 2103.04737), algorithms 2 and 3, in
// the log domain.

#include "transport/low-rank.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/aligned.h"
#include "core/team.h"
#include "simd/math.h"
#include "transport/problem.h"
#include "transport/solve.h"

namespace extrema::transport {

namespace {

constexpr double kStep = 10;            // gamma is this over the square of the largest gradient
constexpr double kLeastWeight = 1e-10;  // of a component: the paper's alpha
constexpr double kLeastDivisor = 1e-60;
constexpr double kTiny = 1e-300;
constexpr double kInnerTolerance = 1e-9;
constexpr int kMostInner = 1000;
constexpr double kShrink = 0.5, kGrow = 1.2, kLeastShrink = 1e-6;
constexpr double kRoundoff = 1e-13;

// One of the two factors.
struct Side {
  Side(size_t count_, size_t rank, const double* weights_, double* factor_)
      : count(count_),
        chunks(rowChunks(count_, rank)),
        weights(weights_),
        factor(factor_),
        gradient(count_ * rank),
        logKernel(count_ * rank),
        before(count_ * rank),
        lse(count_),
        errors(chunks),
        sums(rank),
        logV(rank),
        logQ(rank) {
    for (uint32_t c = 0; c < chunks; c++) parts.emplace_back(rank);
  }
  size_t count;
  uint32_t chunks;
  const double* weights;
  double* factor;
  Aligned<double> gradient, logKernel, before, lse, errors, sums, logV, logQ;
  std::vector<Aligned<double>> parts;
};

class Solver {
 public:
  Solver(const LowRank& p, Monitor& monitor)
      : p_(p),
        monitor_(monitor),
        team_(p.threads, monitor),
        rank_(p.rank),
        q_(p.n, rank_, p.a, p.q),
        r_(p.m, rank_, p.b, p.r),
        small_(p.factors * rank_),
        omega_(rank_),
        logG_(rank_),
        logK3_(rank_),
        logQ1_(rank_),
        logQ2_(rank_),
        gBefore_(rank_) {}

  void run() {
    round();
    double shrink = 1, last = std::numeric_limits<double>::infinity(), residual = last;
    Status status = Status::iterationLimit;
    double iterations = 0, inner = 0;
    bool reverted = false;
    while (!monitor_.cancelled()) {
      gradients();
      if (monitor_.cancelled()) return;
      const double value = objective();
      if (value > last + kRoundoff) {
        restore();
        shrink *= kShrink;
        reverted = true;
        gradients();
      } else {
        last = value;
        if (!reverted) shrink = std::min(1.0, shrink * kGrow);
        reverted = false;
        save();
      }
      if (iterations > 0 && !reverted && residual <= p_.tolerance) {
        status = Status::converged;
        break;
      }
      if (shrink < kLeastShrink) {
        status = Status::stalled;
        break;
      }
      if (iterations >= p_.maxIterations) break;
      if (monitor_.expired()) {
        status = Status::timeLimit;
        break;
      }
      const double gamma = prepareStep(shrink);
      inner += project();
      round();
      residual = change() / (gamma * gamma);
      iterations++;
      monitor_.progress(iterations, residual);
    }
    if (monitor_.cancelled()) return;
    double total = 0;
    for (size_t k = 0; k < rank_; k++) total += omega_[k] / p_.g[k];
    p_.report[0] = static_cast<double>(static_cast<int>(status));
    p_.report[1] = iterations;
    p_.report[2] = residual;
    p_.report[3] = total;
    p_.report[4] = inner;
  }

 private:
  // gradient of Q: C R, of R: C^T Q, without diag(1/g); omega_k = (Q^T C R)_kk
  void gradients() {
    multiply(q_, r_, p_.u, p_.w, false);
    multiply(r_, q_, p_.w, p_.u, true);
    columnSums(q_, [&](size_t i, double* sums) {
      for (size_t k = 0; k < rank_; k++) sums[k] += q_.factor[i * rank_ + k] * q_.gradient[i * rank_ + k];
    });
    std::copy_n(q_.sums.data(), rank_, omega_.data());
  }

  void multiply(Side& to, const Side& from, const double* left, const double* right, bool transpose) {
    const int K = static_cast<int>(p_.factors), R = static_cast<int>(rank_), N = static_cast<int>(from.count);
    if (p_.cost == nullptr)
      cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, K, R, N, 1, right, K, from.factor, R, 0,
                  small_.data(), R);
    team_.run(to.chunks, [&](uint32_t chunk, unsigned) {
      const Range rows = chunkRange(to.count, to.chunks, chunk);
      const int count = static_cast<int>(rows.end - rows.begin);
      double* out = to.gradient.data() + rows.begin * rank_;
      if (p_.cost == nullptr) {
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, count, R, K, 1, left + rows.begin * p_.factors,
                    K, small_.data(), R, 0, out, R);
      } else if (transpose) {
        const int M = static_cast<int>(p_.m);
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, count, R, N, 1, p_.cost + rows.begin, M,
                    from.factor, R, 0, out, R);
      } else {
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, count, R, N, 1, p_.cost + rows.begin * p_.m, N,
                    from.factor, R, 0, out, R);
      }
    });
  }

  // sums_k = sum over rows of what `add` adds, in chunk order.
  template <class Add>
  void columnSums(Side& side, Add&& add) {
    team_.run(side.chunks, [&](uint32_t chunk, unsigned) {
      Aligned<double>& sums = side.parts[chunk];
      sums.clear();
      const Range rows = chunkRange(side.count, side.chunks, chunk);
      for (size_t i = rows.begin; i < rows.end; i++) add(i, sums.data());
    });
    side.sums.clear();
    for (const auto& part : side.parts)
      for (size_t k = 0; k < rank_; k++) side.sums[k] += part[k];
  }

  // In units of the cost's size.
  double objective() {
    double value = 0;
    for (size_t k = 0; k < rank_; k++) value += omega_[k] / p_.g[k];
    value /= p_.scale;
    if (p_.epsilon == 0) return value;
    double entropy = 0;
    for (const Side* side : {&q_, &r_})
      for (size_t at = 0; at < side->count * rank_; at++)
        entropy += side->factor[at] * (std::log(std::max(side->factor[at], kTiny)) - 1);
    for (size_t k = 0; k < rank_; k++) entropy += p_.g[k] * (std::log(p_.g[k]) - 1);
    return value + p_.epsilon / p_.scale * entropy;
  }

  void save() {
    for (Side* side : {&q_, &r_}) std::copy_n(side->factor, side->count * rank_, side->before.data());
    std::copy_n(p_.g, rank_, gBefore_.data());
  }
  void restore() {
    for (Side* side : {&q_, &r_}) std::copy_n(side->before.data(), side->count * rank_, side->factor);
    std::copy_n(gBefore_.data(), rank_, p_.g);
  }

  // log of the kernels exp(-gamma gradient) ∘ (Q, R, g); returns gamma.
  double prepareStep(double shrink) {
    const double epsilon = p_.epsilon / p_.scale;
    double largest = kTiny;
    for (Side* side : {&q_, &r_}) {
      logArray(floored(*side), side->logKernel.data(), side->count * rank_);
      for (size_t at = 0; at < side->count * rank_; at++) {
        double& slope = side->gradient[at];
        slope = slope / (p_.scale * p_.g[at % rank_]) + epsilon * side->logKernel[at];
        largest = std::max(largest, std::abs(slope));
      }
    }
    for (size_t k = 0; k < rank_; k++) {
      logG_[k] = std::log(p_.g[k]);
      logK3_[k] = -omega_[k] / (p_.scale * p_.g[k] * p_.g[k]) + epsilon * logG_[k];
      largest = std::max(largest, std::abs(logK3_[k]));
    }
    const double gamma = shrink * kStep / (largest * largest);
    for (Side* side : {&q_, &r_})
      for (size_t at = 0; at < side->count * rank_; at++) side->logKernel[at] -= gamma * side->gradient[at];
    for (size_t k = 0; k < rank_; k++) logK3_[k] = logG_[k] - gamma * logK3_[k];
    return gamma;
  }

  double* floored(Side& side) {
    for (size_t at = 0; at < side.count * rank_; at++) side.logKernel[at] = std::max(side.factor[at], kTiny);
    return side.logKernel.data();
  }

  // Factor = diag(u) K diag(v) with exact row sums; its column sums. Returns by how much the rows were off.
  double rows(Side& side, bool first) {
    team_.run(side.chunks, [&](uint32_t chunk, unsigned) {
      const Range range = chunkRange(side.count, side.chunks, chunk);
      Aligned<double>& sums = side.parts[chunk];
      sums.clear();
      double error = 0;
      for (size_t i = range.begin; i < range.end; i++) {
        double* row = side.factor + i * rank_;
        const double* kernel = side.logKernel.data() + i * rank_;
        double largest = -std::numeric_limits<double>::infinity();
        for (size_t k = 0; k < rank_; k++) {
          row[k] = kernel[k] + side.logV[k];
          largest = std::max(largest, row[k]);
        }
        for (size_t k = 0; k < rank_; k++) row[k] -= largest;
        expArray(row, row, rank_);
        double total = 0;
        for (size_t k = 0; k < rank_; k++) total += row[k];
        const double scale = side.weights[i] / total;
        for (size_t k = 0; k < rank_; k++) sums[k] += row[k] *= scale;
        const double lse = largest + std::log(total);
        if (!first) error += side.weights[i] * std::abs(std::expm1(std::min(lse - side.lse[i], 700.0)));
        side.lse[i] = lse;
      }
      side.errors[chunk] = error;
    });
    side.sums.clear();
    for (const auto& part : side.parts)
      for (size_t k = 0; k < rank_; k++) side.sums[k] += part[k];
    return first ? std::numeric_limits<double>::infinity() : sum(side.errors.data(), side.chunks);
  }

  // Dykstra's algorithm (algorithm 2).
  int project() {
    for (Side* side : {&q_, &r_}) {
      side->logV.clear();
      side->logQ.clear();
    }
    logQ1_.clear();
    logQ2_.clear();
    std::copy_n(logK3_.data(), rank_, logG_.data());
    for (int count = 1;; count++) {
      const double error = rows(q_, count == 1) + rows(r_, count == 1);
      if (error <= kInnerTolerance || count >= kMostInner || monitor_.cancelled()) return count;
      for (size_t k = 0; k < rank_; k++) {
        const double bounded = std::max(std::log(kLeastWeight), logG_[k] + logQ1_[k]);
        logQ1_[k] += logG_[k] - bounded;
        double mean = bounded + logQ2_[k];
        double logSum[2];
        int at = 0;
        for (Side* side : {&q_, &r_}) {
          logSum[at] = std::log(std::max(side->sums[k], kTiny));
          mean += side->logQ[k] + logSum[at++];
        }
        mean /= 3;
        at = 0;
        for (Side* side : {&q_, &r_}) {
          side->logV[k] += mean - logSum[at];
          side->logQ[k] += logSum[at++] - mean;
        }
        logQ2_[k] += bounded - mean;
        logG_[k] = mean;
      }
    }
  }

  // Makes the column sums of both factors equal, g, and leaves the row sums as they are.
  void round() {
    for (Side* side : {&q_, &r_}) {
      columnSums(*side, [&](size_t i, double* sums) {
        for (size_t k = 0; k < rank_; k++) sums[k] += side->factor[i * rank_ + k];
      });
    }
    double kept = 0;
    for (size_t k = 0; k < rank_; k++) {
      p_.g[k] = std::min(q_.sums[k], r_.sums[k]);
      kept += p_.g[k];
    }
    for (Side* side : {&q_, &r_}) {
      team_.run(side->chunks, [&](uint32_t chunk, unsigned) {
        const Range range = chunkRange(side->count, side->chunks, chunk);
        for (size_t i = range.begin; i < range.end; i++) {
          double* row = side->factor + i * rank_;
          double total = 0;
          for (size_t k = 0; k < rank_; k++) {
            row[k] *= std::min(1.0, p_.g[k] / std::max(side->sums[k], kTiny));
            total += row[k];
          }
          const double missing = std::max(0.0, side->weights[i] - total);
          for (size_t k = 0; k < rank_; k++) row[k] += missing * p_.g[k] / kept;
        }
      });
      columnSums(*side, [&](size_t i, double* sums) {
        for (size_t k = 0; k < rank_; k++) sums[k] += side->factor[i * rank_ + k];
      });
    }
    for (size_t k = 0; k < rank_; k++) p_.g[k] = std::max(kLeastDivisor, 0.5 * (q_.sums[k] + r_.sums[k]));
  }

  // KL(new, old) + KL(old, new) of Q, R and g together.
  double change() {
    double total = 0;
    const auto add = [&](double now, double then) {
      total += (now - then) * std::log(std::max(now, kTiny) / std::max(then, kTiny));
    };
    for (Side* side : {&q_, &r_})
      for (size_t at = 0; at < side->count * rank_; at++) add(side->factor[at], side->before[at]);
    for (size_t k = 0; k < rank_; k++) add(p_.g[k], gBefore_[k]);
    return total;
  }

  const LowRank& p_;
  Monitor& monitor_;
  Team team_;
  size_t rank_;
  Side q_, r_;
  Aligned<double> small_, omega_, logG_, logK3_, logQ1_, logQ2_, gBefore_;
};

}  // namespace

void lowRankSinkhorn(const LowRank& problem, Monitor& monitor) { Solver(problem, monitor).run(); }

}  // namespace extrema::transport
