#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "core/team.h"
#include "descent/forest.h"

namespace extrema::descent {

namespace {

constexpr size_t kStretch = 1 << 14;

SparseBlock sparseOf(const Matrix& matrix) {
  const Graph graph = graphOf(matrix);
  const size_t n = matrix.rows;
  SparseBlock block(n, graph.indices.size());
  block.indptr = graph.indptr;
  block.indices = graph.indices;
  for (size_t i = 0; i < n; i++) {
    block.diagonal[i] = matrix.dense[i * n + i];
    for (int32_t k = block.indptr[i]; k < block.indptr[i + 1]; k++)
      block.values[k] = matrix.dense[i * n + static_cast<size_t>(block.indices[k])];
  }
  return block;
}

double largestResidual(const ForestRows& rows, size_t n, const double* b, const double* x, Team& team) {
  const size_t stretches = (n + kStretch - 1) / kStretch;
  std::vector<double> worst(stretches);
  team.run(static_cast<uint32_t>(stretches), [&](uint32_t s, unsigned) {
    for (size_t i = s * kStretch; i < std::min(n, (s + 1) * kStretch); i++) {
      double rest = rows.diagonal != nullptr ? b[i] - rows.diagonal[i] * x[i] : b[i];
      for (int32_t k = rows.indptr[i]; k < rows.indptr[i + 1]; k++)
        rest -= rows.values[k] * x[rows.indices[k]];
      worst[s] = std::max(worst[s], std::fabs(rest));
    }
  });
  return *std::max_element(worst.begin(), worst.end());
}

}  // namespace

void solveForest(const Matrix& matrix, const double* b, double* x, unsigned threads, ForestReport& report,
                 Monitor& monitor) {
  const size_t n = matrix.rows;
  Team team(threads, monitor);
  SparseBlock block;
  if (matrix.dense != nullptr) {
    checkSymmetric(matrix, monitor);
    if (monitor.cancelled()) return;
    block = sparseOf(matrix);
  }
  const ForestRows rows = matrix.dense != nullptr ? ForestRows(block) : ForestRows(matrix);
  ForestSolver solver(n);
  const ForestFault kind = solver.solve(rows, n, b, x, false, team);
  if (monitor.cancelled()) return;
  if (kind != ForestFault::none) checkSymmetric(matrix, monitor);
  if (kind == ForestFault::cycle)
    throw Error("ERR_SHAPE", "A: expected a forest, got a graph with a cycle through node " +
                                 std::to_string(solver.fault));
  if (kind == ForestFault::pivot)
    throw Error("ERR_NOT_POSITIVE", "A: expected a positive definite matrix, got a pivot at node " +
                                        std::to_string(solver.fault) + " that is not positive");
  report.trees = static_cast<double>(solver.trees);
  report.residual = largestResidual(rows, n, b, x, team);
}

}  // namespace extrema::descent
