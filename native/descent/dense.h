#pragma once

#include <cstddef>

namespace extrema::descent {

// H = L Lᵀ into the lower half of `factor`, size × size row-major. Rows of null pivots are taken out (a
// diagonal 0): a consistent system is then solved by a basic solution. Returns the place of a negative pivot,
// or -1; without `semidefinite` a null pivot counts as negative.
ptrdiff_t factorize(double* factor, size_t size, bool semidefinite);
// L z = v and Lᵀ z = v, in place; a row taken out gives 0.
void forward(const double* factor, size_t size, double* v);
void backward(const double* factor, size_t size, double* v);
// The norm of a positive semidefinite matrix from above: to rounding, or its largest row sum for large ones.
// Spoils it. `scratch` holds 2 size numbers.
double normAbove(double* h, size_t size, double* scratch);

}  // namespace extrema::descent
