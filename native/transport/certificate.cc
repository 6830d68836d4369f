#include <cmath>

#include "transport/solve.h"

namespace extrema::transport {

namespace {

double dot(const double* x, const double* y, size_t count) {
  Aligned<double> products(count);
  for (size_t i = 0; i < count; i++) products[i] = x[i] * y[i];
  return sum(products.data(), count);
}

double distance(const double* x, const double* y, size_t count) {
  Aligned<double> differences(count);
  for (size_t i = 0; i < count; i++) differences[i] = std::fabs(x[i] - y[i]);
  return sum(differences.data(), count);
}

}  // namespace

void measure(Context& context, const double* f, const double* g, Report& report) {
  const Problem& problem = context.problem;
  const size_t n = problem.n, m = problem.m;
  Aligned<double> rowSum(n), rowCost(n), columnSum(m);
  PlanPass pass;
  pass.epsilon = problem.epsilon;
  pass.f = f;
  pass.g = g;
  pass.rowSum = rowSum.data();
  pass.rowCost = rowCost.data();
  pass.columnSum = columnSum.data();
  planPass(context.team, context.geometry, context.workspace, pass);
  report.marginalError =
      (distance(rowSum.data(), problem.a, n) + distance(columnSum.data(), problem.b, m)) / context.mass;
  report.value = sum(rowCost.data(), n);
  report.regularizedValue =
      dot(problem.a, f, n) + dot(problem.b, g, m) - problem.epsilon * sum(rowSum.data(), n);
}

// Altschuler, Weed, Rigollet 2017 (Algorithm 2) for the primal side; two c-transforms for the dual one.
void certify(Context& context, const double* f, const double* g, Report& report) {
  const Problem& problem = context.problem;
  const size_t n = problem.n, m = problem.m;
  Aligned<double> x(n), y(m), columnSum(m), rowSum(n), rowCost(n);

  PlanPass rows;  // P <- diag(min(1, a / P1)) P
  rows.epsilon = problem.epsilon;
  rows.f = f;
  rows.g = g;
  rows.scaling = Scaling::capped;
  rows.a = problem.a;
  rows.scale = x.data();
  rows.columnSum = columnSum.data();
  planPass(context.team, context.geometry, context.workspace, rows);
  for (size_t j = 0; j < m; j++) y[j] = columnSum[j] > problem.b[j] ? problem.b[j] / columnSum[j] : 1;

  PlanPass columns;  // P <- P diag(min(1, b / P^T 1))
  columns.epsilon = problem.epsilon;
  columns.f = f;
  columns.g = g;
  columns.columnWeight = y.data();
  columns.rowSum = rowSum.data();
  columns.rowCost = rowCost.data();
  planPass(context.team, context.geometry, context.workspace, columns);
  double missing = 0;
  for (size_t i = 0; i < n; i++) {
    rowCost[i] *= x[i];
    x[i] = std::max(0.0, problem.a[i] - x[i] * rowSum[i]);
    missing += x[i];
  }
  for (size_t j = 0; j < m; j++) y[j] = std::max(0.0, problem.b[j] - y[j] * columnSum[j]);
  double primal = sum(rowCost.data(), n);

  TransformPass columnTransform;  // g_j <- min_i (C_ij - f_i)
  Aligned<double> dualG(m), dualF(n);
  columnTransform.f = f;
  columnTransform.columnMin = dualG.data();
  transformPass(context.team, context.geometry, context.workspace, columnTransform);

  TransformPass
      rowTransform;  // f_i <- min_j (C_ij - g_j), and the cost of the rank-one correction err_a err_b^T
  rowTransform.g = dualG.data();
  rowTransform.rowMin = dualF.data();
  rowTransform.columnWeight = y.data();
  rowTransform.rowCost = rowCost.data();
  transformPass(context.team, context.geometry, context.workspace, rowTransform);
  if (missing > 0) {
    for (size_t i = 0; i < n; i++) rowCost[i] = x[i] == 0 ? 0 : rowCost[i] * (x[i] / missing);
    primal += sum(rowCost.data(), n);
  }
  report.primal = primal;
  report.dual = dot(problem.a, dualF.data(), n) + dot(problem.b, dualG.data(), m);
}

}  // namespace extrema::transport
