#include "descent/block-solver.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "descent/dense.h"

namespace extrema::descent {

namespace {
// Cached factors of fixed blocks take at most so many numbers.
constexpr size_t kMostCached = size_t{1} << 25;
}  // namespace

BlockSolver::BlockSolver(State& state, bool forests)
    : s_(state), forests_(forests), cache_(state.blocks.count()) {
  const size_t capacity = s_.capacity;
  if (forests) {
    sparse_ = SparseBlock(capacity, s_.model.graph().indices.size());
    forest_.emplace(capacity);
    return;
  }
  h_.resize(capacity * capacity);
  scratch_.resize(2 * capacity);
  if (s_.terms.composite) program_.emplace(capacity, s_.terms);
}

double BlockSolver::norm() {
  if (s_.size == 1) return s_.model.lipschitz[s_.block[0]];
  if (!forests_) {
    s_.model.hessian(s_.block.data(), s_.size, false, h_.data());
    return normAbove(h_.data(), s_.size, scratch_.data());
  }
  loadSparse(false);
  double rows = 0;
  for (size_t a = 0; a < s_.size; a++) {
    double sum = sparse_.diagonal[a];
    for (int32_t k = sparse_.indptr[a]; k < sparse_.indptr[a + 1]; k++) sum += std::fabs(sparse_.values[k]);
    rows = std::max(rows, sum);
  }
  return rows;
}

void BlockSolver::loadSparse(bool current) {
  s_.enter();
  s_.model.sparseBlock(s_.block.data(), s_.size, s_.place.data(), current, sparse_);
  s_.leave();
}

void BlockSolver::solve(bool current) {
  for (size_t a = 0; a < s_.size; a++) s_.d[a] = -s_.g[a];
  if (forests_) {
    loadSparse(current);
    const ForestFault fault = forest_->solve(ForestRows(sparse_), s_.size, s_.d.data(), s_.d.data(),
                                             s_.model.semidefinite, s_.team);
    if (fault == ForestFault::pivot) refuse(forest_->fault);
    if (fault == ForestFault::cycle)
      throw Error("ERR_SHAPE",
                  "partition: expected blocks whose graphs are forests, got a cycle through coordinate " +
                      std::to_string(s_.block[forest_->fault]));
    return;
  }
  const double* factor = factorOf(current);
  forward(factor, s_.size, s_.d.data());
  backward(factor, s_.size, s_.d.data());
}

void BlockSolver::solvePart(bool current) {
  isPart_ = true;
  solve(current);
  isPart_ = false;
}

void BlockSolver::minimize(bool current) {
  if (!program_) {
    solve(current);
    return;
  }
  s_.model.hessian(s_.block.data(), s_.size, current, h_.data());
  program_->solve(s_.block.data(), s_.size, s_.x, s_.g.data(), h_.data(), s_.d.data());
}

const double* BlockSolver::factorOf(bool current) {
  const bool constant = !current || s_.model.quadratic;
  const bool cached =
      s_.fixed && !isPart_ && constant && s_.blocks.indices.size() * s_.capacity <= kMostCached;
  if (cached && !cache_[s_.number].empty()) return cache_[s_.number].data();
  s_.model.hessian(s_.block.data(), s_.size, !constant, h_.data());
  const ptrdiff_t fault = factorize(h_.data(), s_.size, s_.model.semidefinite);
  if (fault >= 0) refuse(static_cast<size_t>(fault));
  if (cached) cache_[s_.number].assign(h_.begin(), h_.begin() + static_cast<ptrdiff_t>(s_.size * s_.size));
  return h_.data();
}

void BlockSolver::refuse(size_t place) const {
  throw Error("ERR_NOT_POSITIVE", "A: expected a positive definite block around coordinate " +
                                      std::to_string(s_.block[place]) + ", got one that is not");
}

}  // namespace extrema::descent
