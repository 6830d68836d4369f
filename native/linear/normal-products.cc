#include "linear/normal-products.h"

#include <cblas.h>

#include <algorithm>

#include "linear/csr.h"
#include "linear/panels.h"
#include "linear/vectors.h"

namespace extrema::dense {

namespace {

constexpr uint32_t kMostChunks = 64;
constexpr size_t kBlockBytes = size_t{1} << 17;  // rows read twice stay in cache

size_t entriesPerRow(const MatrixView& a) {
  if (!a.sparse()) return a.columns;
  return std::max<size_t>(1, a.csr().count() / a.rows);
}

// y += factor A x for the rows of a block.
void addRows(const MatrixView& a, size_t row, size_t count, double factor, const double* x, double* y) {
  const int n = static_cast<int>(a.columns);
  cblas_dgemv(CblasRowMajor, CblasNoTrans, static_cast<int>(count), n, factor, a.data + row * a.columns, n, x,
              1, 1, y, 1);
}

}  // namespace

NormalProducts::NormalProducts(Team& team, const MatrixView& a) : team_(team), a_(a) {
  const size_t perRow = entriesPerRow(a);
  rowsPerChunk_ = std::max((a.rows + kMostChunks - 1) / kMostChunks, std::max<size_t>(1, 16384 / perRow));
  chunks_ = chunkCount(a.rows, rowsPerChunk_);
  block_ = std::clamp(kBlockBytes / (8 * perRow), size_t{1}, rowsPerChunk_);
  sums_ = Aligned<double>(chunks_ * (a.columns + 1));
  scratch_ = Aligned<double>(team.size() * padded<double>(block_));
}

// out = the sum over the chunks of what block(first row, rows, sum, scratch) adds for blocks of rows.
template <class F>
void NormalProducts::accumulate(double* out, F&& block) {
  const size_t n = a_.columns, pitch = n + 1;
  team_.run(chunks_, [&](uint32_t chunk, unsigned worker) {
    double* sum = sums_.data() + chunk * pitch;
    std::fill_n(sum, pitch, 0.0);
    const size_t end = std::min(a_.rows, (chunk + 1) * rowsPerChunk_);
    for (size_t i = chunk * rowsPerChunk_; i < end; i += block_) {
      block(i, std::min(block_, end - i), sum, scratch_.data() + worker * padded<double>(block_));
    }
  });
  std::copy_n(sums_.data(), n, out);
  for (uint32_t chunk = 1; chunk < chunks_; chunk++) {
    for (size_t j = 0; j < n; j++) out[j] += sums_[chunk * pitch + j];
  }
}

void NormalProducts::addTransposed(size_t row, size_t count, const double* y, double* sum) const {
  if (!a_.sparse()) {
    const int n = static_cast<int>(a_.columns);
    cblas_dgemv(CblasRowMajor, CblasTrans, static_cast<int>(count), n, 1, a_.data + row * a_.columns, n, y, 1,
                1, sum, 1);
    return;
  }
  for (size_t i = 0; i < count; i++) {
    for (int32_t k = a_.indptr[row + i]; k < a_.indptr[row + i + 1]; k++)
      sum[a_.indices[k]] += y[i] * a_.values[k];
  }
}

void NormalProducts::apply(const double* x, double* out) {
  accumulate(out, [&](size_t row, size_t count, double* sum, double* scratch) {
    if (a_.sparse()) {
      // multiplyRows counts rows of the result from that of A.
      const linear::Csr rows{count, a_.columns, a_.indptr + row, a_.indices, a_.values};
      linear::multiplyRows(rows, 0, count, x, scratch);
    } else {
      std::fill_n(scratch, count, 0.0);
      addRows(a_, row, count, 1, x, scratch);
    }
    addTransposed(row, count, scratch, sum);
  });
}

double NormalProducts::residual(const double* b, const double* x, double* r, double* out) {
  accumulate(out, [&](size_t row, size_t count, double* sum, double*) {
    double* own = r + row;
    if (a_.sparse()) {
      linear::multiplyRows(a_.csr(), row, row + count, x, r);
      for (size_t i = 0; i < count; i++) own[i] = b[row + i] - own[i];
    } else {
      std::copy_n(b + row, count, own);
      addRows(a_, row, count, -1, x, own);
    }
    addTransposed(row, count, own, sum);
    sum[a_.columns] += linear::dotRange(own, own, count);
  });
  double squares = 0;
  for (uint32_t chunk = 0; chunk < chunks_; chunk++) squares += sums_[chunk * (a_.columns + 1) + a_.columns];
  return squares;
}

}  // namespace extrema::dense
