#include <cblas.h>

#include <cfloat>

#include "core/aligned.h"
#include "core/team.h"
#include "curvature/fisher.h"

namespace extrema::curvature {

namespace {

constexpr size_t kNumbers = size_t{1} << 18;  // of the rows that are solved for at once

// L^-1 B for m x n numbers.
void solveLower(const double* factor, size_t m, size_t pitch, double* b, size_t n) {
  cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, static_cast<int>(m),
              static_cast<int>(n), 1, factor, static_cast<int>(pitch), b, static_cast<int>(n));
}

// out_j = sum_i b_ij^2 over m rows of n numbers.
void squaredColumns(const double* b, size_t m, size_t n, double* out) {
  std::fill(out, out + n, 0.0);
  for (size_t i = 0; i < m; i++) {
    for (size_t j = 0; j < n; j++) out[j] += b[i * n + j] * b[i * n + j];
  }
}

// [F^-1]_jj = (1 - |L^-1 g_j|^2 / m) / damping, g_j the column; positive, so what rounding takes below one
// unit counts as that unit.
template <class T>
void byRows(const DiagonalJob& job, const T* g, Team& team) {
  const Blocks& blocks = job.g.blocks;
  const size_t m = job.g.rows, d = blocks.columns;
  const size_t tile = std::min(blocks.size, std::clamp<size_t>(kNumbers / m, 16, 512));
  const size_t perBlock = (blocks.size + tile - 1) / tile, tiles = blocks.count() * perBlock,
               group = tiles / 4096 + 1;
  Aligned<double> memory(team.size() * m * tile);
  team.run(static_cast<uint32_t>((tiles + group - 1) / group), [&](uint32_t chunk, unsigned worker) {
    for (size_t t = chunk * group;
         t < std::min(tiles, (chunk + size_t{1}) * group) && !team.monitor().cancelled(); t++) {
      const size_t b = t / perBlock, start = t % perBlock * tile;
      if (start >= blocks.width(b)) continue;
      const size_t from = blocks.begin(b) + start, n = std::min(tile, blocks.width(b) - start);
      double* columns = memory.data() + worker * m * tile;
      for (size_t i = 0; i < m; i++) std::copy(g + i * d + from, g + i * d + from + n, columns + i * n);
      solveLower(job.factors + b * m * m, m, m, columns, n);
      squaredColumns(columns, m, n, job.out + from);
      for (size_t j = from; j < from + n; j++)
        job.out[j] = std::max(1 - job.out[j] / job.divisor, DBL_EPSILON / 2) / job.damping;
    }
  });
}

// [F^-1]_jj = |L^-1 e_j|^2.
void byColumns(const DiagonalJob& job, Team& team) {
  const Blocks& blocks = job.g.blocks;
  const size_t pitch = blocks.size;
  // Unit columns, some at a time: a block may be large.
  const size_t tile = std::min(pitch, std::clamp<size_t>(kNumbers / pitch, 16, 512));
  const size_t perBlock = (pitch + tile - 1) / tile, tiles = blocks.count() * perBlock,
               group = tiles / 4096 + 1;
  Aligned<double> memory(team.size() * pitch * tile);
  team.run(static_cast<uint32_t>((tiles + group - 1) / group), [&](uint32_t chunk, unsigned worker) {
    for (size_t t = chunk * group;
         t < std::min(tiles, (chunk + size_t{1}) * group) && !team.monitor().cancelled(); t++) {
      const size_t b = t / perBlock, start = t % perBlock * tile, width = blocks.width(b);
      if (start >= width) continue;
      // L^-1 e_j starts at place j.
      const size_t n = std::min(tile, width - start), rows = width - start;
      double* units = memory.data() + worker * pitch * tile;
      std::fill(units, units + rows * n, 0.0);
      for (size_t j = 0; j < n; j++) units[j * n + j] = 1;
      solveLower(job.factors + (b * pitch + start) * pitch + start, rows, pitch, units, n);
      squaredColumns(units, rows, n, job.out + blocks.begin(b) + start);
    }
  });
}

}  // namespace

void diagonal(const DiagonalJob& job, Monitor& monitor) {
  Team team(job.threads, monitor);
  if (job.columns) {
    byColumns(job, team);
  } else {
    either(job.g.data, [&](const auto* g) { byRows(job, g, team); });
  }
}

void entries(const EntriesJob& job, Monitor& monitor) {
  const size_t n = job.order, k = job.k;
  Aligned<double> solved(n * k);
  if (job.rows != nullptr) {
    std::copy(job.rows, job.rows + n * k, solved.data());
  } else {
    for (size_t j = 0; j < k; j++) solved[static_cast<size_t>(job.places[j]) * k + j] = 1;
  }
  solveLower(job.factor, n, job.pitch, solved.data(), k);
  if (monitor.cancelled()) return;
  cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, static_cast<int>(k), static_cast<int>(n), 1,
              solved.data(), static_cast<int>(k), 0, job.out, static_cast<int>(k));
  for (size_t i = 0; i < k; i++) {
    for (size_t j = 0; j <= i; j++) {
      double value = job.out[i * k + j];
      if (job.rows != nullptr) {
        // Two of the k may be the same coordinate.
        const bool same = job.places[i] == job.places[j];
        value = same ? std::max(1 - value / job.divisor, DBL_EPSILON / 2) : -value / job.divisor;
        value /= job.damping;
      }
      job.out[i * k + j] = value;
      job.out[j * k + i] = value;
    }
  }
}

}  // namespace extrema::curvature
