#pragma once

#include <memory>
#include <vector>

#include "descent/model.h"

namespace extrema::descent {

// Compressed rows whose off-diagonal entries that are not 0 are the edges of a forest.
struct ForestRows {
  const int32_t *indptr, *indices;
  const double* values;
  // Null if it is among the entries.
  const double* diagonal = nullptr;
  // Whether the two entries of an edge are known to be the same.
  bool symmetric = true;

  explicit ForestRows(const SparseBlock& block)
      : indptr(block.indptr.data()),
        indices(block.indices.data()),
        values(block.values.data()),
        diagonal(block.diagonal.data()) {}
  explicit ForestRows(const Matrix& matrix)
      : indptr(matrix.indptr), indices(matrix.indices), values(matrix.data), symmetric(false) {}
};

enum class ForestFault { none, cycle, pivot, asymmetry };

// Solves A x = c where the off-diagonal entries of A are the edges of a forest, by messages from the leaves
// to the roots and back: P_i = A_ii - Σ A_ij² / P_j and μ_i = c_i - Σ A_ij μ_j / P_j over the children j, x_i
// = (μ_i - A_ip x_p) / P_i with the parent p.
//
// No tree is ever built: a node with one neighbour left is a leaf, its parent is what is left of the
// exclusive or of its neighbours, and taking it off may make a leaf of the parent. Nodes go in the order of
// their numbers where that is possible, so that memory is passed through from one end to the other.
class ForestSolver {
 public:
  explicit ForestSolver(size_t capacity)
      : degree_(new int32_t[capacity]),
        link_(new int32_t[capacity]),
        order_(new int32_t[capacity]),
        toParent_(new double[capacity]),
        pivots_(new double[capacity]) {}
  // x may be c. Stretches of nodes first, each on its own, then what is left between them.
  ForestFault solve(const ForestRows& rows, size_t size, const double* c, double* x, bool semidefinite,
                    Team& team);

  // Where the graph has a cycle, the matrix a pivot that is not positive, or an entry with another opposite.
  size_t fault = 0;
  size_t trees = 0;

 private:
  // The nodes that were taken off, in that order, and the entries to their parents.
  struct Part {
    int32_t* order = nullptr;
    double* toParent = nullptr;
    size_t count = 0, fault = 0;
    ForestFault kind = ForestFault::none;
  };
  void load(size_t i, const ForestRows& rows, const double* c, double* x);
  // All of these end early, in any state, where the result is not wanted any more.
  void peel(Part& part, size_t first, size_t last, const ForestRows& rows, double* x, const Monitor& monitor);
  void substitute(const Part& part, double* x, const Monitor& monitor) const;
  bool solveRoots(size_t size, const ForestRows& rows, double* x, bool semidefinite, const Monitor& monitor);
  size_t nodeOnCycle(size_t size, const ForestRows& rows, const Monitor& monitor) const;

  // Never read before it is written, so never zeroed: that would be another pass through memory.
  std::unique_ptr<int32_t[]> degree_, link_, order_;
  std::unique_ptr<double[]> toParent_, pivots_;
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
