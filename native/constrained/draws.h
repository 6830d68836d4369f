#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "random/random.h"

namespace extrema::constrained {

// The random numbers of sketch k: `words` words of the Philox stream from word k · words on, an even number
// of words or one. Single words come in batches.
class Draws {
 public:
  Draws(const uint32_t* key, size_t words, bool normal)
      : key_(key), words_(words), normal_(normal), values_(words == 1 ? kBatch : words) {}

  // The numbers of sketch k.
  const double* seek(uint64_t k) {
    const uint64_t block = words_ == 1 ? k / kBatch : k;
    if (block != held_) {
      held_ = block;
      const uint64_t at = block * values_.size() / 2;
      const uint32_t counter[4] = {static_cast<uint32_t>(at), static_cast<uint32_t>(at >> 32), 0, 0};
      (normal_ ? fillNormal : fillUniform)(key_, counter, values_.data(), values_.size());
    }
    return values_.data() + (words_ == 1 ? k % kBatch : 0);
  }

 private:
  static constexpr size_t kBatch = 1024;
  const uint32_t* key_;
  size_t words_;
  bool normal_;
  std::vector<double> values_;
  uint64_t held_ = ~uint64_t{0};
};

inline size_t even(size_t n) { return n + n % 2; }

}  // namespace extrema::constrained
