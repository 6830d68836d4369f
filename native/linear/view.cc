#include "linear/view.h"

#include <cblas.h>

#include <algorithm>
#include <vector>

#include "linear/panels.h"

namespace extrema::dense {

namespace {

constexpr uint32_t kMostChunks = 64;
constexpr size_t kBlockBytes = size_t{1} << 17;  // rows read twice stay in cache
constexpr uint32_t kParts = 8;                   // sums over rows of blocks of vectors

size_t entriesPerRow(const MatrixView& a) {
  if (!a.sparse()) return a.columns;
  return std::max<size_t>(1, static_cast<size_t>(a.indptr[a.rows]) / a.rows);
}

double sparseDot(const MatrixView& a, size_t i, const double* x) {
  double sum = 0;
  for (int32_t k = a.indptr[i]; k < a.indptr[i + 1]; k++) sum += a.values[k] * x[a.indices[k]];
  return sum;
}

void addSparseRow(const MatrixView& a, size_t i, double factor, double* out) {
  for (int32_t k = a.indptr[i]; k < a.indptr[i + 1]; k++) out[a.indices[k]] += factor * a.values[k];
}

}  // namespace

Products::Products(Team& team, const MatrixView& a) : team_(team), a_(a) {
  const size_t perRow = entriesPerRow(a);
  rowsPerChunk_ = std::max((a.rows + kMostChunks - 1) / kMostChunks, std::max<size_t>(1, 16384 / perRow));
  chunks_ = chunkCount(a.rows, rowsPerChunk_);
  block_ = std::clamp(kBlockBytes / (8 * perRow), size_t{1}, rowsPerChunk_);
  sums_ = Aligned<double>(chunks_ * (a.columns + 1));
  scratch_ = Aligned<double>(team.size() * padded<double>(block_));
}

// out = the sum over the chunks of what block(first row, rows, sum, scratch) adds for blocks of rows.
template <class F>
void Products::accumulate(double* out, F&& block) {
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

void Products::apply(const double* x, double* y) {
  const int n = static_cast<int>(a_.columns);
  team_.run(chunks_, [&](uint32_t chunk, unsigned) {
    const size_t from = chunk * rowsPerChunk_, end = std::min(a_.rows, from + rowsPerChunk_);
    if (a_.sparse()) {
      for (size_t i = from; i < end; i++) y[i] = sparseDot(a_, i, x);
    } else {
      cblas_dgemv(CblasRowMajor, CblasNoTrans, static_cast<int>(end - from), n, 1,
                  a_.data + from * a_.columns, n, x, 1, 0, y + from, 1);
    }
  });
}

void Products::applyTransposed(const double* y, double* x) {
  const int n = static_cast<int>(a_.columns);
  accumulate(x, [&](size_t i, size_t count, double* sum, double*) {
    if (a_.sparse()) {
      for (size_t k = i; k < i + count; k++) addSparseRow(a_, k, y[k], sum);
    } else {
      cblas_dgemv(CblasRowMajor, CblasTrans, static_cast<int>(count), n, 1, a_.data + i * a_.columns, n,
                  y + i, 1, 1, sum, 1);
    }
  });
}

void Products::normal(const double* x, double* out) {
  const int n = static_cast<int>(a_.columns);
  accumulate(out, [&](size_t i, size_t count, double* sum, double* scratch) {
    if (a_.sparse()) {
      for (size_t k = i; k < i + count; k++) addSparseRow(a_, k, sparseDot(a_, k, x), sum);
      return;
    }
    const double* rows = a_.data + i * a_.columns;
    cblas_dgemv(CblasRowMajor, CblasNoTrans, static_cast<int>(count), n, 1, rows, n, x, 1, 0, scratch, 1);
    cblas_dgemv(CblasRowMajor, CblasTrans, static_cast<int>(count), n, 1, rows, n, scratch, 1, 1, sum, 1);
  });
}

double Products::residual(const double* b, const double* x, double* r, double* out) {
  const int n = static_cast<int>(a_.columns);
  accumulate(out, [&](size_t i, size_t count, double* sum, double*) {
    const double* rows = a_.sparse() ? nullptr : a_.data + i * a_.columns;
    if (a_.sparse()) {
      for (size_t k = i; k < i + count; k++) r[k] = b[k] - sparseDot(a_, k, x);
      for (size_t k = i; k < i + count; k++) addSparseRow(a_, k, r[k], sum);
    } else {
      std::copy_n(b + i, count, r + i);
      cblas_dgemv(CblasRowMajor, CblasNoTrans, static_cast<int>(count), n, -1, rows, n, x, 1, 1, r + i, 1);
      cblas_dgemv(CblasRowMajor, CblasTrans, static_cast<int>(count), n, 1, rows, n, r + i, 1, 1, sum, 1);
    }
    double squares = 0;
    for (size_t k = i; k < i + count; k++) squares += r[k] * r[k];
    sum[a_.columns] += squares;
  });
  double squares = 0;
  for (uint32_t chunk = 0; chunk < chunks_; chunk++) squares += sums_[chunk * (a_.columns + 1) + a_.columns];
  return squares;
}

BlockProducts::BlockProducts(Team& team, const MatrixView& a, size_t most) : team_(team), a_(a) {
  if (!a.sparse()) {
    parts_ = Aligned<double>(kParts * a.columns * most);
    return;
  }
  const auto count = static_cast<size_t>(a.indptr[a.rows]);
  start_ = Aligned<int32_t>(a.columns + 2);
  row_ = Aligned<int32_t>(count);
  value_ = Aligned<double>(count);
  for (size_t k = 0; k < count; k++) start_[static_cast<size_t>(a.indices[k]) + 2]++;
  for (size_t j = 2; j < a.columns + 2; j++) start_[j] += start_[j - 1];
  for (size_t i = 0; i < a.rows; i++) {
    for (int32_t k = a.indptr[i]; k < a.indptr[i + 1]; k++) {
      const auto at = static_cast<size_t>(start_[static_cast<size_t>(a.indices[k]) + 1]++);
      row_[at] = static_cast<int32_t>(i);
      value_[at] = a.values[k];
    }
  }
}

namespace {

void gatherRows(Team& team, size_t rows, const int32_t* start, const int32_t* index, const double* value,
                const double* x, size_t l, double* y) {
  const size_t width = std::max<size_t>(16, (rows + 255) / 256);
  team.run(chunkCount(rows, width), [&](uint32_t chunk, unsigned) {
    for (size_t i = chunk * width; i < std::min(rows, (chunk + 1) * width); i++) {
      double* out = y + i * l;
      std::fill_n(out, l, 0.0);
      for (int32_t k = start[i]; k < start[i + 1]; k++) {
        const double* in = x + static_cast<size_t>(index[k]) * l;
        const double factor = value[k];
        for (size_t c = 0; c < l; c++) out[c] += factor * in[c];
      }
    }
  });
}

}  // namespace

void BlockProducts::apply(const double* x, size_t l, double* y) {
  if (a_.sparse()) {
    gatherRows(team_, a_.rows, a_.indptr, a_.indices, a_.values, x, l, y);
    return;
  }
  const size_t width = std::clamp((a_.rows + 31) / 32, size_t{64}, size_t{4096});
  const int n = static_cast<int>(a_.columns), count = static_cast<int>(l);
  team_.run(chunkCount(a_.rows, width), [&](uint32_t chunk, unsigned) {
    const size_t i = chunk * width;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(std::min(width, a_.rows - i)),
                count, n, 1, a_.data + i * a_.columns, n, x, count, 0, y + i * l, count);
  });
}

void BlockProducts::applyTransposed(const double* y, size_t l, double* x) {
  if (a_.sparse()) {
    gatherRows(team_, a_.columns, start_.data(), row_.data(), value_.data(), y, l, x);
    return;
  }
  const size_t width = std::max<size_t>(64, (a_.rows + kParts - 1) / kParts), size = a_.columns * l;
  const uint32_t chunks = chunkCount(a_.rows, width);
  const int n = static_cast<int>(a_.columns), count = static_cast<int>(l);
  team_.run(chunks, [&](uint32_t chunk, unsigned) {
    double* part = parts_.data() + chunk * size;
    const size_t end = std::min(a_.rows, (chunk + 1) * width);
    // In steps short enough to be cancelled between.
    for (size_t i = chunk * width; i < end && !team_.monitor().cancelled(); i += 2048) {
      cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, count,
                  static_cast<int>(std::min<size_t>(2048, end - i)), 1, a_.data + i * a_.columns, n,
                  y + i * l, count, i == chunk * width ? 0 : 1, part, count);
    }
  });
  std::copy_n(parts_.data(), size, x);
  for (uint32_t chunk = 1; chunk < chunks; chunk++) {
    for (size_t j = 0; j < size; j++) x[j] += parts_[chunk * size + j];
  }
}

}  // namespace extrema::dense
