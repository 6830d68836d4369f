#include "linear/sparse-cholesky.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/error.h"
#include "linear/ordering.h"

namespace extrema::linear {

namespace {

size_t at(int32_t i) { return static_cast<size_t>(i); }

constexpr size_t kPollRows = 256;

std::vector<int32_t> inverseOf(const Factor& factor) {
  std::vector<int32_t> place(factor.n);
  for (size_t k = 0; k < factor.n; k++) place[at(factor.order[k])] = static_cast<int32_t>(k);
  return place;
}

// The elimination tree of the rows in their order (Liu, SIAM J. Matrix Anal. Appl. 11 (1990), 134-172).
void growTree(const Csr& matrix, Factor& factor) {
  const std::vector<int32_t> place = inverseOf(factor);
  std::vector<int32_t> ancestor(factor.n, -1);
  for (size_t k = 0; k < factor.n; k++) {
    const auto row = static_cast<int32_t>(k);
    factor.parent[k] = -1;
    const size_t i = at(factor.order[k]);
    for (int32_t p = matrix.indptr[i]; p < matrix.indptr[i + 1]; p++) {
      int32_t j = place[at(matrix.indices[p])];
      while (j >= 0 && j < row) {
        const int32_t up = ancestor[at(j)];
        ancestor[at(j)] = row;
        if (up < 0) factor.parent[at(j)] = row;
        j = up;
      }
    }
  }
}

// The same elimination with each subtree's rows next to each other.
void postorder(Factor& factor) {
  const size_t n = factor.n;
  std::vector<int32_t> child(n, -1), sibling(n, -1), order(n), stack;
  for (size_t k = n; k-- > 0;) {
    if (factor.parent[k] < 0) continue;
    sibling[k] = child[at(factor.parent[k])];
    child[at(factor.parent[k])] = static_cast<int32_t>(k);
  }
  size_t placed = 0;
  for (size_t root = 0; root < n; root++) {
    if (factor.parent[root] >= 0) continue;
    stack.assign(1, static_cast<int32_t>(root));
    while (!stack.empty()) {
      const int32_t k = stack.back();
      if (child[at(k)] >= 0) {
        stack.push_back(child[at(k)]);
        child[at(k)] = sibling[at(child[at(k)])];
      } else {
        stack.pop_back();
        order[placed++] = factor.order[at(k)];
      }
    }
  }
  std::copy(order.begin(), order.end(), factor.order);
}

}  // namespace

void analyze(const Csr& matrix, bool natural, Factor& factor, Monitor& monitor) {
  const size_t n = factor.n;
  if (natural) {
    for (size_t k = 0; k < n; k++) factor.order[k] = static_cast<int32_t>(k);
  } else {
    minimumDegree(n, matrix.indptr, matrix.indices, factor.order, monitor);
    if (monitor.cancelled()) return;
    growTree(matrix, factor);
    postorder(factor);
  }
  growTree(matrix, factor);
  // Row k of L has the columns on the paths from its entries up to k.
  const std::vector<int32_t> place = inverseOf(factor);
  std::vector<int32_t> seen(n, -1);
  std::vector<int64_t> count(n, 0);
  for (size_t k = 0; k < n; k++) {
    if (k % kPollRows == 0 && monitor.cancelled()) return;
    const auto row = static_cast<int32_t>(k);
    seen[k] = row;
    const size_t i = at(factor.order[k]);
    for (int32_t p = matrix.indptr[i]; p < matrix.indptr[i + 1]; p++) {
      for (int32_t j = place[at(matrix.indices[p])]; j < row && seen[at(j)] != row;
           j = factor.parent[at(j)]) {
        seen[at(j)] = row;
        count[at(j)]++;
      }
    }
  }
  int64_t total = 0;
  for (size_t k = 0; k < n; k++) {
    factor.indptr[k] = static_cast<int32_t>(total);
    total += count[k];
    if (total > 2147483647)
      throw Error("ERR_MEMORY", "matrix: expected a factor of fewer than 2³¹ entries, got more");
  }
  factor.indptr[n] = static_cast<int32_t>(total);
}

void factorize(const Csr& matrix, bool positive, Factor& factor, Monitor& monitor) {
  const size_t n = factor.n;
  const std::vector<int32_t> place = inverseOf(factor);
  std::vector<int32_t> seen(n, -1), end(factor.indptr, factor.indptr + n), stack(n), path(n);
  std::vector<double> y(n, 0.0);
  for (size_t k = 0; k < n; k++) {
    if (k % kPollRows == 0) {
      if (monitor.cancelled()) return;
      monitor.progress(static_cast<double>(k), static_cast<double>(n - k));
    }
    const auto row = static_cast<int32_t>(k);
    seen[k] = row;
    // The columns of row k, each after those below it in the tree.
    size_t top = n;
    double pivot = 0, size = 0;
    const size_t i = at(factor.order[k]);
    for (int32_t p = matrix.indptr[i]; p < matrix.indptr[i + 1]; p++) {
      int32_t j = place[at(matrix.indices[p])];
      if (j > row) continue;
      if (j == row) {
        pivot += matrix.data[p];
        continue;
      }
      y[at(j)] += matrix.data[p];
      size_t length = 0;
      for (; seen[at(j)] != row; j = factor.parent[at(j)]) {
        path[length++] = j;
        seen[at(j)] = row;
      }
      while (length > 0) stack[--top] = path[--length];
    }
    size = std::abs(pivot);
    for (; top < n; top++) {
      const size_t j = at(stack[top]);
      const double value = y[j];
      y[j] = 0;
      const int32_t last = end[j];
      for (int32_t p = factor.indptr[j]; p < last; p++) y[at(factor.indices[p])] -= factor.data[p] * value;
      const double entry = value / factor.diagonal[j];
      pivot -= entry * value;
      size = std::max(size, std::abs(entry * value));
      factor.indices[last] = row;
      factor.data[last] = entry;
      end[j]++;
    }
    // What is left of a pivot that should be zero is rounding error.
    const bool isZero = std::abs(pivot) <= 1e-14 * size;
    if (positive ? isZero || !(pivot > 0) : isZero || !std::isfinite(pivot)) {
      const std::string place = "matrix[" + std::to_string(i) + "][" + std::to_string(i) + "]: expected ";
      const std::string came = ", got a pivot of " + std::to_string(isZero ? 0 : pivot);
      if (!std::isfinite(pivot))
        throw Error("ERR_NOT_FINITE", place + "a pivot within the range of float64" + came);
      if (positive) throw Error("ERR_NOT_POSITIVE", place + "a positive definite matrix" + came);
      throw Error("ERR_SINGULAR", place + "a matrix with pivots other than 0" + came);
    }
    factor.diagonal[k] = pivot;
  }
}

void solveFactor(const Factor& factor, const double* b, double* x, size_t count, Monitor& monitor) {
  const size_t n = factor.n;
  std::vector<double> y(n);
  for (size_t c = 0; c < count && !monitor.cancelled(); c++) {
    for (size_t k = 0; k < n; k++) y[k] = b[at(factor.order[k]) * count + c];
    for (size_t j = 0; j < n; j++) {
      const double value = y[j];
      for (int32_t p = factor.indptr[j]; p < factor.indptr[j + 1]; p++)
        y[at(factor.indices[p])] -= factor.data[p] * value;
    }
    for (size_t j = n; j-- > 0;) {
      double value = y[j] / factor.diagonal[j];
      for (int32_t p = factor.indptr[j]; p < factor.indptr[j + 1]; p++)
        value -= factor.data[p] * y[at(factor.indices[p])];
      y[j] = value;
    }
    for (size_t k = 0; k < n; k++) x[at(factor.order[k]) * count + c] = y[k];
  }
}

double incompleteCholesky(const Csr& matrix, const Csr& pattern, double* data, double shift,
                          Monitor& monitor) {
  const size_t n = matrix.rows;
  std::vector<double> w(n, 0.0);
  for (;;) {
    bool done = true;
    for (size_t i = 0; i < n && done; i++) {
      if (i % (1 << 14) == 0 && monitor.cancelled()) return shift;
      const int32_t begin = pattern.indptr[i], end = pattern.indptr[i + 1] - 1;
      for (int32_t k = matrix.indptr[i]; k < matrix.indptr[i + 1] && at(matrix.indices[k]) <= i; k++)
        w[at(matrix.indices[k])] = matrix.data[k];
      double pivot = w[i] * (1 + shift);
      for (int32_t k = begin; k < end; k++) {
        const size_t j = at(pattern.indices[k]);
        const int32_t last = pattern.indptr[j + 1] - 1;
        double sum = w[j];
        for (int32_t l = pattern.indptr[j]; l < last; l++) sum -= data[l] * w[at(pattern.indices[l])];
        w[j] = data[k] = sum / data[last];
        pivot -= data[k] * data[k];
      }
      for (int32_t k = begin; k <= end; k++) w[at(pattern.indices[k])] = 0;
      done = pivot > 0 && std::isfinite(pivot);
      data[end] = std::sqrt(pivot);
    }
    if (done) return shift;
    // Manteuffel, Math. Comp. 34 (1980), 473-497.
    shift = std::max(1e-3, 2 * shift);
    if (shift > 1e3)
      throw Error("ERR_NOT_POSITIVE",
                  "matrix: expected a positive definite one, got pivots that no shift mends");
  }
}

}  // namespace extrema::linear
