#pragma once

#include <cstddef>
#include <cstdint>

#include "random/philox.h"
#include "random/random.h"

namespace extrema::transport::bridge {

// A stream of random numbers, as in random/random.h.
struct Stream {
  uint32_t key[2], counter[4];

  // The numbers from `first`, which is even, on.
  void uniform(uint64_t first, double* out, size_t count) const { fill(fillUniform, first, out, count); }
  void normal(uint64_t first, double* out, size_t count) const { fill(fillNormal, first, out, count); }

 private:
  template <class Fill>
  void fill(Fill kernel, uint64_t first, double* out, size_t count) const {
    uint32_t at[4] = {counter[0], counter[1], counter[2], counter[3]};
    advance(at, first / 2);
    kernel(key, at, out, count);
  }
};

}  // namespace extrema::transport::bridge
