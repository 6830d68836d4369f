#pragma once

#include <vector>

#include "descent/model.h"

namespace extrema::descent {

// Solves A x = c where the off-diagonal entries of A are the edges of a forest, by messages from the leaves
// to the roots and back: P_i = A_ii - Σ A_ij² / P_j and μ_i = c_i - Σ A_ij μ_j / P_j over the children j, x_i
// = (μ_i - A_ip x_p) / P_i with the parent p.
class ForestSolver {
 public:
  explicit ForestSolver(size_t capacity);
  // Roots every tree at its first place. False if there is a cycle, then through `fault`.
  bool prepare(const SparseBlock& block, size_t size);
  // After `prepare`. x may be c. False if a pivot is not positive, then that of `fault`.
  bool solve(const SparseBlock& block, size_t size, const double* c, double* x, bool semidefinite);

  size_t fault = 0, trees = 0;

 private:
  std::vector<int32_t> order_, parent_;
  std::vector<double> toParent_, pivots_;
  std::vector<char> seen_;
};

// Disjoint sets, with path halving.
class UnionFind {
 public:
  explicit UnionFind(size_t n) : up_(n) { clear(); }
  void clear() {
    for (size_t i = 0; i < up_.size(); i++) up_[i] = static_cast<int32_t>(i);
  }
  int32_t find(int32_t i) {
    while (up_[i] != i) {
      up_[i] = up_[up_[i]];
      i = up_[i];
    }
    return i;
  }
  // The sets of roots a and b become one.
  void unite(int32_t a, int32_t b) { up_[b] = a; }

 private:
  std::vector<int32_t> up_;
};

}  // namespace extrema::descent
