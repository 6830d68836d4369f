#pragma once

#include <limits>

#include "transport/problem.h"

namespace extrema::transport {

// One side's marginal, kept or under a penalty other than Kullback-Leibler's (that one is a Marginal):
//   total variation   rho |P1 - w|_1           asks for w while |f| < rho, and is indifferent at the bounds
//   least squares     (rho / 2) |P1 - w|²      asks for max(0, w - f / rho)
// With the entropic term epsilon KL(P | a b^T) instead of epsilon sum P (log P - 1), the potentials F here
// are f + epsilon log w, as everywhere in the passes.
class Penalty {
 public:
  Penalty(Divergence kind, double rho, const double* weight, size_t count, bool productReference);

  void setEpsilon(double epsilon);
  // A node that every arc is forbidden to: nothing can be sent there, and its potential stays where that is
  // best.
  void leaveOut(size_t i) { leftOut_[i] = 1; }
  bool leftOut(size_t i) const { return leftOut_[i] != 0; }

  size_t size() const { return count_; }
  bool relaxed() const { return rho_ < std::numeric_limits<double>::infinity(); }
  double rho() const { return rho_; }
  double weight(size_t i) const { return weight_[i]; }
  double offset(size_t i) const { return offset_[i]; }
  // f + offset within the bounds of total variation.
  double clamped(size_t i, double F) const;
  // The F at which nothing is asked for.
  double nothing(size_t i) const;

  // The block update: the F whose row sum is what it asks for, where `open` is F - epsilon log(row sum) of
  // any F (the prox of the penalty; a clamp for total variation, Wright's omega function for least squares).
  double update(size_t i, double open) const;
  // What F asks for, given the sum of its row: a supergradient of `value`.
  double demand(size_t i, double F, double total) const;
  // What least squares ask for is known to the digits of w and F only; how far the sum of the row is from it.
  double rounding(size_t i) const;
  double missed(size_t i, double F, double total) const;
  // Minus the second derivative of `value`, times epsilon; infinite where a bound holds F.
  double bend(size_t i, double F, double total) const;
  // The dual's own term: min over p >= 0 of penalty(p) + f p.
  double value(size_t i, double F) const;
  // value(to) - value(from) without cancellation, both within the bounds.
  double gain(size_t i, double from, double to) const;
  double penalty(size_t i, double total) const;
  // penalty(total) + f total - value(f) >= 0; for a kept marginal f (total - w).
  double gap(size_t i, double F, double total) const;

  // sum of what F + t asks for, and the t that leave the bounds of total variation respected from below.
  double asked(const double* F, double t) const;
  double leastTranslation(const double* F) const;

 private:
  double leastSquares(double w, double kept) const;

  Divergence kind_;
  double rho_;
  const double* weight_;
  size_t count_;
  bool product_;
  double epsilon_ = 0;
  std::vector<char> leftOut_;
  Aligned<double> logWeight_, offset_;
};

// The t that maximises the dual along (F + t, G - t), which leaves the plan as it is; a bisection on its
// slope.
double bestTranslation(const Penalty& a, const double* F, const Penalty& b, const double* G, double epsilon);

// w + log w = x
double wrightOmega(double x);

}  // namespace extrema::transport
