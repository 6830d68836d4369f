#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "constrained/system.h"
#include "core/monitor.h"

namespace extrema::constrained {

// Projections onto the equations of given blocks of rows: z <- z + Aᵀ_p (A_p Aᵀ_p)⁻¹ (b_p - A_p z), by a
// sparse Cholesky factorization of A_p Aᵀ_p that is made when a block is first drawn, and kept.
class RowBlocks {
 public:
  // Block p has the rows rows[offsets[p]] … rows[offsets[p + 1] - 1].
  RowBlocks(const System& a, const int32_t* offsets, const int32_t* rows, size_t count);
  ~RowBlocks();

  size_t count() const { return count_; }
  size_t sizeOf(size_t p) const { return static_cast<size_t>(offsets_[p + 1] - offsets_[p]); }
  // Throws ERR_SINGULAR where the rows depend on each other. Returns the floating-point operations.
  double project(size_t p, const double* b, double* z, Monitor& monitor);

 private:
  struct Parts;
  double factor(size_t p, Monitor& monitor);

  const System& a_;
  const int32_t *offsets_, *rows_;
  size_t count_;
  std::vector<std::unique_ptr<Parts>> parts_;
  std::vector<double> c_, y_;
};

}  // namespace extrema::constrained
