#pragma once

#include <cstddef>
#include <cstdint>

#include "core/monitor.h"

namespace extrema::descent {

// In the order of the lists in lib/backend/descent.ts.
enum class Loss { leastSquares, logistic, softmax, quadratic };
enum class Partition {
  variable,
  order,
  sort,
  average,
  sortRowSums,
  averageRowSums,
  redBlack,
  colouring,
  combs,
  forests,
  given
};
enum class Selection {
  random,
  cyclic,
  permutation,
  lipschitz,
  gs,
  gsl,
  gsd,
  gsq,
  iht,
  gsn,
  mi,
  gsTree,
  gslTree,
  randomTree
};
enum class Update { gradient, lipschitzApproximation, matrix, newton, exact, twoMetric, messagePassing };
// As `statuses` in lib/core/solution.ts.
enum class Ended { converged, iterationLimit, timeLimit, stalled };

inline bool isTree(Selection s) { return s >= Selection::gsTree; }
inline bool isGreedy(Selection s) { return s >= Selection::gs && s != Selection::randomTree; }

// Dense row-major, or compressed rows.
struct Matrix {
  size_t rows = 0, columns = 0;
  const double* dense = nullptr;
  const int32_t *indptr = nullptr, *indices = nullptr;
  const double* data = nullptr;
};

struct Problem {
  Loss loss = Loss::leastSquares;
  Matrix matrix;
  size_t classes = 1;
  const double* target = nullptr;
  double l2 = 0;
  const double *l1 = nullptr, *lower = nullptr, *upper = nullptr;
};

struct Rules {
  Partition partition = Partition::variable;
  Selection selection = Selection::gsd;
  Update update = Update::matrix;
  size_t blockSize = 5;
  bool rowSums = false, workingSet = false;
  double cubic = 0;
  size_t latticeRows = 0, latticeColumns = 0;
  const int32_t *givenStart = nullptr, *givenIndices = nullptr;
  size_t givenBlocks = 0;
  double tolerance = 1e-6, maxIterations = 0;
  uint32_t seed[2] = {0, 0};
  unsigned threads = 1;
};

struct Outputs {
  double* x = nullptr;
  int32_t *visits = nullptr, *blockOf = nullptr;
  double* values = nullptr;
  int32_t *sizes = nullptr, *selected = nullptr;
};

struct Report {
  Ended ended = Ended::iterationLimit;
  double iterations = 0, residual = 0, value = 0, identified = 0, complementarity = 0, epochs = 0, blocks = 0,
         scale = 1;
};

void solve(const Problem& problem, const Rules& rules, const Outputs& out, Report& report, Monitor& monitor);

struct ForestReport {
  double trees = 0, residual = 0;
};
// Solves matrix x = b, whose off-diagonal entries are the edges of a forest.
void solveForest(const Matrix& matrix, const double* b, double* x, unsigned threads, ForestReport& report,
                 Monitor& monitor);

}  // namespace extrema::descent
