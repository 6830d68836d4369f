#include "linear/matrix.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/aligned.h"
#include "core/error.h"
#include "linear/lapack.h"
#include "linear/panels.h"

namespace extrema::dense {

namespace {

constexpr size_t kChunkEntries = size_t{1} << 17;
constexpr size_t kBlock = 32;
constexpr size_t kLanes = 8;

// Rows for one chunk, so that there are at most about a thousand chunks.
size_t rowsPerChunk(size_t m, size_t n) {
  return std::max({size_t{1}, kChunkEntries / std::max(n, size_t{1}), (m + 1023) / 1024});
}

[[noreturn]] void refuse(const char* name, const double* a, size_t n, size_t at) {
  size_t entry = static_cast<size_t>(
      std::find_if(a + at, a + at + n, [](double x) { return !std::isfinite(x); }) - (a + at));
  // The caller may have written there since.
  entry = std::min(entry, n - 1);
  const double x = a[at + entry];
  const char* came = std::isnan(x) ? "NaN" : x > 0 ? "Infinity" : "-Infinity";
  throw Error("ERR_NOT_FINITE", std::string(name) + "[" + std::to_string(at / n) + "][" +
                                    std::to_string(entry) + "]: expected a finite number, got " + came);
}

}  // namespace

MatrixScan scanMatrix(Team& team, const char* name, const double* a, size_t m, size_t n) {
  const size_t rows = rowsPerChunk(m, n);
  const uint32_t chunks = chunkCount(m, rows);
  std::vector<MatrixScan> parts(chunks);
  std::vector<size_t> bad(chunks, m);
  team.run(chunks, [&](uint32_t chunk, unsigned) {
    MatrixScan& part = parts[chunk];
    for (size_t i = chunk * rows; i < std::min(m, (chunk + 1) * rows); i++) {
      const double* row = a + i * n;
      double most[kLanes] = {}, sum[kLanes] = {};
      size_t j = 0;
      for (; j + kLanes <= n; j += kLanes) {
        for (size_t l = 0; l < kLanes; l++) {
          const double x = std::fabs(row[j + l]);
          most[l] = x > most[l] ? x : most[l];
          sum[l] += x;
        }
      }
      for (; j < n; j++) {
        const double x = std::fabs(row[j]);
        most[0] = std::max(most[0], x);
        sum[0] += x;
      }
      double total = 0, largest = 0;
      for (size_t l = 0; l < kLanes; l++) {
        total += sum[l];
        largest = std::max(largest, most[l]);
      }
      // A sum of finite numbers may overflow: only then is it worth looking.
      if (!std::isfinite(total) && std::any_of(row, row + n, [](double x) { return !std::isfinite(x); }) &&
          bad[chunk] == m) {
        bad[chunk] = i;
      }
      part.rowSum = std::max(part.rowSum, total);
      part.largest = std::max(part.largest, largest);
    }
  });
  MatrixScan all;
  for (uint32_t chunk = 0; chunk < chunks; chunk++) {
    if (bad[chunk] < m) refuse(name, a, n, bad[chunk] * n);
    all.largest = std::max(all.largest, parts[chunk].largest);
    all.rowSum = std::max(all.rowSum, parts[chunk].rowSum);
  }
  return all;
}

void checkSymmetric(Team& team, const char* name, const double* a, size_t n, double largest) {
  const double slack = 1e-8 * largest;
  const uint32_t chunks = chunkCount(n, kBlock);
  std::vector<size_t> bad(chunks, n * n);
  team.run(chunks, [&](uint32_t chunk, unsigned) {
    const size_t i0 = chunk * kBlock, i1 = std::min(n, i0 + kBlock);
    for (size_t j0 = 0; j0 < i1; j0 += kBlock) {
      for (size_t i = i0; i < i1; i++) {
        for (size_t j = j0; j < std::min(i, j0 + kBlock); j++) {
          if (std::fabs(a[i * n + j] - a[j * n + i]) <= slack) continue;
          bad[chunk] = std::min(bad[chunk], i * n + j);
        }
      }
    }
  });
  for (const size_t at : bad) {
    if (at == n * n) continue;
    const size_t i = at / n, j = at % n;
    throw Error("ERR_SHAPE", std::string(name) + ": expected a symmetric matrix, got entries [" +
                                 std::to_string(i) + "][" + std::to_string(j) + "] and [" +
                                 std::to_string(j) + "][" + std::to_string(i) + "] that differ");
  }
}

void transpose(Team& team, const double* a, size_t m, size_t n, double* out) {
  const uint32_t chunks = chunkCount(m, kBlock);
  const uint32_t step = chunks / 4096 + 1;
  team.run((chunks + step - 1) / step, [&](uint32_t chunk, unsigned) {
    const size_t last = std::min(m, (chunk + size_t{1}) * step * kBlock);
    for (size_t i0 = size_t{chunk} * step * kBlock; i0 < last; i0 += kBlock) {
      const size_t i1 = std::min(last, i0 + kBlock);
      for (size_t j0 = 0; j0 < n; j0 += kBlock) {
        for (size_t j = j0; j < std::min(n, j0 + kBlock); j++) {
          for (size_t i = i0; i < i1; i++) out[j * m + i] = a[i * n + j];
        }
      }
    }
  });
}

void transposeSquare(Team& team, double* a, size_t n) {
  team.run(chunkCount(n, kBlock), [&](uint32_t chunk, unsigned) {
    const size_t i0 = chunk * kBlock, i1 = std::min(n, i0 + kBlock);
    for (size_t j0 = 0; j0 <= i0; j0 += kBlock) {
      for (size_t i = i0; i < i1; i++) {
        for (size_t j = j0; j < std::min(i, j0 + kBlock); j++) std::swap(a[i * n + j], a[j * n + i]);
      }
    }
  });
}

void multiplyTriangle(Team& team, const double* a, size_t n, CBLAS_UPLO triangle, CBLAS_TRANSPOSE transpose,
                      CBLAS_DIAG diagonal, const double* x, double* y) {
  constexpr size_t kRows = 128;
  const int pitch = static_cast<int>(n);
  const bool plain = transpose == CblasNoTrans, behind = (triangle == CblasUpper) == plain;
  team.run(chunkCount(n, kRows), [&](uint32_t chunk, unsigned) {
    const size_t i0 = chunk * kRows, i1 = std::min(n, i0 + kRows);
    const size_t from = behind ? i1 : 0, to = behind ? n : i0;
    const int height = static_cast<int>(i1 - i0), width = static_cast<int>(to - from);
    std::copy(x + i0, x + i1, y + i0);
    cblas_dtrmv(CblasRowMajor, triangle, transpose, diagonal, height, a + i0 * (n + 1), pitch, y + i0, 1);
    if (width == 0) return;
    cblas_dgemv(CblasRowMajor, transpose, plain ? height : width, plain ? width : height, 1,
                plain ? a + i0 * n + from : a + from * n + i0, pitch, x + from, 1, 1, y + i0, 1);
  });
}

void multiply(Team& team, const double* a, size_t m, size_t n, const double* x, double* y) {
  const size_t rows = rowsPerChunk(m, n);
  team.run(chunkCount(m, rows), [&](uint32_t chunk, unsigned) {
    const size_t i = chunk * rows;
    cblas_dgemv(CblasRowMajor, CblasNoTrans, static_cast<int>(std::min(rows, m - i)), static_cast<int>(n), 1,
                a + i * n, static_cast<int>(n), x, 1, 0, y + i, 1);
  });
}

void multiplyTransposed(Team& team, const double* a, size_t m, size_t n, const double* x, double* y) {
  // Few parts, each a sum over rows; the parts are added in order.
  const size_t rows = std::max(rowsPerChunk(m, n), (m + 15) / 16);
  const uint32_t chunks = chunkCount(m, rows);
  Aligned<double> parts(chunks * n);
  team.run(chunks, [&](uint32_t chunk, unsigned) {
    const size_t i = chunk * rows;
    cblas_dgemv(CblasRowMajor, CblasTrans, static_cast<int>(std::min(rows, m - i)), static_cast<int>(n), 1,
                a + i * n, static_cast<int>(n), x + i, 1, 0, parts.data() + chunk * n, 1);
  });
  std::copy_n(parts.data(), n, y);
  for (uint32_t chunk = 1; chunk < chunks; chunk++) {
    for (size_t j = 0; j < n; j++) y[j] += parts[chunk * n + j];
  }
}

namespace {

constexpr size_t kTileSide = 256;   // of c, about: smaller ones cost BLAS much packing
constexpr size_t kTallTile = 1024;  // where one side is long
constexpr size_t kFewestTiles = 4, kMostTiles = 32, kMostDepths = 8, kDepthStep = 4096;
constexpr size_t kLeastProducts = 1 << 22;  // for one chunk

size_t partsOf(size_t side) {
  return std::max(std::clamp<size_t>((side + kTileSide / 2) / kTileSide, 1, 8), side / kTallTile);
}

// In steps along the sum, as BLAS cannot be interrupted.
void multiplyTile(const Product& p, size_t i0, size_t i1, size_t j0, size_t j1, size_t l0, size_t l1,
                  double beta, double* c, size_t pitch, const Monitor& monitor) {
  size_t l = l0;
  do {
    const size_t end = std::min(l1, l + kDepthStep);
    const double* a = p.a + (p.transposeA ? l * p.pitchA + i0 : i0 * p.pitchA + l);
    const double* b = p.b + (p.transposeB ? j0 * p.pitchB + l : l * p.pitchB + j0);
    cblas_dgemm(CblasRowMajor, p.transposeA ? CblasTrans : CblasNoTrans,
                p.transposeB ? CblasTrans : CblasNoTrans, static_cast<int>(i1 - i0),
                static_cast<int>(j1 - j0), static_cast<int>(end - l), p.alpha, a, static_cast<int>(p.pitchA),
                b, static_cast<int>(p.pitchB), l == l0 ? beta : 1, c, static_cast<int>(pitch));
    l = end;
  } while (l < l1 && !monitor.cancelled());
}

// c is small and the sum behind each entry long: parts of the sum, added in order.
void multiplyByDepth(Team& team, const Product& p, size_t depths) {
  const size_t size = p.m * p.n;
  Aligned<double> parts(depths * size);
  team.run(static_cast<uint32_t>(depths), [&](uint32_t d, unsigned) {
    multiplyTile(p, 0, p.m, 0, p.n, p.k * d / depths, p.k * (d + 1) / depths, 0, parts.data() + d * size, p.n,
                 team.monitor());
  });
  for (size_t i = 0; i < p.m; i++) {
    double* row = p.c + i * p.pitchC;
    for (size_t j = 0; j < p.n; j++) {
      double sum = 0;
      for (size_t d = 0; d < depths; d++) sum += parts[d * size + i * p.n + j];
      row[j] = p.beta == 0 ? sum : sum + p.beta * row[j];
    }
  }
}

}  // namespace

void multiply(Team& team, const Product& p) {
  if (p.m == 0 || p.n == 0) return;
  size_t byRows = partsOf(p.m), byColumns = partsOf(p.n);
  while (byRows * byColumns > kMostTiles) {
    // Never longer than kTallTile.
    size_t& most = byRows > byColumns ? byRows : byColumns;
    const size_t side = byRows > byColumns ? p.m : p.n;
    if (most / 2 <= side / kTallTile) break;
    most /= 2;
  }
  const size_t chunks = std::max<size_t>(1, p.m * p.n * std::max<size_t>(1, p.k) / kLeastProducts);
  if (byRows * byColumns < kFewestTiles && p.k > 4 * kTallTile && chunks > 1) {
    multiplyByDepth(team, p, std::min(chunks, kMostDepths));
    return;
  }
  while (byRows * byColumns > chunks) (byRows > byColumns ? byRows : byColumns) /= 2;
  team.run(static_cast<uint32_t>(byRows * byColumns), [&](uint32_t chunk, unsigned) {
    const size_t r = chunk / byColumns, s = chunk % byColumns;
    const size_t i0 = p.m * r / byRows, j0 = p.n * s / byColumns;
    multiplyTile(p, i0, p.m * (r + 1) / byRows, j0, p.n * (s + 1) / byColumns, 0, p.k, p.beta,
                 p.c + i0 * p.pitchC + j0, p.pitchC, team.monitor());
  });
}

double relativeLargest(const double* x, size_t n, double scale) {
  double largest = 0;
  for (size_t i = 0; i < n; i++) largest = std::max(largest, std::fabs(x[i]));
  return scale > 0 ? largest / scale : 0;
}

}  // namespace extrema::dense
