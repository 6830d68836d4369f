#pragma once

#include "transport/marginals.h"
#include "transport/solve.h"

namespace extrema::transport {

// Potentials with the row and column sums of their plan.
struct DualPoint {
  DualPoint(size_t n, size_t m) : f(n), g(m), rowSum(n), columnSum(m) {}
  Aligned<double> f, g, rowSum, columnSum;
  double error = 0;  // (|P1 - a|_1 + |P^T 1 - b|_1) / mass
  // What is asked of the marginals, and its mass: the problem's own a and b, unless they are relaxed.
  const double *a = nullptr, *b = nullptr;
  double mass = 0;
  Aligned<double> demandA, demandB;  // relaxed only
};

// The concave dual of entropic transport, its gradient, and the line search of the Newton methods on it:
//   F(f, g) = a·f + b·g - epsilon sum P,   P = exp((f ⊕ g - C) / epsilon),   grad F = (a - P1, b - P^T 1).
// Where a marginal is relaxed by the penalty rho, rho sum a (1 - exp(-f / rho)) takes the place of a·f, and
// its derivative a exp(-f / rho) that of a in the gradient. Directions (p, q) and gains of F are in units of
// epsilon.
class Dual {
 public:
  Dual(Context& context, Report& report);

  // Forms the plan of a point: its sums and error, and the plan itself where `store` points. One pass.
  void evaluate(DualPoint& at);
  // Gradient at `point`.
  void differentiate();
  // The first-order gain of the direction (p, q); false if it is no ascent.
  bool setSlope();

  // The largest of the steps 1, 1/2, 1/4, … >= least that the kept entries S allow, or 0. With d = p ⊕ q
  //   F(alpha) - F(0) = alpha slope - sum P (exp(alpha d) - 1 - alpha d),
  // where all terms of the sum are >= 0: what those of S rule out need not be tried on the whole plan.
  double allowedStep(const Sparse& kept, double least);
  // Armijo's rule with the steps alpha, alpha / 2, … >= least; `point` moves. Returns the step, 0 if none
  // will do.
  double search(double alpha, double least);

  // Rounding hides the gain of the step: only the error can tell.
  bool atRoundoff() const { return slope_ < 1e-13 * magnitude_; }
  // The relative error that rounding leaves in the sums of the plan, about.
  double roundoff() const { return 1.1e-16 * magnitude_ / point.mass; }

  double epsilon;
  Marginals marginals;
  DualPoint point;
  Aligned<double> x, y;     // gradient
  Aligned<double> p, q;     // direction
  double gradientNorm = 0;  // Euclidean
  double* store = nullptr;
  size_t storePitch = 0;

 private:
  double dot(const double* u, const Aligned<double>& v);

  Context& context_;
  Report& report_;
  size_t n_, m_;
  DualPoint trial_;
  double slope_ = 0, magnitude_ = 0;
  Aligned<double> work_;
  std::vector<double> change_;  // d of the kept entries
};

}  // namespace extrema::transport
