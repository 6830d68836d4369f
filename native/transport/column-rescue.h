#pragma once

#include "transport/passes.h"

namespace extrema::transport {

// Columns whose sum has under- or overflown start from their extreme exponent: g_j = min_i (C_ij - f_i) for
// those that `needs` it; then all sums are formed again. Returns the passes it took, none if no column needed
// it.
template <class T, class Needs>
int rescueColumns(Team& team, const Geometry<T>& geometry, Workspace<T>& workspace, double epsilon,
                  const double* f, double* g, double* columnSum, double* columnMin, Needs needs) {
  const size_t m = geometry.m;
  size_t first = 0;
  while (first < m && !needs(first)) first++;
  if (first == m) return 0;
  TransformPass transform;
  transform.f = f;
  transform.columnMin = columnMin;
  transformPass(team, geometry, workspace, transform);
  for (size_t j = first; j < m; j++) {
    if (needs(j)) g[j] = columnMin[j];
  }
  PlanPass again;
  again.epsilon = epsilon;
  again.f = f;
  again.g = g;
  again.columnSum = columnSum;
  planPass(team, geometry, workspace, again);
  return 2;
}

}  // namespace extrema::transport
