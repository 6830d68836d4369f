#pragma once

#include <cstddef>
#include <cstdint>

namespace extrema {

// Fills from a counter-based stream. Element i comes from 64 bits of the Philox block at `counter + i / 2`
// under `key`: words 1 and 0 for even i, 3 and 2 for odd i, high word first. So any cut of a range, over any
// number of threads, gives the same numbers: a part that begins at an even i starts at the counter advanced
// by i / 2. The instruction set does not matter either.

// Multiples of 2^-53 in [0, 1), from the upper 53 bits.
void fillUniform(const uint32_t key[2], const uint32_t counter[4], double* out, size_t n);

// Standard normals, by inversion of all 64 bits.
void fillNormal(const uint32_t key[2], const uint32_t counter[4], double* out, size_t n);

}  // namespace extrema
