#pragma once

#include "transport/light-bridge/loss.h"
#include "transport/light-bridge/stream.h"

namespace extrema::transport::bridge {

// Light and optimal Schrödinger bridge matching (Gushchin, Kholkin, Burnaev, Korotin, arXiv 2402.03207): the
// mean of
//   |g_theta(x_t, t) - (x1 - x_t) / (1 - t)|² / (2 epsilon)
// over pairs (x0, x1) of any coupling, times t, and x_t from the Brownian bridge between them. Rows i of
// source and target are a pair. Times are stratified: consecutive rows share one, so that all products are of
// matrices.
class Matching : public Objective {
 public:
  Matching(const Shape& shape, double floor, const Stream& draws, const Stream& evaluationDraws);
  double evaluate(Team& team, const double* theta, Points source, Points target, uint64_t draw,
                  double* gradient) override;

  // The part of a group of rows with the same time.
  class Group {
   public:
    virtual ~Group() = default;
    virtual size_t scratchSize() const = 0;
    virtual void prepare(const Mixture& mixture, double t) = 0;
    // Adds the derivatives of the rows to the gradient by log alpha, r and S (full: the symmetric derivative
    // by S), given what their residuals g - y are multiplied with; returns the sum of their squares.
    virtual double add(const double* x, const double* y, size_t rows, double factor, double* scratch) = 0;
    virtual void finish(double* gradient) = 0;
  };

 private:
  struct Worker {
    std::unique_ptr<Group> group;
    Aligned<double> scratch, x, y, normal;
  };
  struct Partial {
    Aligned<double> gradient;
    double value = 0;
  };

  Shape shape_;
  Coordinates coordinates_;
  Stream draws_, evaluationDraws_;
  std::vector<Worker> workers_;
  std::vector<Partial> partials_;
};

std::unique_ptr<Matching::Group> diagonalGroup(const Shape& shape);
std::unique_ptr<Matching::Group> fullGroup(const Shape& shape);

}  // namespace extrema::transport::bridge
