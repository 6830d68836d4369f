#pragma once

#include <cstdint>

namespace extrema {

// Philox4x32-10, a counter-based generator: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel
// random numbers: as easy as 1, 2, 3", SC11, 2011. Word 0 is the least significant in counters and blocks.
// The twin in lib/backend/portable/random/philox.ts gives the same bits.

constexpr uint32_t kPhiloxM0 = 0xD2511F53;
constexpr uint32_t kPhiloxM1 = 0xCD9E8D57;
constexpr uint32_t kPhiloxW0 = 0x9E3779B9;  // golden ratio
constexpr uint32_t kPhiloxW1 = 0xBB67AE85;  // sqrt(3) - 1

// The block of four random words at `counter` under `key`.
inline void philox(const uint32_t key[2], const uint32_t counter[4], uint32_t block[4]) noexcept {
  uint32_t k0 = key[0], k1 = key[1];
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  for (int round = 0; round < 10; round++) {
    const uint64_t product0 = uint64_t{kPhiloxM0} * c0;
    const uint64_t product1 = uint64_t{kPhiloxM1} * c2;
    c0 = static_cast<uint32_t>(product1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(product1);
    c2 = static_cast<uint32_t>(product0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(product0);
    k0 += kPhiloxW0;
    k1 += kPhiloxW1;
  }
  block[0] = c0;
  block[1] = c1;
  block[2] = c2;
  block[3] = c3;
}

// counter += blocks, modulo 2^128.
inline void advance(uint32_t counter[4], uint64_t blocks) noexcept {
  const uint64_t low = counter[0] | uint64_t{counter[1]} << 32;
  const uint64_t sum = low + blocks;
  counter[0] = static_cast<uint32_t>(sum);
  counter[1] = static_cast<uint32_t>(sum >> 32);
  if (sum < low && ++counter[2] == 0) ++counter[3];
}

}  // namespace extrema
