#pragma once

#include "transport/cloud-sweep.h"
#include "transport/passes.h"

namespace extrema::transport {

struct Options {
  double tolerance = 1e-9;  // on the L1 marginal error relative to the total mass
  double maxIterations = 0;
  unsigned threads = 1;
  bool float32 = false;
  bool certificate = true;
  bool anderson = false;   // sinkhorn: accelerated
  bool truncated = false;  // sinkhorn between points: pairs of blocks without mass are left out
  // sinkhornNewtonSparse, the paper's form
  bool paper = false;
  double sinkhornIterations = 20;  // N1
  double sparsity = 0;             // lambda, kept fraction of the (n + m)² Hessian
};

enum class Status : int { converged = 0, iterationLimit = 1, timeLimit = 2, stalled = 3 };

struct Report {
  Status status = Status::iterationLimit;
  double iterations = 0;
  double newtonIterations = 0;
  double passes = 0;         // over all n × m entries, the final measurement not counted
  double marginalError = 0;  // (|P1 - a|_1 + |P^T 1 - b|_1) / sum a
  double value = 0;          // <C, P>
  double regularizedValue = 0;
  double primal = 0, dual = 0;  // dual <= OT <= primal
  double skipped = 0;           // share of the entries of all passes that were left out
};

// The marginal error after each iteration, where the caller wants it.
class History {
 public:
  History(double* data, size_t capacity) : data_(data), capacity_(capacity) {}
  void add(double error) noexcept {
    if (count_ < capacity_) data_[count_++] = error;
  }
  size_t count() const noexcept { return count_; }

 private:
  double* data_;
  size_t capacity_;
  size_t count_ = 0;
};

// Solvers: f (n) and g (m) hold the start and receive the result.
void sinkhorn(const Problem& problem, const Options& options, double* f, double* g, Report& report,
              History& history, Monitor& monitor);
void sinkhornNewtonSparse(const Problem& problem, const Options& options, double* f, double* g,
                          Report& report, History& history, Monitor& monitor);

// Everything of a double solve that is set up once.
struct Context {
  // `feasible`: no need to look for a plan that avoids forbidden arcs.
  Context(const Problem& problem, unsigned threads, Monitor& monitor, bool feasible = false);
  const Problem& problem;
  Monitor& monitor;
  Team team;
  Geometry<double> geometry;
  Workspace<double> workspace;
  CostRange range;
  double mass;  // sum a
};

// Whether a plan without mass on forbidden arcs (C_ij = +Infinity) exists; throws ERR_INFEASIBLE, naming a
// cut, if not.
void checkFeasible(const Problem& problem, double mass, const Monitor& monitor);

// A full Sinkhorn iteration in the log domain: one pass forms the plan, rescales its rows to a and adds up
// the columns; rows and columns that under- or overflow are rescued by their extreme exponents.
template <class T>
class LogSweep {
 public:
  LogSweep(size_t n, size_t m);
  // Updates f and g; `error` is sum |P1 - a| of the state before. Returns the number of passes.
  int run(Team& team, const Geometry<T>& geometry, Workspace<T>& workspace, const Problem& problem, double* f,
          double* g);

  // Optional: where to keep exp((f + shift + g - C) / epsilon) of the state before. `stored` tells whether it
  // holds.
  void* store = nullptr;
  size_t storePitch = 0;
  bool storeFloat = false;
  bool stored = false;
  // Optional: makes the pass in place of planPass.
  CloudSweep<T>* cloud = nullptr;

  double error = 0;
  double columnError = 0;  // sum |P^T 1 - b| between the two updates
  Aligned<double> shift, rowScale,
      columnScale;  // the update: f += shift + epsilon log rowScale, g += epsilon log columnScale

 private:
  Aligned<double> rowSum_, columnSum_, columnMin_;
};

// Measures the state: marginal error, <C,P>, dual value. One pass.
void measure(Context& context, const double* f, const double* g, Report& report);
// Rounds the plan to the marginals and transforms the potentials: primal and dual bounds of unregularised
// transport.
void certify(Context& context, const double* f, const double* g, Report& report);

}  // namespace extrema::transport
