#pragma once

#include "core/team.h"

namespace extrema::dense {

// What LAPACK's dlaed1 does, by a team: the eigenpairs of a tridiagonal matrix of n rows from those of its
// first `cut` rows and of the rest, which were torn apart by rho. d: eigenvalues; q: eigenvectors
// (column-major, pitch); order: 1-based, d in ascending order, of each half at first. Returns LAPACK's info.
int mergeEigen(Team& team, size_t n, size_t cut, double rho, double* d, double* q, size_t pitch, int* order);

}  // namespace extrema::dense
