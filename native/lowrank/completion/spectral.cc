// Musco, Musco 2015, "Randomized block Krylov methods for stronger and faster approximate singular value
// decomposition" (arXiv 1504.05477), algorithm 2.

#include "lowrank/completion/spectral.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>

#include "lowrank/completion/dense.h"
#include "lowrank/completion/rows.h"
#include "random/random.h"

namespace extrema::lowrank {

namespace {

constexpr size_t kBlocks = 3;  // of the Krylov space
constexpr size_t kMore = 8;    // columns of a block beyond the rank

// out = A x for the lines of A; x and out have `pitch` numbers a row.
void multiply(const Spectral& spectral, const Lines& lines, const double* x, size_t pitch, double* out,
              Team& team) {
  std::vector<Aligned<double>> scratch;
  for (unsigned worker = 0; worker < team.size(); worker++) scratch.emplace_back(lines.longest);
  team.run(lines.chunkCount(), [&](uint32_t chunk, unsigned worker) {
    double* coefficients = scratch[worker].data();
    for (size_t i = lines.chunks[chunk]; i < lines.chunks[chunk + 1]; i++) {
      const size_t from = lines.start[i], count = lines.start[i + 1] - from;
      for (size_t e = 0; e < count; e++)
        coefficients[e] =
            spectral.ones ? 1 : lines.weight(from + e) * (lines.value(from + e) - spectral.mean);
      double* row = out + i * pitch;
      std::fill_n(row, pitch, 0.0);
      combineRows(x, pitch, lines.index.data() + from, count, coefficients, row);
    }
  });
}

// to (rows × rank) = x (rows × width, of `pitch`) B, B width × rank.
void project(const Aligned<double>& x, size_t rows, size_t pitch, size_t width, const double* b, size_t rank,
             double* to) {
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(rows), static_cast<int>(rank),
              static_cast<int>(width), 1, x.data(), static_cast<int>(pitch), b, static_cast<int>(rank), 0, to,
              static_cast<int>(rank));
}

}  // namespace

void spectralStart(Spectral& s, Team& team) {
  const size_t m = s.rows->count, n = s.columns->count, rank = s.rank;
  const size_t block = std::min(rank + kMore, std::min(m, n)), width = kBlocks * block;
  const size_t narrow = (block + 7) / 8 * 8, wide = (width + 7) / 8 * 8;
  Aligned<double> x(n * narrow), y(m * narrow), basis(m * wide), image(n * wide), normals(n * block);
  std::vector<double> r(width * width), gram(width * width), values(width), vectors(width * width);
  const uint32_t counter[4] = {0, 0, 0, 0x7ffffff0};
  fillNormal(s.key, counter, normals.data(), n * block);
  for (size_t j = 0; j < n; j++) std::copy_n(&normals[j * block], block, &x[j * narrow]);
  for (size_t b = 0; b < kBlocks; b++) {
    multiply(s, *s.rows, x.data(), narrow, y.data(), team);
    orthonormalize(team, {y.data(), m, narrow, 0, block}, r.data(), Missing::zero, s.key);
    if (team.monitor().cancelled()) return;
    for (size_t i = 0; i < m; i++) std::copy_n(&y[i * narrow], block, &basis[i * wide + b * block]);
    if (b + 1 < kBlocks) multiply(s, *s.columns, y.data(), narrow, x.data(), team);
  }
  orthonormalize(team, {basis.data(), m, wide, 0, width}, r.data(), Missing::zero, s.key);
  multiply(s, *s.columns, basis.data(), wide, image.data(), team);
  if (team.monitor().cancelled()) return;
  gramOf(team, {image.data(), n, wide, 0, width}, gram.data());
  symmetricEigen(gram.data(), width, values.data(), vectors.data());
  std::vector<double> turn(width * rank);
  s.values = Aligned<double>(rank);
  for (size_t k = 0; k < rank; k++) {
    s.values[k] = std::sqrt(std::max(0.0, values[k]));
    for (size_t c = 0; c < width; c++) turn[c * rank + k] = vectors[k * width + c];
  }
  s.left = Aligned<double>(m * rank);
  s.product = Aligned<double>(n * rank);
  project(basis, m, wide, width, turn.data(), rank, s.left.data());
  project(image, n, wide, width, turn.data(), rank, s.product.data());
}

}  // namespace extrema::lowrank
