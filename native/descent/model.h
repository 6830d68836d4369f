#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/team.h"
#include "descent/problem.h"

namespace extrema::descent {

// Neighbours of each coordinate in the graph of the Hessian, without the coordinate itself.
struct Graph {
  std::vector<int32_t> indptr, indices;
};

// The block of a Hessian with few off-diagonal entries, by the places within the block.
struct SparseBlock {
  std::vector<int32_t> indptr, indices;
  std::vector<double> diagonal, values;
  SparseBlock() = default;
  SparseBlock(size_t size, size_t entries)
      : indptr(size + 1), indices(entries), diagonal(size), values(entries) {}
};

// The smooth part f at a point x that only `refresh` and `accept` follow. All may return early when
// cancelled.
class Model {
 public:
  virtual ~Model() = default;
  size_t n = 0;
  bool quadratic = false;     // then `bound` is the Hessian
  bool semidefinite = false;  // null pivots of a Hessian are no error
  bool tracks = false;        // whether `accept` keeps the gradient up to date
  std::vector<double> lipschitz, gradient;

  virtual double refresh() = 0;
  // The largest |∇_i f| at x = 0.
  virtual double gradientScale() = 0;
  virtual void blockGradient(const int32_t* block, size_t size, double* out) = 0;
  // size × size row-major, of the constant bound or the current Hessian.
  virtual void hessian(const int32_t* block, size_t size, bool current, double* out) = 0;
  // `place` is -1 outside of the block and the place within it inside.
  virtual void sparseBlock(const int32_t* block, size_t size, const int32_t* place, bool current,
                           SparseBlock& out) = 0;
  virtual void product(const double* v, bool current, double* out) = 0;
  // f(x + d) - f(x), where the gradient of the block is g; x is left.
  virtual double trial(const int32_t* block, size_t size, const double* g, const double* d) = 0;
  // Takes the step of the last trial: x is to have moved.
  virtual void accept(const int32_t* block, size_t size, const double* d) = 0;
  virtual void rowSums(double* out) = 0;
  virtual const Graph& graph() = 0;
};

std::unique_ptr<Model> rowsModel(const Problem& problem, const double* x, bool tracks, Team& team);
std::unique_ptr<Model> quadraticModel(const Problem& problem, const double* x, Team& team);

Graph graphOf(const Matrix& matrix);
void checkSymmetric(const Matrix& matrix, const Monitor& monitor);

// f(k) for k below `count`, in chunks that depend on the work alone.
template <class F>
void forEach(Team& team, size_t count, size_t work, F&& f) {
  constexpr size_t kLeastWork = 1 << 16, kMostChunks = 64;
  const size_t chunks = std::min(std::max<size_t>(1, std::min(work / kLeastWork, kMostChunks)), count);
  if (chunks == 0) return;
  team.run(static_cast<uint32_t>(chunks), [&](uint32_t chunk, unsigned worker) {
    for (size_t k = count * chunk / chunks; k < count * (chunk + 1) / chunks; k++) {
      if ((k & 15) == 0 && team.monitor().cancelled()) return;
      f(k, worker);
    }
  });
}

}  // namespace extrema::descent
