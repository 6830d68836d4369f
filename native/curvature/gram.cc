#include <cblas.h>

#include <cmath>
#include <string>

#include "core/aligned.h"
#include "core/error.h"
#include "core/team.h"
#include "curvature/fisher.h"

namespace extrema::curvature {

namespace {

constexpr size_t kWide = size_t{1} << 14;  // columns of a block that is worth several threads
constexpr size_t kMostParts = 8;
constexpr size_t kLeastPart = size_t{1} << 12;
constexpr size_t kProducts = size_t{1} << 27;  // of one call of BLAS, which cannot be interrupted
constexpr size_t kTile = size_t{1} << 17;      // numbers of the converted rows, to stay in the cache

// Columns of G that one call of BLAS sums over.
size_t depthOf(size_t rows) {
  return std::clamp<size_t>(std::min(kProducts / (rows * rows), kTile / rows), 32, 2048);
}

// Rows in double: in place, or converted to `tile`.
struct Part {
  const double* data;
  size_t pitch;
};
Part part(const double* g, size_t pitch, size_t, size_t from, size_t, double*) { return {g + from, pitch}; }
Part part(const float* g, size_t pitch, size_t rows, size_t from, size_t n, double* tile) {
  for (size_t i = 0; i < rows; i++) {
    const float* row = g + i * pitch + from;
    for (size_t j = 0; j < n; j++) tile[i * n + j] = static_cast<double>(row[j]);
  }
  return {tile, n};
}

// c += the products over columns [from, to).
template <class T>
void addProducts(const GramJob& job, const T* g, const T* h, size_t from, size_t to, double* tiles, double* c,
                 size_t pitch, const Monitor& monitor) {
  const size_t m = job.g.rows, n = job.h.rows, d = job.g.blocks.columns, step = depthOf(std::max(m, n));
  for (size_t j = from; j < to && !monitor.cancelled(); j += step) {
    const size_t width = std::min(step, to - j);
    const Part left = part(g, d, m, j, width, tiles);
    if (g == h) {
      cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, static_cast<int>(m), static_cast<int>(width), 1,
                  left.data, static_cast<int>(left.pitch), 1, c, static_cast<int>(pitch));
      continue;
    }
    const Part right = part(h, d, n, j, width, tiles + m * step);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(m), static_cast<int>(n),
                static_cast<int>(width), 1, left.data, static_cast<int>(left.pitch), right.data,
                static_cast<int>(right.pitch), 1, c, static_cast<int>(pitch));
  }
}

template <class T>
void rowsForm(const GramJob& job, const T* g, const T* h, Team& team) {
  const Blocks& blocks = job.g.blocks;
  const size_t m = job.g.rows, n = job.h.rows, step = depthOf(std::max(m, n)), matrix = job.order * job.order;
  const size_t tile = (m + n) * step;
  Aligned<double> tiles(team.size() * tile);
  double* corner = job.out + job.row * job.order + job.column;
  if (blocks.size < kWide) {
    const size_t count = blocks.count(), group = count / 1024 + 1;
    team.run(static_cast<uint32_t>((count + group - 1) / group), [&](uint32_t chunk, unsigned worker) {
      for (size_t b = chunk * group; b < std::min(count, (chunk + 1) * group); b++) {
        const size_t from = blocks.begin(b);
        addProducts(job, g, h, from, from + blocks.width(b), tiles.data() + worker * tile,
                    corner + b * matrix, job.order, team.monitor());
      }
    });
    return;
  }
  // Parts of the sum over a block's columns, added in their order.
  const size_t parts = std::clamp<size_t>(blocks.size / kLeastPart, 1, kMostParts);
  Aligned<double> sums(parts * m * n);
  for (size_t b = 0; b < blocks.count(); b++) {
    const size_t from = blocks.begin(b), width = blocks.width(b);
    sums.clear();
    team.run(static_cast<uint32_t>(parts), [&](uint32_t p, unsigned worker) {
      addProducts(job, g, h, from + width * p / parts, from + width * (p + size_t{1}) / parts,
                  tiles.data() + worker * tile, sums.data() + p * m * n, n, team.monitor());
    });
    for (size_t p = 0; p < parts; p++) {
      for (size_t i = 0; i < m; i++) {
        double* row = corner + b * matrix + i * job.order;
        for (size_t j = 0; j < (g == h ? i + 1 : n); j++) row[j] += sums[(p * m + i) * n + j];
      }
    }
  }
}

template <class T>
void columnsForm(const GramJob& job, const T* g, Team& team) {
  const Blocks& blocks = job.g.blocks;
  const size_t m = job.g.rows, d = blocks.columns, count = blocks.count(), group = count / 1024 + 1;
  const size_t step = depthOf(blocks.size), tile = blocks.size * step, matrix = job.order * job.order;
  Aligned<double> tiles(team.size() * tile);
  team.run(static_cast<uint32_t>((count + group - 1) / group), [&](uint32_t chunk, unsigned worker) {
    for (size_t b = chunk * group; b < std::min(count, (chunk + 1) * group); b++) {
      const size_t from = blocks.begin(b), width = blocks.width(b);
      for (size_t i = 0; i < m && !team.monitor().cancelled(); i += step) {
        const size_t rows = std::min(step, m - i);
        const Part some = part(g + i * d, d, rows, from, width, tiles.data() + worker * tile);
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, static_cast<int>(width), static_cast<int>(rows), 1,
                    some.data, static_cast<int>(some.pitch), 1, job.out + b * matrix,
                    static_cast<int>(job.order));
      }
    }
  });
}

// NaN and infinities show on the diagonals; only then is it worth looking for them.
template <class T>
void checkGradients(const GramJob& job, const T* g) {
  const Blocks& blocks = job.g.blocks;
  const size_t matrix = job.order * job.order;
  bool finite = true;
  for (size_t b = 0; b < blocks.count() && finite; b++) {
    const size_t order = job.columns ? blocks.width(b) : job.g.rows;
    const double* s = job.out + b * matrix + (job.columns ? 0 : job.row * job.order + job.column);
    for (size_t i = 0; i < order; i++) finite = finite && std::isfinite(s[i * job.order + i]);
  }
  if (finite) return;
  const size_t d = blocks.columns, size = job.g.rows * d;
  for (size_t at = 0; at < size; at++) {
    const double value = static_cast<double>(g[at]);
    if (std::isfinite(value)) continue;
    const char* came = std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
    throw Error("ERR_NOT_FINITE", "gradients[" + std::to_string(job.row + at / d) + "][" +
                                      std::to_string(at % d) + "]: expected a finite number, got " + came);
  }
  throw Error("ERR_NOT_FINITE", "gradients: their squared norms overflow; rescale them");
}

}  // namespace

void gram(const GramJob& job, Monitor& monitor) {
  Team team(job.threads, monitor);
  either(job.g.data, [&](const auto* g) {
    using T = std::remove_pointer_t<decltype(g)>;
    const T* h = nullptr;
    if constexpr (std::is_same_v<std::remove_const_t<T>, double>) {
      h = job.h.data.as64;
    } else {
      h = job.h.data.as32;
    }
    if (job.columns) {
      columnsForm(job, g, team);
    } else {
      rowsForm(job, g, h, team);
    }
    if (!monitor.cancelled() && (job.columns || g == h)) checkGradients(job, g);
  });
}

}  // namespace extrema::curvature
