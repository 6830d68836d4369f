#pragma once

#include "transport/dual.h"

namespace extrema::transport {

// Counts the iterations of a Newton method, keeps the best point, and tells when to give up.
class Progress {
 public:
  Progress(Context& context, const Options& options, Report& report, History& history);

  // From now on points belong to the problem's own epsilon: the best is kept, and a standstill noticed.
  void watch(const DualPoint& at);
  void record(const DualPoint& at, double roundoff);
  // Cancelled, out of time or iterations, or stalled; the report says which.
  bool over();
  // The best of the watched points, or else `last`.
  void result(const DualPoint& last, double* f, double* g) const;

 private:
  void keep(const DualPoint& at);

  Context& context_;
  const Options& options_;
  Report& report_;
  History& history_;
  bool watching_ = false, stalled_ = false;
  double best_ = std::numeric_limits<double>::infinity();  // error
  double mark_ = std::numeric_limits<double>::infinity();  // error that `since_` counts from
  int since_ = 0;
  Aligned<double> f_, g_;  // of the best
};

// The adaptive form, also for relaxed marginals.
void sinkhornNewtonAdaptive(Context& context, const Options& options, double* f, double* g, Report& report,
                            History& history);
// The form of the paper: N1 Sinkhorn iterations, then Newton with a Hessian of fixed sparsity.
void sinkhornNewtonPaper(Context& context, const Options& options, double* f, double* g, Report& report,
                         History& history);

}  // namespace extrema::transport
