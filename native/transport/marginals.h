#pragma once

#include <limits>

#include "transport/passes.h"

namespace extrema::transport {

// One side's marginal as its potentials ask for it: the weights w themselves, or, where it is relaxed to the
// penalty rho KL(P1 | w),  w exp(-(f + t) / rho)  with a translation t common to the side. With the entropic
// term epsilon KL(P | a b^T) instead of epsilon sum P (log P - 1), the potentials here are those of the
// caller plus epsilon log w.
class Marginal {
 public:
  Marginal(const double* weight, size_t count, double penalty, bool productReference);

  void setEpsilon(double epsilon);
  void setTranslation(double t);
  // Leaves out a node that every arc is forbidden to: nothing is asked of it.
  void leaveOut(size_t i);
  bool leftOut(size_t i) const { return logWeight_[i] == -std::numeric_limits<double>::infinity(); }

  bool relaxed() const { return penalty_ < std::numeric_limits<double>::infinity(); }
  double penalty() const { return penalty_; }
  // The logarithm of what f = 0 asks for.
  const double* logWeight() const { return logWeight_.data(); }
  // Of the Sinkhorn update  f <- damping (epsilon logWeight - epsilon log sum exp):  rho / (rho + epsilon).
  double damping() const { return relaxed() ? penalty_ / (penalty_ + epsilon_) : 1; }
  // Of the dual with respect to f, times epsilon, per unit of demand.
  double curvature() const { return relaxed() ? epsilon_ / penalty_ : 0; }

  // Writes what f asks for; returns its total.
  double demand(const double* f, double* out) const;
  // The logarithm of that total.
  double logTotal(const double* f) const;
  // What the dual's own term gains, in units of epsilon, by f += alpha epsilon p.
  double gain(const double* demand, const double* p, double alpha) const;

 private:
  void setLogWeights();

  const double* weight_;
  size_t count_;
  double penalty_;
  bool product_;
  double epsilon_ = 0, translation_ = 0;
  std::vector<char> leftOut_;
  Aligned<double> logWeight_;
  mutable Aligned<double> work_;
};

// Both marginals. Potentials are f + t and g - t: a translation leaves the plan as it is, and where marginals
// are relaxed there is a best one, kept apart from f and g because it grows with the penalties. Taking it
// along in each update removes the slow mode of Sinkhorn's iteration: Séjourné, Vialard, Peyré 2022, "Faster
// Unbalanced Optimal Transport: Translation invariant Sinkhorn and 1-D Frank-Wolfe" (arXiv 2201.00730).
class Marginals {
 public:
  explicit Marginals(const Problem& problem);
  // Leaves out the relaxed nodes that every arc is forbidden to; throws ERR_INFEASIBLE for others.
  void leaveOutIsolated(Team& team, const Geometry<double>& geometry, Workspace<double>& workspace);

  void setEpsilon(double epsilon);
  bool relaxed() const { return a.relaxed() || b.relaxed(); }
  double translation() const { return translation_; }
  // The best translation for f and g.
  void translate(const double* f, const double* g);
  // The best translation after an update of the rows' f (or the columns' g, with the roles exchanged), which
  // moves with it. Returns what is to be added to it.
  double translateUpdated(bool rows, const double* f, const double* g);

  Marginal a, b;

 private:
  void move(double t);

  double epsilon_ = 0, translation_ = 0;
};

}  // namespace extrema::transport
