// Passes over the gradients: p = G x and sums G^T w, and the product with the inverse that they make.

#include <cblas.h>

#include <vector>

#include "core/aligned.h"
#include "core/team.h"
#include "curvature/fisher.h"
#include "curvature/rows.h"

namespace extrema::curvature {

namespace {

constexpr size_t kWide = size_t{1} << 14;  // columns of a block that is worth several threads
// Columns whose sums stay in the second cache while all rows pass by: rows are read in stretches of that
// length.
constexpr size_t kTile = size_t{1} << 14;
constexpr size_t kStretch = 512;
constexpr size_t kMostChunks = 64;

void read(const Numbers& x, size_t from, size_t n, double* out) {
  either(x, [&](const auto* numbers) { std::copy(numbers + from, numbers + from + n, out); });
}
void write(const Results& results, size_t from, size_t n, const double* values) {
  either(results, [&](auto* out) {
    for (size_t j = 0; j < n; j++)
      out[from + j] = static_cast<std::remove_pointer_t<decltype(out)>>(values[j]);
  });
}

// A block's columns in chunks of whole tiles, whose number depends on the width alone.
struct Chunks {
  explicit Chunks(size_t width) : width(width) {
    const size_t tiles = (width + kTile - 1) / kTile;
    each = (tiles + kMostChunks - 1) / kMostChunks * kTile;
    count = static_cast<uint32_t>((width + each - 1) / each);
  }
  // fn(begin, columns) for the tiles of a chunk.
  template <class F>
  void tiles(uint32_t chunk, F&& fn) const {
    for (size_t j = chunk * each; j < std::min(width, (chunk + size_t{1}) * each); j += kTile)
      fn(j, std::min(kTile, width - j));
  }
  size_t width, each;
  uint32_t count;
};

// p += G x over columns from `from`, by the team.
template <class T>
void projectWide(Team& team, const T* g, size_t m, size_t d, size_t from, size_t width, const Numbers& x,
                 double* p) {
  const Chunks chunks(width);
  Aligned<double> tiles(team.size() * kTile), parts(chunks.count * m);
  team.run(chunks.count, [&](uint32_t chunk, unsigned worker) {
    double* tile = tiles.data() + worker * kTile;
    chunks.tiles(chunk, [&](size_t j, size_t n) {
      read(x, from + j, n, tile);
      dotRows(g + from + j, d, m, tile, n, parts.data() + chunk * m);
    });
  });
  for (size_t chunk = 0; chunk < chunks.count; chunk++) {
    for (size_t i = 0; i < m; i++) p[i] += parts[chunk * m + i];
  }
}

// Hands finish(column, columns, sums) the sums G^T w of each tile, by the team.
template <class T, class F>
void gatherWide(Team& team, const T* g, size_t m, size_t d, size_t from, size_t width, const double* w,
                F&& finish) {
  const Chunks chunks(width);
  Aligned<double> tiles(team.size() * kTile);
  team.run(chunks.count, [&](uint32_t chunk, unsigned worker) {
    double* sums = tiles.data() + worker * kTile;
    chunks.tiles(chunk, [&](size_t j, size_t n) {
      std::fill(sums, sums + n, 0.0);
      addRows(g + from + j, d, m, w, n, sums);
      finish(from + j, n, sums);
    });
  });
}

template <class F>
void overBlocks(Team& team, const Blocks& blocks, F&& fn) {
  const size_t count = blocks.count(), group = count / 1024 + 1;
  team.run(static_cast<uint32_t>((count + group - 1) / group), [&](uint32_t chunk, unsigned worker) {
    for (size_t b = chunk * group; b < std::min(count, (chunk + size_t{1}) * group); b++) fn(b, worker);
  });
}

// F^-1 x of one block, given sums = G^T K^-1 G x.
void finishWoodbury(const double* x, const double* sums, size_t n, double m, double damping, double* out) {
  for (size_t j = 0; j < n; j++) out[j] = (x[j] - sums[j] / m) / damping;
}

void substitute(const double* factor, size_t order, size_t pitch, double* p) {
  const int n = static_cast<int>(order), lda = static_cast<int>(pitch);
  cblas_dtrsv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, n, factor, lda, p, 1);
  cblas_dtrsv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, n, factor, lda, p, 1);
}

