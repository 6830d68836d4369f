#pragma once

#include <cstddef>
#include <cstdint>

namespace extrema::dense {

// Adds each of `rows` rows of a (`width` numbers, pitch) to `count` rows of out, or subtracts it: the target
// t of row i is targets[i count + t], complemented to subtract.
void scatterRows(const double* a, size_t pitch, size_t rows, size_t width, const int32_t* targets,
                 size_t count, double* out, size_t outPitch);
// (x, y) <- (x + y, x - y) for so many pairs of numbers.
void butterfly(double* x, double* y, size_t count);

}  // namespace extrema::dense
