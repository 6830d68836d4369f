#pragma once

#include "transport/pricing.h"

namespace extrema::transport {

// Unregularised transport: min <C,P> over P >= 0 with row sums a and column sums b, all of them positive. The
// arcs of a border, as partial transport has it, cost nothing.
struct ExactProblem {
  Problem cost;         // without `arcs` its matrix or points, always its sizes and weights
  const ArcList* arcs;  // or null
};

struct ExactOptions {
  double tolerance = 0;      // on the residual: 0 goes on until no arc is violated
  double maxIterations = 0;  // pivots
  unsigned threads = 1;
  bool warm = false;  // g is a start
};

enum class ExactStatus : int {
  converged = 0,
  iterationLimit = 1,
  timeLimit = 2,
  stalled = 3,
  infeasible = 4
};

struct ExactReport {
  ExactStatus status = ExactStatus::converged;
  double iterations = 0;  // pivots
  double rounds = 0;      // of pricing all arcs
  double entries = 0;     // of the plan
  double marginalError = 0;
  double value = 0;  // <C, P>
  // dual <= OT <= primal
  double primal = 0, dual = 0;
  double residual = 0;  // primal - dual over the sum of the sizes of their terms
};

// n + m - 1 entries.
struct ExactPlan {
  int32_t* row;
  int32_t* column;
  double* mass;
};

// f (n) and g (m) hold the start and receive dual feasible potentials; if the problem is infeasible, 1 at the
// nodes of a violated cut (rows whose supply exceeds what the columns that they reach can take) and 0
// elsewhere.
void networkSimplex(const ExactProblem& problem, const ExactOptions& options, double* f, double* g,
                    const ExactPlan& plan, ExactReport& report, Monitor& monitor);

// A plan that is meant to cost little: arcs in the order of their reduced costs, each taking what it can;
// those without reduced cost in an order that leaves no node behind if they form a tree. The arcs used are a
// forest. `left` (n + m): what is left of supplies and demands.
struct Shipment;
void greedyStart(const Arcs& arcs, const double* f, const double* g, const double* a, size_t n,
                 const double* b, size_t m, std::vector<Shipment>& shipments, double* left);

}  // namespace extrema::transport
