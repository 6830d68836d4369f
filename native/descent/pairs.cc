#include "descent/pairs.h"

#include <algorithm>
#include <cmath>

namespace extrema::descent {

Pairs::Pairs(const Problem& problem, const Columns& columns, const RowLoss& loss, const Monitor& monitor)
    : p_(problem),
      a_(problem.matrix),
      columns_(columns),
      loss_(loss),
      monitor_(monitor),
      k_(problem.classes),
      n_(problem.matrix.columns * problem.classes) {}

template <class F>
void Pairs::each(size_t j, F&& f) const {
  columns_.each(j, [&](size_t r, double value) {
    if (a_.dense != nullptr) {
      for (size_t other = 0; other < a_.columns; other++)
        f(r, value, other, a_.dense[r * a_.columns + other]);
      return;
    }
    for (int32_t o = a_.indptr[r]; o < a_.indptr[r + 1]; o++)
      f(r, value, static_cast<size_t>(a_.indices[o]), a_.data[o]);
  });
}

const Graph& Pairs::graph() {
  if (!graph_.indptr.empty()) return graph_;
  graph_.indptr.resize(n_ + 1);
  std::vector<int64_t> seen(a_.columns, -1);
  for (size_t j = 0; j < a_.columns && !monitor_.cancelled(); j++) {
    list_.clear();
    each(j, [&](size_t, double, size_t feature, double entry) {
      if (seen[feature] == static_cast<int64_t>(j) || (a_.dense != nullptr && entry == 0)) return;
      seen[feature] = static_cast<int64_t>(j);
      list_.push_back(static_cast<int32_t>(feature));
    });
    std::sort(list_.begin(), list_.end());
    for (size_t c = 0; c < k_; c++) {
      for (const int32_t f : list_) {
        for (size_t d = 0; d < k_; d++) {
          if (static_cast<size_t>(f) != j || d != c)
            graph_.indices.push_back(static_cast<int32_t>(static_cast<size_t>(f) * k_ + d));
        }
      }
      graph_.indptr[j * k_ + c + 1] = static_cast<int32_t>(graph_.indices.size());
    }
  }
  return graph_;
}

void Pairs::rowSums(double* out) const {
  std::vector<double> sums(a_.columns);
  double across = 0;
  for (size_t c = 0; c < k_; c++) across += std::fabs(loss_.bound(0, c));
  for (size_t j = 0; j < a_.columns; j++) {
    if (monitor_.cancelled()) return;
    std::fill(sums.begin(), sums.end(), 0.0);
    each(j, [&](size_t, double value, size_t feature, double entry) { sums[feature] += value * entry; });
    double sum = 0;
    for (const double s : sums) sum += std::fabs(s);
    for (size_t c = 0; c < k_; c++) out[j * k_ + c] = across * sum + p_.l2;
  }
}

void Pairs::block(const int32_t* block, size_t size, const int32_t* place, const double* slopes,
                  SparseBlock& out) {
  seen_.resize(n_);
  sums_.resize(n_);
  int32_t count = 0;
  for (size_t a = 0; a < size; a++) {
    if (monitor_.cancelled()) return;
    const size_t j = static_cast<size_t>(block[a]) / k_, c = static_cast<size_t>(block[a]) % k_;
    list_.clear();
    each(j, [&](size_t r, double value, size_t feature, double entry) {
      for (size_t d = 0; d < k_; d++) {
        const int32_t b = place[feature * k_ + d];
        if (b < 0) continue;
        if (!seen_[b]) {
          seen_[b] = 1;
          list_.push_back(b);
          sums_[b] = 0;
        }
        sums_[b] +=
            value * entry * (slopes != nullptr ? loss_.second(r, slopes + r * k_, c, d) : loss_.bound(c, d));
      }
    });
    std::sort(list_.begin(), list_.end());
    out.diagonal[a] = p_.l2;
    for (const int32_t b : list_) {
      seen_[b] = 0;
      if (static_cast<size_t>(b) == a) {
        out.diagonal[a] += sums_[b];
      } else {
        out.indices[count] = b;
        out.values[count++] = sums_[b];
      }
    }
    out.indptr[a + 1] = count;
  }
}

}  // namespace extrema::descent
