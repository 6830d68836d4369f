#include "descent/forest.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"

namespace extrema::descent {

namespace {
// A pivot at most this part of its diagonal entry is a null one.
constexpr double kNullPivot = 1e-13;
}  // namespace

ForestSolver::ForestSolver(size_t capacity)
    : order_(capacity), parent_(capacity), toParent_(capacity), pivots_(capacity), seen_(capacity) {}

bool ForestSolver::prepare(const SparseBlock& block, size_t size) {
  std::fill_n(seen_.begin(), size, 0);
  trees = 0;
  size_t count = 0;
  for (size_t root = 0; root < size; root++) {
    if (seen_[root]) continue;
    trees++;
    seen_[root] = 1;
    parent_[root] = -1;
    order_[count++] = static_cast<int32_t>(root);
    for (size_t at = count - 1; at < count; at++) {
      const int32_t i = order_[at];
      for (int32_t k = block.indptr[i]; k < block.indptr[i + 1]; k++) {
        const int32_t j = block.indices[k];
        if (j == parent_[i]) {
          toParent_[i] = block.values[k];
        } else if (seen_[j]) {
          fault = static_cast<size_t>(i);
          return false;
        } else {
          seen_[j] = 1;
          parent_[j] = i;
          order_[count++] = j;
        }
      }
    }
  }
  return true;
}

bool ForestSolver::solve(const SparseBlock& block, size_t size, const double* c, double* x,
                         bool semidefinite) {
  for (size_t i = 0; i < size; i++) {
    pivots_[i] = block.diagonal[i];
    x[i] = c[i];
  }
  for (size_t at = size; at-- > 0;) {
    const int32_t i = order_[at], p = parent_[i];
    const double diagonal = block.diagonal[i];
    if (!(pivots_[i] > kNullPivot * diagonal)) {
      // Rounding leaves a null pivot at the root of a singular tree only.
      if (!semidefinite || p >= 0 || pivots_[i] < -1e-6 * diagonal || std::isnan(pivots_[i])) {
        fault = static_cast<size_t>(i);
        return false;
      }
      pivots_[i] = 0;
      continue;
    }
    if (p < 0) continue;
    const double ratio = toParent_[i] / pivots_[i];
    pivots_[p] -= toParent_[i] * ratio;
    x[p] -= ratio * x[i];
  }
  for (size_t at = 0; at < size; at++) {
    const int32_t i = order_[at], p = parent_[i];
    x[i] = pivots_[i] == 0 ? 0 : (p < 0 ? x[i] : x[i] - toParent_[i] * x[p]) / pivots_[i];
  }
  return true;
}

void solveForest(const Matrix& matrix, const double* b, double* x, ForestReport& report, Monitor& monitor) {
  const size_t n = matrix.rows;
  checkSymmetric(matrix, monitor);
  if (monitor.cancelled()) return;
  const Graph graph = graphOf(matrix);
  SparseBlock block(n, graph.indices.size());
  block.indptr = graph.indptr;
  block.indices = graph.indices;
  size_t count = 0;
  for (size_t i = 0; i < n; i++) {
    const auto add = [&](size_t j, double value) {
      if (j == i) {
        block.diagonal[i] = value;
      } else if (value != 0) {
        block.values[count++] = value;
      }
    };
    if (matrix.dense != nullptr) {
      for (size_t j = 0; j < n; j++) add(j, matrix.dense[i * n + j]);
    } else {
      for (int32_t k = matrix.indptr[i]; k < matrix.indptr[i + 1]; k++)
        add(static_cast<size_t>(matrix.indices[k]), matrix.data[k]);
    }
  }
  if (monitor.cancelled()) return;
  ForestSolver solver(n);
  if (!solver.prepare(block, n))
    throw Error("ERR_SHAPE", "A: expected a forest, got a graph with a cycle through node " +
                                 std::to_string(solver.fault));
  if (monitor.cancelled()) return;
  if (!solver.solve(block, n, b, x, false))
    throw Error("ERR_NOT_POSITIVE", "A: expected a positive definite matrix, got a pivot at node " +
                                        std::to_string(solver.fault) + " that is not positive");
  report.trees = static_cast<double>(solver.trees);
  for (size_t i = 0; i < n; i++) {
    double rest = b[i] - block.diagonal[i] * x[i];
    for (int32_t k = block.indptr[i]; k < block.indptr[i + 1]; k++)
      rest -= block.values[k] * x[block.indices[k]];
    report.residual = std::max(report.residual, std::fabs(rest));
  }
}

}  // namespace extrema::descent
