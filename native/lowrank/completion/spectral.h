#pragma once

#include "core/team.h"
#include "lowrank/completion/observations.h"

namespace extrema::lowrank {

// The greatest `rank` singular values and vectors of the sparse matrix with the entries weight · (value -
// mean), or 1 at every entry if `ones`, by a randomized block Krylov space.
struct Spectral {
  const Lines *rows, *columns;
  double mean;
  bool ones;
  size_t rank;
  const uint32_t* key;
  // Results: left (rows × rank) orthonormal, product = Aᵀ left, singular values descending.
  Aligned<double> left, product, values;
};
void spectralStart(Spectral& spectral, Team& team);

}  // namespace extrema::lowrank
