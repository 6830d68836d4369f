#pragma once

#include <cstddef>
#include <cstdint>

#include "core/monitor.h"

namespace extrema::lowrank {

// Columns whose scores are computed together, and the most lanes of a vector of scores. 4 rows and 3 vectors
// at a time keep 16 registers busy.
constexpr size_t kPanel = 48, kMostLanes = 16;

// The k best columns for each of some rows by u·v + bias of the column, best first.
struct TopK {
  const double *u = nullptr, *v = nullptr, *columnBias = nullptr;  // m × rank, n × rank, n or null
  size_t n = 0, rank = 0, k = 0, count = 0;
  const int32_t* rows = nullptr;  // count
  // Columns to leave out of the list of rows[i]: indices[indptr[i] … indptr[i + 1]]; null: none.
  const int32_t *indptr = nullptr, *indices = nullptr;
  unsigned threads = 1;
  bool productsOnly = false;  // without the selection: what benchmarks hold it against
  // count × k: columns, -1 where there are not so many; their scores, -Infinity there.
  int32_t* columns = nullptr;
  double* scores = nullptr;
};
void topK(const TopK& problem, Monitor& monitor);

}  // namespace extrema::lowrank
