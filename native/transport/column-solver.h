#pragma once

#include "core/aligned.h"
#include "transport/columns.h"

namespace extrema::transport {

// What a column's plan maximises besides s·t.
struct ColumnTerms {
  size_t maxNonzeros = 0;
  double gamma = 1;
  // 0 for (gamma/2) |t|² on at most k entries. Otherwise its smooth relaxation
  // ((gamma - rho)/2) |t|²_k + (rho/2) |t|² with the k-support norm |t|_k, which is the same wherever t has
  // no more than k entries.
  double rho = 0;
  // gamma sum t (log t - 1) on at most k entries.
  bool entropy = false;
  // The plan adds up to what the potential makes it; otherwise to the mass of the column, and the potential
  // follows.
  bool dual = false;
};

// The plan t of one column: the maximiser of s·t - R(t) over t >= 0 with at most k entries, equations (7) and
// (8) of the paper. It works on candidates, a part of the column that holds all entries of the plan if they
// are above `cut`.
class ColumnSolver {
 public:
  explicit ColumnSolver(size_t length) : plan(length) {}

  ColumnTerms terms;
  Aligned<double> plan;  // after `solve`, s and index of its entries are the first of the candidates
  size_t count = 0;
  double cut = 0;  // what is at or below has no part in the plan, unless it was a candidate
  double potential = 0;
  double value = 0;  // max s·t - R(t)
  double mass = 0;   // sum t

  void solve(Candidates candidates, double columnMass, double columnPotential);

 private:
  void quadratic(Candidates c, double columnMass);
  void shared(Candidates c, double largest, double highest, double columnMass);
  void entropic(Candidates c, double columnMass);
};

// Moves the k largest candidates to the front, in any order; of equal ones those with the lowest index.
void selectLargest(Candidates c, size_t k);

}  // namespace extrema::transport
