#pragma once

#include <cstdint>
#include <vector>

#include "transport/light-bridge/mixture.h"

namespace extrema::transport::bridge {

// The coordinates theta that an optimiser moves freely: log alpha_k, r_k / sqrt(epsilon), and log(S_k -
// floor); full: L_k with log(L_ii - sqrt(floor)) on the diagonal. The floor keeps components from collapsing
// onto repeated points, where the likelihood has no bound.
class Coordinates {
 public:
  Coordinates(const Shape& shape, double floor);
  const Mixture& expand(const double* theta);
  // Derivatives by log alpha, r and S (full: L) of the expanded mixture become those by theta.
  void pull(double* gradient) const;
  const Mixture& mixture() const { return mixture_; }

 private:
  Aligned<double> means_, scales_;
  Mixture mixture_;
  double floor_, root_;
};

// Points, row-major.
struct Points {
  const double* data;
  size_t rows;
};

// What is minimised over theta.
class Objective {
 public:
  virtual ~Objective() = default;
  // Returns the value and writes its gradient. `draw` tells random objectives which numbers to take: those of
  // one minibatch, or with 0 those that all evaluations share. Not finite where theta is out of range;
  // unfinished after cancellation.
  virtual double evaluate(Team& team, const double* theta, Points source, Points target, uint64_t draw,
                          double* gradient) = 0;
};

// L(theta) = mean log c(x0) - mean log v(x1), which is KL(pi* | pi_theta) up to a constant (section 3.3).
class Loss : public Objective {
 public:
  Loss(const Shape& shape, double floor);
  double evaluate(Team& team, const double* theta, Points source, Points target, uint64_t draw,
                  double* gradient) override;

 private:
  struct Worker {
    Aligned<double> scratch, logits;
  };
  struct Partial {
    Aligned<double> sums;
    double value = 0;
  };
  uint32_t chunksOf(size_t rows) const;
  void addChunk(const Monitor& monitor, const Side& side, const Points& points, uint32_t chunks,
                uint32_t chunk, Worker& worker, Partial& partial) const;

  Shape shape_;
  Coordinates coordinates_;
  std::unique_ptr<Side> source_, target_;
  std::vector<Worker> workers_;
  std::vector<Partial> partials_;
};

// The largest entry in size; NaN if there is one.
double largest(const double* values, size_t count);

}  // namespace extrema::transport::bridge
