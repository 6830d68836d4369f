#include "linear/sketch.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/aligned.h"
#include "linear/hadamard.h"
#include "linear/matrix.h"
#include "linear/panels.h"
#include "linear/scatter.h"
#include "random/philox.h"
#include "random/random.h"

namespace extrema::dense {

namespace {

struct Word {
  uint32_t high, low;
};

Word wordAt(const uint32_t key[2], uint64_t index) {
  uint32_t counter[4] = {}, block[4];
  advance(counter, index / 2);
  philox(key, counter, block);
  const size_t half = index % 2 * 2;
  return {block[half + 1], block[half]};
}

size_t below(Word word, size_t count) { return static_cast<size_t>(uint64_t{word.high} * count >> 32); }

// Columns of row i of a sparse matrix within [from, to).
template <class F>
void eachEntry(const MatrixView& a, size_t i, size_t from, size_t to, F&& entry) {
  const int32_t* end = a.indices + a.indptr[i + 1];
  const int32_t* k = from == 0 ? a.indices + a.indptr[i]
                               : std::lower_bound(a.indices + a.indptr[i], end, static_cast<int32_t>(from));
  for (; k < end && static_cast<size_t>(*k) < to; k++) {
    entry(static_cast<size_t>(*k), a.values[k - a.indices]);
  }
}

// --- Gaussian

constexpr size_t kGaussRows = 64;    // of the sketch in one chunk
constexpr size_t kGaussBlock = 256;  // rows of the input at a time

size_t gaussPitch(const Sketch& sketch) { return (sketch.rows + 1) / 2 * 2; }

// g (count x width): entries i0 … of columns j0 … of S, not scaled; i0 is even.
void fillGaussian(const Sketch& sketch, size_t j0, size_t count, size_t i0, size_t width, double* g) {
  for (size_t j = 0; j < count; j++) {
    uint32_t counter[4] = {};
    advance(counter, ((j0 + j) * uint64_t{gaussPitch(sketch)} + i0) / 2);
    fillNormal(sketch.key, counter, g + j * width, width);
  }
}

void applyGaussian(Team& team, const Sketch& sketch, const MatrixView& a, double* out) {
  const size_t n = a.columns;
  const double scale = 1 / std::sqrt(static_cast<double>(sketch.rows));
  const size_t room = kGaussBlock * kGaussRows + (a.sparse() ? n * kGaussRows : 0);
  Aligned<double> scratch(team.size() * room);
  team.run(chunkCount(sketch.rows, kGaussRows), [&](uint32_t chunk, unsigned worker) {
    const size_t i0 = chunk * kGaussRows, width = std::min(kGaussRows, sketch.rows - i0);
    double *g = scratch.data() + worker * room, *sums = g + kGaussBlock * kGaussRows;
    if (a.sparse()) std::fill_n(sums, n * width, 0.0);
    for (size_t j0 = 0; j0 < a.rows && !team.monitor().cancelled(); j0 += kGaussBlock) {
      const size_t count = std::min(kGaussBlock, a.rows - j0);
      fillGaussian(sketch, j0, count, i0, width, g);
      if (!a.sparse()) {
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, static_cast<int>(width), static_cast<int>(n),
                    static_cast<int>(count), scale, g, static_cast<int>(width), a.data + j0 * n,
                    static_cast<int>(n), j0 == 0 ? 0 : 1, out + i0 * n, static_cast<int>(n));
        continue;
      }
      for (size_t j = 0; j < count; j++) {
        eachEntry(a, j0 + j, 0, n, [&](size_t column, double value) {
          for (size_t i = 0; i < width; i++) sums[column * width + i] += value * g[j * width + i];
        });
      }
    }
    if (!a.sparse()) return;
    for (size_t i = 0; i < width; i++) {
      for (size_t column = 0; column < n; column++)
        out[(i0 + i) * n + column] = scale * sums[column * width + i];
    }
  });
}

void applyGaussianTransposed(Team& team, const Sketch& sketch, const double* y, size_t columns, double* out) {
  const double scale = 1 / std::sqrt(static_cast<double>(sketch.rows));
  const size_t s = sketch.rows;
  const size_t block = std::clamp((size_t{1} << 20) / s, size_t{1}, kGaussBlock);
  Aligned<double> scratch(team.size() * block * s);
  // Chunks of several blocks: a team counts to a million.
  const size_t rows = std::max(block, (sketch.inputRows + 4095) / 4096);
  team.run(chunkCount(sketch.inputRows, rows), [&](uint32_t chunk, unsigned worker) {
    double* g = scratch.data() + worker * block * s;
    const size_t end = std::min(sketch.inputRows, (chunk + 1) * rows);
    for (size_t j0 = chunk * rows; j0 < end && !team.monitor().cancelled(); j0 += block) {
      const size_t count = std::min(block, end - j0);
      fillGaussian(sketch, j0, count, 0, s, g);
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(count),
                  static_cast<int>(columns), static_cast<int>(s), scale, g, static_cast<int>(s), y,
                  static_cast<int>(columns), 0, out + j0 * columns, static_cast<int>(columns));
    }
  });
}

