#include "lowrank/completion/row-sketch.h"

#include <algorithm>
#include <cmath>

#include "linear/hadamard.h"
#include "lowrank/completion/rows.h"
#include "random/philox.h"
#include "random/random.h"

namespace extrema::lowrank {

namespace {

constexpr size_t kPoll = size_t{1} << 12;  // rows between two looks at the monitor
constexpr size_t kNonzeros = 8;            // of a column of the sparse sign sketch
constexpr size_t kColumns = 8;             // that the Hadamard transform takes at once: a row is a cache line
constexpr uint32_t kSelection = 0x40000000;

double rootOf(const RowList& a, size_t e) { return a.weights == nullptr ? 1 : std::sqrt(a.weights[e]); }

const double* rowOf(const RowList& a, size_t e) {
  return a.features + static_cast<size_t>(a.index[e]) * a.pitch;
}

}  // namespace

RowSketch::RowSketch(Sketch kind, size_t rows, size_t longest, const Monitor& monitor)
    : kind_(kind), rows_(rows), monitor_(monitor) {
  if (kind == Sketch::gaussian) normals_ = Aligned<double>(rows);
  if (kind == Sketch::srht && rows > 0) {
    transformed_ = Aligned<double>(dense::powerOfTwo(longest) * kColumns);
    selection_.reserve(rows);
  }
}

void RowSketch::add(const RowList& a, const uint32_t key[2], uint32_t line, uint32_t number, double* out) {
  if (kind_ == Sketch::gaussian) return gaussian(a, key, line, number, out);
  if (kind_ == Sketch::srht) return hadamard(a, key, line, number, out);
  signs(a, key, line, number, out);
}

void RowSketch::gaussian(const RowList& a, const uint32_t key[2], uint32_t line, uint32_t number,
                         double* out) {
  const double scale = 1 / std::sqrt(static_cast<double>(rows_));
  for (size_t e = 0; e < a.count; e++) {
    if (e % kPoll == 0 && monitor_.cancelled()) return;
    const uint32_t counter[4] = {0, line, number, 0x80000000u | static_cast<uint32_t>(e)};
    fillNormal(key, counter, normals_.data(), rows_);
    const double factor = rootOf(a, e) * scale;
    for (size_t i = 0; i < rows_; i++)
      addScaled(factor * normals_[i], rowOf(a, e), out + i * a.pitch, a.pitch);
  }
}

// One nonzero in each of 8 equal ranges of rows, or in one range of all.
void RowSketch::signs(const RowList& a, const uint32_t key[2], uint32_t line, uint32_t number,
                      double* out) const {
  const size_t parts = kind_ == Sketch::countSketch ? 1 : std::min(kNonzeros, rows_);
  const double scale = 1 / std::sqrt(static_cast<double>(parts));
  for (size_t e = 0; e < a.count; e++) {
    if (e % kPoll == 0 && monitor_.cancelled()) return;
    const uint32_t counter[4] = {static_cast<uint32_t>(e), line, number, 0};
    uint32_t block[4];
    philox(key, counter, block);
    const double factor = rootOf(a, e) * scale;
    for (size_t part = 0; part < parts; part++) {
      const uint32_t half = block[part / 2] >> (part % 2 * 16) & 0xffff;
      const size_t from = rows_ * part / parts, to = rows_ * (part + 1) / parts;
      const size_t at = from + ((half >> 1) * (to - from) >> 15);
      addScaled((half & 1) == 0 ? factor : -factor, rowOf(a, e), out + at * a.pitch, a.pitch);
    }
  }
}

// Different rows of H D, D of random signs: Tropp 2011, "Improved analysis of the subsampled randomized
// Hadamard transform" (arXiv 1011.1595), section 1.
void RowSketch::hadamard(const RowList& a, const uint32_t key[2], uint32_t line, uint32_t number,
                         double* out) {
  const size_t length = dense::powerOfTwo(a.count);
  // Each row of H in turn is taken with the probability that as many as are wanted are taken in the end.
  selection_.clear();
  uint32_t block[4] = {};
  for (size_t i = 0; i < length && selection_.size() < rows_; i++) {
    if (i % 4 == 0) {
      const uint32_t counter[4] = {static_cast<uint32_t>(i / 4), line, number, kSelection};
      philox(key, counter, block);
    }
    if (uint64_t{block[i % 4]} * (length - i) < uint64_t{rows_ - selection_.size()} << 32)
      selection_.push_back(i);
  }
  const double scale = 1 / std::sqrt(static_cast<double>(rows_));
  double* x = transformed_.data();
  for (size_t from = 0; from < a.pitch; from += kColumns) {
    for (size_t e = 0; e < a.count; e++) {
      if (e % kPoll == 0 && monitor_.cancelled()) return;
      if (e % 4 == 0) {
        const uint32_t counter[4] = {static_cast<uint32_t>(e / 4), line, number, 0};
        philox(key, counter, block);
      }
      const double factor = (block[e % 4] & 1) == 0 ? rootOf(a, e) : -rootOf(a, e);
      const double* row = rowOf(a, e) + from;
      for (size_t c = 0; c < kColumns; c++) x[e * kColumns + c] = factor * row[c];
    }
    std::fill(x + a.count * kColumns, x + length * kColumns, 0.0);
    dense::hadamard(x, length, kColumns, monitor_);
    for (size_t i = 0; i < rows_; i++)
      addScaled(scale, x + selection_[i] * kColumns, out + i * a.pitch + from, kColumns);
  }
}

}  // namespace extrema::lowrank
