#include "constrained/row-blocks.h"

#include <algorithm>

namespace extrema::constrained {

RowBlocks::RowBlocks(const System& a, const FactoredBlocks& blocks) : a_(a), blocks_(blocks) {
  size_t most = 0;
  for (size_t p = 0; p < blocks.count(); p++) most = std::max(most, blocks.sizeOf(p));
  c_.resize(most);
  y_.resize(most);
}

double RowBlocks::project(size_t p, const double* b, double* z, Monitor& monitor) {
  const size_t n = blocks_.sizeOf(p);
  const int32_t* rows = blocks_.rows + blocks_.offsets[p];
  const linear::Factor& factor = blocks_.factors[p];
  double flops = 0;
  for (size_t i = 0; i < n; i++) {
    const auto row = static_cast<size_t>(rows[i]);
    c_[i] = b[row] - a_.dot(row, z);
    flops += 4 * static_cast<double>(a_.end(row) - a_.begin(row));
  }
  linear::solveFactor(factor, c_.data(), y_.data(), 1, monitor);
  for (size_t i = 0; i < n; i++) a_.add(static_cast<size_t>(rows[i]), y_[i], z);
  return flops + 4 * static_cast<double>(factor.indptr[n]);
}

}  // namespace extrema::constrained
