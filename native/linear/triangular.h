#pragma once

#include <memory>
#include <vector>

#include "linear/operator.h"
#include "linear/wavefront.h"

namespace extrema::linear {

// A sweep through the rows of a sparse matrix in which a row needs results of rows before it (or, going
// backward, after it): forward or backward substitution. Where rows depend on few others the team works on
// several at a time; each row's sum is the same in any case.
class TriangularSweep {
 public:
  // Row i's entries that count are those at [begin[i], end[i]), all left of i, or right of it going backward.
  // All arrays are borrowed.
  TriangularSweep(const Csr& matrix, const int32_t* begin, const int32_t* end, bool backward);

  // out_i = scale r_i inverse_i - factor inverse_i sum a_ij out_j; r may be out.
  void scaled(const double* r, double scale, double factor, const double* inverse, double* out, Team& team);
  // out_i = r_i - factor inverse_i sum a_ij out_j; r may be out.
  void unit(const double* r, double factor, const double* inverse, double* out, Team& team);

 private:
  // Adjacent rows of one tile, in the order of the sweep.
  struct Run {
    int32_t first, last;
  };
  void plan(const Monitor& monitor);
  size_t rowAt(size_t k) const { return backward_ ? matrix_.rows - 1 - k : k; }
  template <class Row>
  void sweep(Team& team, Row&& row);
  template <bool Scaled>
  void solve(const double* r, double scale, double factor, const double* inverse, double* out, Team& team);

  Csr matrix_;
  const int32_t *begin_, *end_;
  bool backward_, planned_ = false;
  size_t waves_ = 1;
  std::unique_ptr<Wavefront> front_;  // none where the rows follow one another
  std::vector<Run> runs_;
  std::vector<size_t> firstRun_;  // of each tile
};

}  // namespace extrema::linear
