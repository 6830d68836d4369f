#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "descent/model.h"

namespace extrema::descent {

namespace {

double entryOf(const Matrix& matrix, size_t i, size_t j) {
  if (matrix.dense != nullptr) return matrix.dense[i * matrix.columns + j];
  const int32_t *from = matrix.indices + matrix.indptr[i], *to = matrix.indices + matrix.indptr[i + 1];
  const int32_t* at = std::lower_bound(from, to, static_cast<int32_t>(j));
  return at != to && *at == static_cast<int32_t>(j) ? matrix.data[at - matrix.indices] : 0;
}

std::string place(size_t i, size_t j) { return "A[" + std::to_string(i) + "][" + std::to_string(j) + "]"; }

// f(j, A_ij) over the entries of row i.
template <class F>
void eachEntry(const Matrix& matrix, size_t i, F&& f) {
  if (matrix.dense != nullptr) {
    for (size_t j = 0; j < matrix.columns; j++) f(j, matrix.dense[i * matrix.columns + j]);
    return;
  }
  for (int32_t k = matrix.indptr[i]; k < matrix.indptr[i + 1]; k++)
    f(static_cast<size_t>(matrix.indices[k]), matrix.data[k]);
}

// f(x) = ½ xᵀA x - bᵀx + ½ l2 |x|² with symmetric A. The gradient is always at hand: a step costs the rows of
// its block.
class QuadraticModel : public Model {
 public:
  QuadraticModel(const Problem& problem, const double* x, Team& team)
      : p_(problem), a_(problem.matrix), x_(x), team_(team), place_(problem.matrix.rows, -1) {
    n = a_.rows;
    quadratic = true;
    tracks = true;
    checkSymmetric(a_, team.monitor());
    gradient.resize(n);
    lipschitz.resize(n);
    for (size_t i = 0; i < n; i++) {
      lipschitz[i] = entryOf(a_, i, i) + p_.l2;
      if (lipschitz[i] > 0) continue;
      if (lipschitz[i] < 0)
        throw Error("ERR_NOT_POSITIVE",
                    place(i, i) + ": expected a positive semidefinite matrix, got a negative diagonal entry");
      double others = 0;
      eachEntry(a_, i, [&](size_t j, double value) { others += j == i ? 0 : std::fabs(value); });
      if (others > 0 || std::fabs(p_.target[i]) > p_.l1[i])
        throw Error(
            "ERR_NOT_POSITIVE",
            place(i, i) + ": expected a positive entry, got 0 in a row or a linear term that is not 0");
    }
  }

  double refresh() override {
    // The ridge is in the product.
    product(x_, false, gradient.data());
    double value = 0;
    for (size_t i = 0; i < n; i++) {
      value += x_[i] * (0.5 * gradient[i] - p_.target[i]);
      gradient[i] -= p_.target[i];
    }
    return value;
  }

  double gradientScale() override {
    double most = 0;
    for (size_t i = 0; i < n; i++) most = std::max(most, std::fabs(p_.target[i]));
    return most;
  }

  void blockGradient(const int32_t* block, size_t size, double* out) override {
    for (size_t a = 0; a < size; a++) out[a] = gradient[block[a]];
  }

  void hessian(const int32_t* block, size_t size, bool, double* out) override {
    enter(block, size);
    std::fill_n(out, size * size, 0.0);
    for (size_t a = 0; a < size; a++) {
      const size_t i = static_cast<size_t>(block[a]);
      if (a_.dense != nullptr) {
        for (size_t b = 0; b < size; b++) out[a * size + b] = a_.dense[i * n + static_cast<size_t>(block[b])];
      } else {
        for (int32_t k = a_.indptr[i]; k < a_.indptr[i + 1]; k++) {
          const int32_t b = place_[a_.indices[k]];
          if (b >= 0) out[a * size + static_cast<size_t>(b)] = a_.data[k];
        }
      }
      out[a * size + a] += p_.l2;
    }
    leave(block, size);
  }

  void sparseBlock(const int32_t* block, size_t size, const int32_t* place, bool, SparseBlock& out) override {
    int32_t count = 0;
    for (size_t a = 0; a < size; a++) {
      const size_t i = static_cast<size_t>(block[a]);
      out.diagonal[a] = p_.l2;
      eachEntry(a_, i, [&](size_t j, double value) {
        if (j == i) {
          out.diagonal[a] += value;
        } else if (place[j] >= 0 && value != 0) {
          out.indices[count] = place[j];
          out.values[count++] = value;
        }
      });
      out.indptr[a + 1] = count;
    }
  }

