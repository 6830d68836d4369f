#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/monitor.h"

namespace extrema::linear {

// An order of elimination that keeps the factor of a symmetric pattern sparse: approximate minimum degree on
// the quotient graph (Amestoy, Davis, Duff, SIAM J. Matrix Anal. Appl. 17 (1996), 886-905). order[k] is the
// k-th to go. Rows of very many entries come last.
void minimumDegree(size_t n, const int32_t* indptr, const int32_t* indices, int32_t* order, Monitor& monitor);

}  // namespace extrema::linear
