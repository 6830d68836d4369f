#pragma once

#include <cstddef>
#include <cstdint>

#include "core/monitor.h"

namespace extrema::transport {

// Rectangular linear assignment: each node of the shorter side gets one of its own on the other side, at
// least total cost (or greatest, if `maximize`). Infinite costs (-infinite, if `maximize`) forbid an arc.
struct AssignmentProblem {
  size_t n = 0, m = 0;
  const double* cost64 = nullptr;  // row-major, one of the two
  const float* cost32 = nullptr;
  bool maximize = false;
};

struct AssignmentReport {
  bool timeLimit = false;
  double searches = 0;  // shortest augmenting paths
  double primal = 0;    // cost of the assignment, infinite where the time limit left it incomplete
  double dual = 0;      // sum f + sum g
};

// columns[i] is the column of row i, -1 for none; f_i + g_j <= C_ij (>= if `maximize`) prove it optimal, with
// equality where assigned and a zero where a node of the longer side is left out.
// Throws ERR_NOT_FINITE at NaN and at infinities of the wrong sign, ERR_INFEASIBLE if forbidden arcs leave
// none.
void assignment(const AssignmentProblem& problem, int32_t* columns, double* f, double* g,
                AssignmentReport& report, Monitor& monitor);

}  // namespace extrema::transport
