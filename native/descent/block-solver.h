#pragma once

#include <optional>
#include <vector>

#include "descent/block-program.h"
#include "descent/forest.h"
#include "descent/state.h"

namespace extrema::descent {

// Solves with the Hessian of the block at hand: dense factors, which fixed blocks keep, message passing on
// forests, and the quadratic program where there are other terms.
class BlockSolver {
 public:
  BlockSolver(State& state, bool forests);
  // A norm of the bound H_b from above.
  double norm();
  // d = -H_b⁻¹ g
  void solve(bool current);
  // The same for a part of a fixed block, whose factor is not kept.
  void solvePart(bool current);
  // d = the least of g·d + ½ dᵀH_b d and the other terms; H_b is left in `hessian`.
  void minimize(bool current);
  bool hasProgram() const { return program_.has_value(); }
  const double* hessian() const { return h_.data(); }
  [[noreturn]] void refuse(size_t place) const;

 private:
  void loadSparse(bool current);
  const double* factorOf(bool current);

  State& s_;
  bool forests_, isPart_ = false;
  std::vector<double> h_, scratch_;
  std::vector<std::vector<double>> cache_;
  SparseBlock sparse_;
  std::optional<ForestSolver> forest_;
  std::optional<BlockProgram> program_;
};

}  // namespace extrema::descent
