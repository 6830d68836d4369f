#pragma once

#include "transport/column-oracle.h"
#include "transport/solve.h"

namespace extrema::transport {

enum class SparsityMethod : int { lbfgs = 0, adam = 1, stochastic = 2 };
enum class Continuation : int { smoothing = 0, halving = 1, none = 2 };

struct SparsityOptions {
  bool byRows = false;
  size_t maxNonzeros = 1;
  double gamma = 0;  // 0: the range of the cost over the mass
  bool entropy = false;
  bool dual = false;
  SparsityMethod method = SparsityMethod::lbfgs;
  Continuation continuation = Continuation::smoothing;
  double tolerance = 1e-9;
  double maxIterations = 500;  // of each stage
  double learningRate = 0;     // in ranges of the cost
  size_t batchSize = 1;
  uint32_t seed[2] = {0, 0};
  unsigned threads = 1;
};

struct SparsityReport {
  Status status = Status::iterationLimit;
  double iterations = 0;
  double passes = 0;  // over all n × m entries, the final measurement not counted
  double stages = 0;
  double gamma = 0;
  double value = 0;  // <C, P>
  double primal = 0, dual = 0;
  double rowError = 0, columnError = 0;  // L1, over the mass
  double tied = 0;                       // columns with ties
};

struct SparsityResult {
  double *f, *g;      // start and result
  int32_t* nonzeros;  // by column
  int32_t* ties;      // by column: entries beyond the plan that are as good as its last
  double* cut;        // by column: the plan and its ties are above
  double* stages;     // maxNonzeros, rho / gamma, dual value, iterations of each stage
  size_t mostStages;
};
constexpr size_t kStageFields = 4;

// Sparsity-constrained transport (Liu, Puigcerver, Blondel 2023).
void sparsityConstrained(const Problem& problem, const SparsityOptions& options, const SparsityResult& result,
                         SparsityReport& report, Monitor& monitor);

// The plan of the potentials x and its ties, into the result and the report: what `readSparsityPlan` reads
// off again.
void measureSparsityPlan(const SparsityOptions& options, ColumnOracle& oracle, const ColumnTerms& terms,
                         const Aligned<double>& x, const SparsityResult& result, SparsityReport& report);

// Reads the plan off the result, column by column, by ascending index; with ties also those, with value 0.
// start holds where each column begins, from its counts.
void readSparsityPlan(const Problem& problem, const SparsityOptions& options, const double* f,
                      const double* g, const double* cut, bool withTies, const int32_t* start, int32_t* index,
                      double* data, double* costs, Monitor& monitor);

// u^T C v for u, v >= 0: Infinity where that takes a forbidden arc.
double costProduct(const Problem& problem, unsigned threads, const double* u, const double* v,
                   Monitor& monitor);

}  // namespace extrema::transport
