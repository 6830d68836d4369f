#pragma once

#include <cstddef>
#include <vector>

#include "core/monitor.h"

namespace extrema::constrained {

// P A Pᵀ = Uᵀ D U of a dense symmetric matrix with blocks of 1 and 2 in D (Bunch, Kaufman 1977).
class BunchKaufman {
 public:
  // The upper triangle of a counts.
  BunchKaufman(const double* a, size_t n) : n_(n), a_(a, a + n * n), partner_(n), width_(n) {}

  void factor(Monitor& monitor);
  // x <- A⁻¹ x; false where a pivot is 0.
  bool solve(double* x) const;

  double positive = 0, negative = 0, replaced = 0;
  double flops = 0;

 private:
  size_t choose(size_t k, size_t& row) const;
  void swap(size_t k, size_t p, size_t q);

  size_t n_;
  std::vector<double> a_;
  std::vector<size_t> partner_;  // row that changed places with the pivot's last row
  std::vector<unsigned char> width_;
};

}  // namespace extrema::constrained