// --- Subsampled randomized Hadamard transform

constexpr size_t kHadamardColumns = 8;  // transformed at once: a row is a cache line

double signAt(const Sketch& sketch, size_t j) { return (wordAt(sketch.key, j).low & 1) != 0 ? -1 : 1; }

Aligned<double> signsOf(Team& team, const Sketch& sketch) {
  Aligned<double> signs(sketch.inputRows);
  const size_t width = std::max<size_t>(4096, (sketch.inputRows + 1023) / 1024);
  team.run(chunkCount(sketch.inputRows, width), [&](uint32_t chunk, unsigned) {
    for (size_t j = chunk * width; j < std::min(sketch.inputRows, (chunk + 1) * width); j++) {
      signs[j] = signAt(sketch, j);
    }
  });
  return signs;
}

void applySrht(Team& team, const Sketch& sketch, const MatrixView& a, double* out) {
  const size_t n = a.columns, length = powerOfTwo(a.rows);
  const double scale = 1 / std::sqrt(static_cast<double>(sketch.rows));
  const Aligned<double> signs = signsOf(team, sketch);
  Aligned<double> scratch(team.size() * length * kHadamardColumns);
  team.run(chunkCount(n, kHadamardColumns), [&](uint32_t chunk, unsigned worker) {
    const size_t from = chunk * kHadamardColumns, width = std::min(kHadamardColumns, n - from);
    double* x = scratch.data() + worker * length * kHadamardColumns;
    std::fill_n(x, length * width, 0.0);
    for (size_t i = 0; i < a.rows; i++) {
      double* row = x + i * width;
      if (a.sparse()) {
        eachEntry(a, i, from, from + width,
                  [&](size_t j, double value) { row[j - from] = signs[i] * value; });
      } else {
        for (size_t j = 0; j < width; j++) row[j] = signs[i] * a.data[i * n + from + j];
      }
    }
    hadamard(x, length, width, team.monitor());
    for (size_t i = 0; i < sketch.rows; i++) {
      const double* row = x + static_cast<size_t>(sketch.selection[i]) * width;
      for (size_t j = 0; j < width; j++) out[i * n + from + j] = scale * row[j];
    }
  });
}

void applySrhtTransposed(Team& team, const Sketch& sketch, const double* y, size_t n, double* out) {
  const size_t length = powerOfTwo(sketch.inputRows);
  const double scale = 1 / std::sqrt(static_cast<double>(sketch.rows));
  const Aligned<double> signs = signsOf(team, sketch);
  Aligned<double> scratch(team.size() * length * kHadamardColumns);
  team.run(chunkCount(n, kHadamardColumns), [&](uint32_t chunk, unsigned worker) {
    const size_t from = chunk * kHadamardColumns, width = std::min(kHadamardColumns, n - from);
    double* x = scratch.data() + worker * length * kHadamardColumns;
    std::fill_n(x, length * width, 0.0);
    for (size_t i = 0; i < sketch.rows; i++) {
      double* row = x + static_cast<size_t>(sketch.selection[i]) * width;
      for (size_t j = 0; j < width; j++) row[j] += scale * y[i * n + from + j];
    }
    hadamard(x, length, width, team.monitor());
    for (size_t i = 0; i < sketch.inputRows; i++) {
      for (size_t j = 0; j < width; j++) out[i * n + from + j] = signs[i] * x[i * width + j];
    }
  });
}

