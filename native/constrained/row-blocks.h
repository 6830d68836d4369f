#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "constrained/system.h"
#include "core/monitor.h"
#include "linear/sparse-cholesky.h"

namespace extrema::constrained {

// Blocks of rows, with a sparse factor of A_p Aᵀ_p for each. Block p has the rows rows[offsets[p]] …
// rows[offsets[p + 1] - 1].
struct FactoredBlocks {
  const int32_t *offsets = nullptr, *rows = nullptr;
  std::vector<linear::Factor> factors;

  size_t count() const { return factors.size(); }
  size_t sizeOf(size_t p) const { return static_cast<size_t>(offsets[p + 1] - offsets[p]); }
};

// Projections onto the equations of a block: z <- z + Aᵀ_p (A_p Aᵀ_p)⁻¹ (b_p - A_p z).
class RowBlocks {
 public:
  RowBlocks(const System& a, const FactoredBlocks& blocks);

  // Returns the floating-point operations.
  double project(size_t p, const double* b, double* z, Monitor& monitor);

 private:
  const System& a_;
  const FactoredBlocks& blocks_;
  std::vector<double> c_, y_;
};

}  // namespace extrema::constrained
