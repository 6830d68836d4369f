#pragma once

#include <cstdint>
#include <vector>

#include "core/aligned.h"
#include "core/monitor.h"

namespace extrema::lowrank {

// Numbers in either precision.
struct Numbers {
  const double* as64 = nullptr;
  const float* as32 = nullptr;
  bool given() const { return as64 != nullptr || as32 != nullptr; }
  double at(size_t k) const { return as64 != nullptr ? as64[k] : double{as32[k]}; }
};

// Observed entries as they came: triplets, or CSR where `rows` is null.
struct Entries {
  const char* name = "";  // in messages
  size_t m = 0, n = 0, count = 0;
  const int32_t *rows = nullptr, *indptr = nullptr, *columns = nullptr;
  Numbers values, weights;
  bool counts = false;  // values are counts of implicit feedback: none may be negative
};

// The same by rows or by columns: line i has the entries from start[i] to start[i + 1], with ascending
// indices.
struct Lines {
  size_t count = 0, across = 0, longest = 0;
  std::vector<size_t> start;
  Aligned<int32_t> index;
  Aligned<double> values64, weights;  // weights are empty where all are 1
  Aligned<float> values32;
  std::vector<size_t>
      chunks;  // first line of each chunk, and the end: chunks have about equally many entries

  size_t entries() const { return start.empty() ? 0 : start.back(); }
  double value(size_t k) const { return values32.empty() ? values64[k] : double{values32[k]}; }
  double weight(size_t k) const { return weights.empty() ? 1 : weights[k]; }
  uint32_t chunkCount() const { return static_cast<uint32_t>(chunks.size()) - 1; }
  void cut();  // finds `chunks` and `longest`
};

// Checks the entries, and orders them both ways. Entries of weight 0, and counts of 0, are left out. Throws
// ERR_SHAPE at an index out of range or an entry that comes twice, ERR_NOT_FINITE and ERR_OPTION at a value
// or weight.
void arrange(const Entries& entries, Lines& rows, Lines& columns, const Monitor& monitor);
// The check alone.
void checkEntries(const Entries& entries, const Monitor& monitor);

}  // namespace extrema::lowrank
