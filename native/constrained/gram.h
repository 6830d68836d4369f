#pragma once

#include <cstddef>
#include <vector>

namespace extrema::constrained {

// Solves G y = c for a positive semidefinite G (its lower triangle is read) and c in its range, by Cholesky's
// method with diagonal pivoting: dependent columns get y = 0, which leaves the step ΓS y that of the
// pseudo-inverse.
class Gram {
 public:
  explicit Gram(size_t size)
      : matrix(size * size), size_(size), factor_(size * size), left_(size), order_(size), work_(size) {}

  // Returns the floating-point operations.
  double solve(const double* c, double* y);

  std::vector<double> matrix;

 private:
  size_t size_;
  std::vector<double> factor_, left_;
  std::vector<size_t> order_;
  std::vector<double> work_;
};

}  // namespace extrema::constrained
