#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/aligned.h"
#include "core/monitor.h"

namespace extrema::lowrank {

// In the order of lib/backend/completion.ts.
enum class Sketch { sparseSign, countSketch, gaussian, srht };

// The matrix A of a regression: `count` rows of `features`, each times the root of its weight.
struct RowList {
  const double* features = nullptr;  // rows of `pitch` numbers, zero beyond the rank
  size_t pitch = 0;
  const int32_t* index = nullptr;
  const double* weights = nullptr;  // null: 1
  size_t count = 0;
};

// Random matrices S of few rows with E Sᵀ S = I, to be applied to the rows of a regression. `key`, `line`
// and `number` say which.
class RowSketch {
 public:
  // For regressions of up to `longest` rows.
  RowSketch(Sketch kind, size_t rows, size_t longest, const Monitor& monitor);

  // out (rows × pitch) += S A. Left unfinished when cancelled.
  void add(const RowList& a, const uint32_t key[2], uint32_t line, uint32_t number, double* out);

 private:
  void gaussian(const RowList& a, const uint32_t key[2], uint32_t line, uint32_t number, double* out);
  void signs(const RowList& a, const uint32_t key[2], uint32_t line, uint32_t number, double* out) const;
  void hadamard(const RowList& a, const uint32_t key[2], uint32_t line, uint32_t number, double* out);

  Sketch kind_;
  size_t rows_;
  const Monitor& monitor_;
  Aligned<double> normals_, transformed_;
  std::vector<size_t> selection_;
};

}  // namespace extrema::lowrank
