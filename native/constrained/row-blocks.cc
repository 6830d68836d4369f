#include "constrained/row-blocks.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "linear/sparse-cholesky.h"

namespace extrema::constrained {

struct RowBlocks::Parts {
  std::vector<int32_t> order, parent, indptr, indices;
  std::vector<double> data, diagonal;
  linear::Factor factor;

  void bind() {
    factor.n = diagonal.size();
    factor.order = order.data();
    factor.parent = parent.data();
    factor.indptr = indptr.data();
    factor.indices = indices.data();
    factor.data = data.data();
    factor.diagonal = diagonal.data();
  }
};

RowBlocks::RowBlocks(const System& a, const int32_t* offsets, const int32_t* rows, size_t count)
    : a_(a), offsets_(offsets), rows_(rows), count_(count), parts_(count) {
  size_t most = 0;
  for (size_t p = 0; p < count; p++) most = std::max(most, sizeOf(p));
  c_.resize(most);
  y_.resize(most);
}

RowBlocks::~RowBlocks() = default;

double RowBlocks::factor(size_t p, Monitor& monitor) {
  const size_t n = sizeOf(p);
  const int32_t* rows = rows_ + offsets_[p];
  // The rows that meet each column, then A_p Aᵀ_p row by row.
  std::vector<std::vector<std::pair<size_t, double>>> meets(a_.columns);
  for (size_t i = 0; i < n; i++) {
    const auto row = static_cast<size_t>(rows[i]);
    for (size_t k = a_.begin(row); k < a_.end(row); k++)
      meets[a_.dense() ? k - a_.begin(row) : static_cast<size_t>(a_.indices[k])].emplace_back(i, a_.data[k]);
  }
  std::vector<int32_t> indptr(n + 1), indices, found;
  std::vector<double> data, sums(n);
  std::vector<unsigned char> isFound(n);
  double flops = 0;
  for (size_t i = 0; i < n; i++) {
    if (monitor.cancelled()) return flops;
    const auto row = static_cast<size_t>(rows[i]);
    found.clear();
    for (size_t k = a_.begin(row); k < a_.end(row); k++) {
      const auto& others = meets[a_.dense() ? k - a_.begin(row) : static_cast<size_t>(a_.indices[k])];
      flops += 2 * static_cast<double>(others.size());
      for (const auto& [other, value] : others) {
        if (!isFound[other]) found.push_back(static_cast<int32_t>(other));
        isFound[other] = 1;
        sums[other] += a_.data[k] * value;
      }
    }
    std::sort(found.begin(), found.end());
    for (const int32_t other : found) {
      const auto j = static_cast<size_t>(other);
      indices.push_back(other);
      data.push_back(sums[j]);
      sums[j] = 0;
      isFound[j] = 0;
    }
    indptr[i + 1] = static_cast<int32_t>(indices.size());
  }
  const linear::Csr gram{n, n, indptr.data(), indices.data(), data.data()};
  auto parts = std::make_unique<Parts>();
  parts->order.resize(n);
  parts->parent.resize(n);
  parts->indptr.resize(n + 1);
  parts->diagonal.resize(n);
  parts->bind();
  linear::analyze(gram, false, parts->factor, monitor);
  if (monitor.cancelled()) return flops;
  const auto entries = static_cast<size_t>(parts->indptr[n]);
  parts->indices.resize(entries);
  parts->data.resize(entries);
  parts->bind();
  try {
    linear::factorize(gram, true, parts->factor, monitor);
  } catch (const Error&) {
    throw Error("ERR_SINGULAR",
                "blocks[" + std::to_string(p) + "]: expected linearly independent rows, got dependent ones");
  }
  if (monitor.cancelled()) return flops;
  for (size_t k = 0; k < n; k++) {
    const double height = static_cast<double>(parts->indptr[k + 1] - parts->indptr[k]);
    flops += height * (height + 2);
  }
  parts_[p] = std::move(parts);
  return flops;
}

double RowBlocks::project(size_t p, const double* b, double* z, Monitor& monitor) {
  double flops = 0;
  if (parts_[p] == nullptr) flops += factor(p, monitor);
  if (monitor.cancelled()) return flops;
  const size_t n = sizeOf(p);
  const int32_t* rows = rows_ + offsets_[p];
  for (size_t i = 0; i < n; i++) {
    const auto row = static_cast<size_t>(rows[i]);
    c_[i] = b[row] - a_.dot(row, z);
    flops += 4 * static_cast<double>(a_.end(row) - a_.begin(row));
  }
  linear::solveFactor(parts_[p]->factor, c_.data(), y_.data(), 1, monitor);
  for (size_t i = 0; i < n; i++) a_.add(static_cast<size_t>(rows[i]), y_[i], z);
  return flops + 4 * static_cast<double>(parts_[p]->data.size());
}

}  // namespace extrema::constrained