  void product(const double* v, bool, double* out) override {
    forEach(team_, n, entries(), [&](size_t i, unsigned) {
      double sum = 0;
      if (a_.dense != nullptr) {
        sum = cblas_ddot(static_cast<int>(n), a_.dense + i * n, 1, v, 1);
      } else {
        for (int32_t k = a_.indptr[i]; k < a_.indptr[i + 1]; k++) sum += a_.data[k] * v[a_.indices[k]];
      }
      out[i] = sum + p_.l2 * v[i];
    });
  }

  double trial(const int32_t* block, size_t size, const double* g, const double* d) override {
    enter(block, size);
    double change = 0;
    for (size_t a = 0; a < size; a++) {
      const size_t i = static_cast<size_t>(block[a]);
      double sum = p_.l2 * d[a];
      if (a_.dense != nullptr) {
        for (size_t b = 0; b < size; b++) sum += a_.dense[i * n + static_cast<size_t>(block[b])] * d[b];
      } else {
        for (int32_t k = a_.indptr[i]; k < a_.indptr[i + 1]; k++) {
          const int32_t b = place_[a_.indices[k]];
          if (b >= 0) sum += a_.data[k] * d[b];
        }
      }
      change += d[a] * (g[a] + 0.5 * sum);
    }
    leave(block, size);
    return change;
  }

  void accept(const int32_t* block, size_t size, const double* d) override {
    if (a_.dense != nullptr) {
      // Each chunk takes all steps to its part of the gradient.
      const size_t parts = (n + kPart - 1) / kPart;
      forEach(team_, parts, size * n, [&](size_t part, unsigned) {
        const size_t from = part * kPart, length = std::min(n, from + kPart) - from;
        for (size_t a = 0; a < size; a++) {
          if (d[a] != 0)
            cblas_daxpy(static_cast<int>(length), d[a], a_.dense + static_cast<size_t>(block[a]) * n + from,
                        1, gradient.data() + from, 1);
        }
      });
    }
    for (size_t a = 0; a < size; a++) {
      const size_t i = static_cast<size_t>(block[a]);
      if (d[a] == 0) continue;
      if (a_.dense == nullptr) {
        for (int32_t k = a_.indptr[i]; k < a_.indptr[i + 1]; k++)
          gradient[a_.indices[k]] += d[a] * a_.data[k];
      }
      gradient[i] += p_.l2 * d[a];
    }
  }

  void rowSums(double* out) override {
    forEach(team_, n, entries(), [&](size_t i, unsigned) {
      double sum = p_.l2;
      eachEntry(a_, i, [&](size_t, double value) { sum += std::fabs(value); });
      out[i] = sum;
    });
  }

  const Graph& graph() override {
    if (graph_.indptr.empty()) graph_ = graphOf(a_);
    return graph_;
  }

 private:
  static constexpr size_t kPart = 1024;

  size_t entries() const { return a_.dense != nullptr ? n * n : static_cast<size_t>(a_.indptr[n]); }

  void enter(const int32_t* block, size_t size) {
    for (size_t a = 0; a < size; a++) place_[block[a]] = static_cast<int32_t>(a);
  }
  void leave(const int32_t* block, size_t size) {
    for (size_t a = 0; a < size; a++) place_[block[a]] = -1;
  }

  const Problem& p_;
  const Matrix& a_;
  const double* x_;
  Team& team_;
  std::vector<int32_t> place_;
  Graph graph_;
};

}  // namespace

Graph graphOf(const Matrix& matrix) {
  Graph graph;
  graph.indptr.resize(matrix.rows + 1);
  for (size_t i = 0; i < matrix.rows; i++) {
    eachEntry(matrix, i, [&](size_t j, double value) {
      if (j != i && value != 0) graph.indices.push_back(static_cast<int32_t>(j));
    });
    graph.indptr[i + 1] = static_cast<int32_t>(graph.indices.size());
  }
  return graph;
}

void checkSymmetric(const Matrix& matrix, const Monitor& monitor) {
  for (size_t i = 0; i < matrix.rows; i++) {
    if ((i & 1023) == 0 && monitor.cancelled()) return;
    eachEntry(matrix, i, [&](size_t j, double value) {
      const double other = entryOf(matrix, j, i);
      if (std::fabs(value - other) <= 1e-12 * std::max(std::fabs(value), std::fabs(other))) return;
      throw Error(
          "ERR_SHAPE",
          place(i, j) + ": expected a symmetric matrix, got an entry that differs from " + place(j, i));
    });
  }
}

std::unique_ptr<Model> quadraticModel(const Problem& problem, const double* x, Team& team) {
  return std::make_unique<QuadraticModel>(problem, x, team);
}

}  // namespace extrema::descent
