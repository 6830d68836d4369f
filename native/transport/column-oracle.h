#pragma once

#include <vector>

#include "transport/column-solver.h"

namespace extrema::transport {

// The dual objectives of transport with a regulariser per column: of the potentials x of the free axis with
// marginal `supply`, and in the dual form those of the columns with marginal `demand` behind them.
//
// Most entries of a column have no part in its plan, and between evaluations little changes: the cut of the
// last plan, moved by as much as all its entries have risen, should be below the new cut, and only what is
// above needs a closer look. Where it was not, the column is read again.
class ColumnOracle : private ColumnVisitor {
 public:
  ColumnOracle(Team& team, Columns& columns, const double* supply, const double* demand, double mass);

  // The next evaluation has nothing to go by.
  void use(const ColumnTerms& terms);

  // The objective to be minimised, -S(x) or -D(x), and its gradient.
  double evaluate(const Aligned<double>& x, Aligned<double>& gradient);

  Team& team;
  Columns& columns;
  const double *supply, *demand;
  const double mass;
  std::vector<ColumnSolver> solvers;  // by worker
  // Of the last evaluation: the marginals of the maximiser; by column its potential, cut and number of
  // entries.
  Aligned<double> freeSum, columnSum, potential, cut;
  Aligned<int32_t> counts;
  size_t fullest = 0;
  // Columns with more than the entries allowed, which only the smoothed form has.
  size_t shared = 0;
  double residual = 0;  // |T1 - a|_1 + |T^T 1 - b|_1 over the mass
  double roundoff = 0;
  double passes = 0;

 private:
  void begin(Range range, uint32_t chunk, unsigned worker) override;
  bool visit(size_t column, Candidates candidates, uint32_t chunk, unsigned worker) override;

  ColumnTerms terms_;
  size_t kept_;  // entries of a column's last plan that are kept to foresee its next cut
  size_t most_;
  Aligned<double> threshold_, last_, values_;
  Aligned<int32_t> entries_;
  std::vector<Aligned<double>> sums_;  // by chunk
  const double* x_ = nullptr;
  double leastRise_ = 0, size_ = 0;
};

}  // namespace extrema::transport