template <class T>
void inverseByRows(const InverseJob& job, const T* g, Team& team) {
  const Blocks& blocks = job.g.blocks;
  const size_t m = job.g.rows, d = blocks.columns;
  const double count = static_cast<double>(m);
  if (blocks.size >= kWide) {
    Aligned<double> p(m), tiles(team.size() * kTile);
    for (size_t b = 0; b < blocks.count() && !team.monitor().cancelled(); b++) {
      p.clear();
      projectWide(team, g, m, d, blocks.begin(b), blocks.width(b), job.x, p.data());
      substitute(job.factors + b * m * m, m, m, p.data());
      gatherWide(team, g, m, d, blocks.begin(b), blocks.width(b), p.data(),
                 [&](size_t j, size_t n, double* sums) {
                   double x[kStretch];
                   for (size_t k = 0; k < n; k += kStretch) {
                     const size_t some = std::min(kStretch, n - k);
                     read(job.x, j + k, some, x);
                     finishWoodbury(x, sums + k, some, count, job.damping, sums + k);
                   }
                   write(job.out, j, n, sums);
                 });
    }
    return;
  }
  // A block is read from memory once: its second pass finds it in the cache.
  const size_t scratch = 2 * padded<double>(blocks.size) + padded<double>(m);
  Aligned<double> memory(team.size() * scratch);
  overBlocks(team, blocks, [&](size_t b, unsigned worker) {
    double* x = memory.data() + worker * scratch;
    double *sums = x + padded<double>(blocks.size), *p = sums + padded<double>(blocks.size);
    const size_t from = blocks.begin(b), n = blocks.width(b);
    read(job.x, from, n, x);
    std::fill(p, p + m, 0.0);
    std::fill(sums, sums + n, 0.0);
    dotRows(g + from, d, m, x, n, p);
    substitute(job.factors + b * m * m, m, m, p);
    addRows(g + from, d, m, p, n, sums);
    finishWoodbury(x, sums, n, count, job.damping, sums);
    write(job.out, from, n, sums);
  });
}

void inverseByColumns(const InverseJob& job, Team& team) {
  const Blocks& blocks = job.g.blocks;
  const size_t pitch = blocks.size, scratch = padded<double>(pitch);
  Aligned<double> memory(team.size() * scratch);
  overBlocks(team, blocks, [&](size_t b, unsigned worker) {
    double* x = memory.data() + worker * scratch;
    read(job.x, blocks.begin(b), blocks.width(b), x);
    substitute(job.factors + b * pitch * pitch, blocks.width(b), pitch, x);
    write(job.out, blocks.begin(b), blocks.width(b), x);
  });
}

}  // namespace

void project(const Gradients& gradients, const Numbers& x, double* p, unsigned threads, Monitor& monitor) {
  Team team(threads, monitor);
  const Blocks& blocks = gradients.blocks;
  const size_t m = gradients.rows;
  std::fill(p, p + blocks.count() * m, 0.0);
  either(gradients.data, [&](const auto* g) {
    if (blocks.size >= kWide) {
      for (size_t b = 0; b < blocks.count() && !monitor.cancelled(); b++)
        projectWide(team, g, m, blocks.columns, blocks.begin(b), blocks.width(b), x, p + b * m);
      return;
    }
    Aligned<double> memory(team.size() * kWide);
    overBlocks(team, blocks, [&](size_t b, unsigned worker) {
      double* part = memory.data() + worker * kWide;
      read(x, blocks.begin(b), blocks.width(b), part);
      dotRows(g + blocks.begin(b), blocks.columns, m, part, blocks.width(b), p + b * m);
    });
  });
}

void gather(const Gradients& gradients, const double* w, double* sum, unsigned threads, Monitor& monitor) {
  Team team(threads, monitor);
  const Blocks& blocks = gradients.blocks;
  const size_t m = gradients.rows;
  either(gradients.data, [&](const auto* g) {
    if (blocks.size >= kWide) {
      for (size_t b = 0; b < blocks.count() && !monitor.cancelled(); b++) {
        gatherWide(team, g, m, blocks.columns, blocks.begin(b), blocks.width(b), w + b * m,
                   [&](size_t j, size_t n, const double* sums) {
                     for (size_t k = 0; k < n; k++) sum[j + k] += sums[k];
                   });
      }
      return;
    }
    overBlocks(team, blocks, [&](size_t b, unsigned) {
      const size_t from = blocks.begin(b);
      addRows(g + from, blocks.columns, m, w + b * m, blocks.width(b), sum + from);
    });
  });
}

void inverseProduct(const InverseJob& job, Monitor& monitor) {
  Team team(job.threads, monitor);
  if (job.columns) {
    inverseByColumns(job, team);
  } else {
    either(job.g.data, [&](const auto* g) { inverseByRows(job, g, team); });
  }
}

}  // namespace extrema::curvature
