#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "random/philox.h"

namespace extrema::descent {

// One uniform number after another: the first word of block 0, 1, … under the seed.
class Stream {
 public:
  explicit Stream(const uint32_t seed[2]) : key_{seed[0], seed[1]} {}

  // In [0, 1): a multiple of 2^-53.
  double uniform() {
    const uint32_t counter[4] = {count_++, 0, 0, 0};
    uint32_t block[4];
    philox(key_, counter, block);
    const uint64_t word = uint64_t{block[1]} << 32 | block[0];
    return static_cast<double>(word >> 11) * 0x1p-53;
  }
  size_t below(size_t range) { return static_cast<size_t>(uniform() * static_cast<double>(range)); }
  // Shuffles the first `count` places, drawing them from all `length`.
  void shuffle(int32_t* items, size_t count, size_t length) {
    for (size_t i = 0; i < count; i++) std::swap(items[i], items[i + below(length - i)]);
  }

 private:
  uint32_t key_[2], count_ = 0;
};

// Draws indices with probability in proportion to their weights, without putting them back: a tree of partial
// sums.
class Urn {
 public:
  explicit Urn(const std::vector<double>& weights) : weights_(weights) {
    while (half_ < weights.size()) half_ *= 2;
    sums_.resize(2 * half_);
    for (size_t i = 0; i < weights.size(); i++) sums_[half_ + i] = weights[i];
    for (size_t k = half_ - 1; k > 0; k--) sums_[k] = sums_[2 * k] + sums_[2 * k + 1];
  }

  // An index, which stays away until it is put back; -1 if nothing is left.
  int32_t draw(double uniform) {
    if (!(sums_[1] > 0)) return -1;
    double rest = uniform * sums_[1];
    size_t k = 1;
    while (k < half_) {
      k *= 2;
      // Never into a half without weight, whatever rounding says.
      if (sums_[k + 1] > 0 && (rest >= sums_[k] || !(sums_[k] > 0))) {
        rest -= sums_[k];
        k++;
      }
    }
    set(k - half_, 0);
    return static_cast<int32_t>(k - half_);
  }
  void putBack(size_t index) { set(index, weights_[index]); }

 private:
  void set(size_t index, double weight) {
    size_t k = half_ + index;
    sums_[k] = weight;
    for (k /= 2; k > 0; k /= 2) sums_[k] = sums_[2 * k] + sums_[2 * k + 1];
  }
  const std::vector<double>& weights_;
  size_t half_ = 1;
  std::vector<double> sums_;
};

}  // namespace extrema::descent