// --- Sparse signs

// Targets of each row of the input, complemented where the sign is minus.
Aligned<int32_t> targetsOf(Team& team, const Sketch& sketch) {
  const size_t count = sketch.nonzeros;
  Aligned<int32_t> targets(sketch.inputRows * count);
  const size_t width = std::max<size_t>(1024, (sketch.inputRows + 1023) / 1024);
  team.run(chunkCount(sketch.inputRows, width), [&](uint32_t chunk, unsigned) {
    for (size_t j = chunk * width; j < std::min(sketch.inputRows, (chunk + 1) * width); j++) {
      int32_t* own = targets.data() + j * count;
      for (size_t t = 0; t < count; t++) {
        const Word word = wordAt(sketch.key, j * uint64_t{count} + t);
        const size_t left = sketch.rows - count + t + 1;
        auto row = static_cast<int32_t>(below(word, left));
        const bool taken = std::any_of(own, own + t, [row](int32_t o) { return (o < 0 ? ~o : o) == row; });
        if (taken) row = static_cast<int32_t>(left - 1);
        own[t] = (word.low & 1) != 0 ? ~row : row;
      }
    }
  });
  return targets;
}

void applySparseSign(Team& team, const Sketch& sketch, const MatrixView& a, double* out) {
  const size_t n = a.columns, count = sketch.nonzeros, s = sketch.rows;
  const double scale = 1 / std::sqrt(static_cast<double>(count));
  const Aligned<int32_t> targets = targetsOf(team, sketch);
  // Columns whose part of the sketch stays in cache.
  const size_t width = std::clamp((size_t{1} << 16) / s / 8 * 8, size_t{16}, size_t{256});
  team.run(chunkCount(n, width), [&](uint32_t chunk, unsigned) {
    const size_t from = chunk * width, columns = std::min(width, n - from);
    Aligned<double> sums(s * columns);
    if (a.sparse()) {
      for (size_t i = 0; i < a.rows; i++) {
        eachEntry(a, i, from, from + columns, [&](size_t j, double value) {
          for (size_t t = 0; t < count; t++) {
            const int32_t target = targets[i * count + t];
            if (target >= 0) {
              sums[static_cast<size_t>(target) * columns + j - from] += value;
            } else {
              sums[static_cast<size_t>(~target) * columns + j - from] -= value;
            }
          }
        });
      }
    } else {
      for (size_t i = 0; i < a.rows && !team.monitor().cancelled(); i += 4096) {
        scatterRows(a.data + i * n + from, n, std::min<size_t>(4096, a.rows - i), columns,
                    targets.data() + i * count, count, sums.data(), columns);
      }
    }
    for (size_t i = 0; i < s; i++) {
      for (size_t j = 0; j < columns; j++) out[i * n + from + j] = scale * sums[i * columns + j];
    }
  });
}

void applySparseSignTransposed(Team& team, const Sketch& sketch, const double* y, size_t n, double* out) {
  const size_t count = sketch.nonzeros;
  const double scale = 1 / std::sqrt(static_cast<double>(count));
  const Aligned<int32_t> targets = targetsOf(team, sketch);
  const size_t width = std::max<size_t>(256, (sketch.inputRows + 255) / 256);
  team.run(chunkCount(sketch.inputRows, width), [&](uint32_t chunk, unsigned) {
    for (size_t j = chunk * width; j < std::min(sketch.inputRows, (chunk + 1) * width); j++) {
      double* to = out + j * n;
      std::fill_n(to, n, 0.0);
      for (size_t t = 0; t < count; t++) {
        const int32_t target = targets[j * count + t];
        const double* row = y + static_cast<size_t>(target < 0 ? ~target : target) * n;
        const double factor = target < 0 ? -scale : scale;
        for (size_t c = 0; c < n; c++) to[c] += factor * row[c];
      }
    }
  });
}

// --- Rows

void applyRows(const Sketch& sketch, const MatrixView& a, double* out) {
  const size_t n = a.columns;
  for (size_t i = 0; i < sketch.rows; i++) {
    const auto from = static_cast<size_t>(sketch.selection[i]);
    double* to = out + i * n;
    std::fill_n(to, n, 0.0);
    if (a.sparse()) {
      eachEntry(a, from, 0, n, [&](size_t j, double value) { to[j] = sketch.scales[i] * value; });
    } else {
      for (size_t j = 0; j < n; j++) to[j] = sketch.scales[i] * a.data[from * n + j];
    }
  }
}

void applyRowsTransposed(const Sketch& sketch, const double* y, size_t n, double* out) {
  std::fill_n(out, sketch.inputRows * n, 0.0);
  for (size_t i = 0; i < sketch.rows; i++) {
    double* to = out + static_cast<size_t>(sketch.selection[i]) * n;
    for (size_t j = 0; j < n; j++) to[j] += sketch.scales[i] * y[i * n + j];
  }
}

}  // namespace

void drawRows(Team& team, const Sketch& sketch, const MatrixView& a) {
  const size_t m = a.rows, n = a.columns;
  Aligned<double> sums(m);
  const size_t width = std::max<size_t>(256, (m + 255) / 256);
  const auto entries = [&](size_t i, auto&& entry) {
    if (a.sparse()) {
      eachEntry(a, i, 0, n, [&](size_t, double value) { entry(value); });
    } else {
      for (size_t j = 0; j < n; j++) entry(a.data[i * n + j]);
    }
  };
  std::vector<double> largest(chunkCount(m, width));
  team.run(chunkCount(m, width), [&](uint32_t chunk, unsigned) {
    for (size_t i = chunk * width; i < std::min(m, (chunk + 1) * width); i++) {
      entries(i, [&](double value) { largest[chunk] = std::max(largest[chunk], std::fabs(value)); });
    }
  });
  const double most = *std::max_element(largest.begin(), largest.end());
  const double unit = most > 0 ? std::exp2(std::floor(std::log2(most))) : 1;
  team.run(chunkCount(m, width), [&](uint32_t chunk, unsigned) {
    for (size_t i = chunk * width; i < std::min(m, (chunk + 1) * width); i++) {
      double sum = 0;
      entries(i, [&](double value) { sum += (value / unit) * (value / unit); });
      sums[i] = most > 0 ? sum : 1;
    }
  });
  for (size_t i = 1; i < m; i++) sums[i] += sums[i - 1];
  const double total = sums[m - 1];
  for (size_t i = 0; i < sketch.rows; i++) {
    const Word word = wordAt(sketch.key, i);
    const double u = static_cast<double>((uint64_t{word.high} << 32 | word.low) >> 11) * 0x1p-53;
    const size_t row = std::min(
        m - 1, static_cast<size_t>(std::upper_bound(sums.begin(), sums.end(), u * total) - sums.begin()));
    sketch.selection[i] = static_cast<int32_t>(row);
    const double own = sums[row] - (row > 0 ? sums[row - 1] : 0);
    sketch.scales[i] = std::sqrt(total / (own * static_cast<double>(sketch.rows)));
  }
}

void applySketch(Team& team, const Sketch& sketch, const MatrixView& a, double* out) {
  switch (sketch.kind) {
    case SketchKind::gaussian:
      return applyGaussian(team, sketch, a, out);
    case SketchKind::srht:
      return applySrht(team, sketch, a, out);
    case SketchKind::sparseSign:
      return applySparseSign(team, sketch, a, out);
    case SketchKind::rows:
    case SketchKind::normRows:
      return applyRows(sketch, a, out);
  }
}

void applySketchTransposed(Team& team, const Sketch& sketch, const double* y, size_t columns, double* out) {
  switch (sketch.kind) {
    case SketchKind::gaussian:
      return applyGaussianTransposed(team, sketch, y, columns, out);
    case SketchKind::srht:
      return applySrhtTransposed(team, sketch, y, columns, out);
    case SketchKind::sparseSign:
      return applySparseSignTransposed(team, sketch, y, columns, out);
    case SketchKind::rows:
    case SketchKind::normRows:
      return applyRowsTransposed(sketch, y, columns, out);
  }
}

}  // namespace extrema::dense
