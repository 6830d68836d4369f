// Right-looking blocked Cholesky factorization on row-major memory.

#include <algorithm>
#include <string>

#include "core/aligned.h"
#include "core/error.h"
#include "core/team.h"
#include "linear/dense.h"
#include "linear/lapack.h"
#include "linear/matrix.h"
#include "linear/panels.h"

namespace extrema::dense {

namespace {

constexpr size_t kWidth = 128;  // of a panel and of a chunk of rows

// |(A - L L^T) z|
double backwardError(Team& team, const double* a, const double* factor, size_t n, double scale) {
  const int size = static_cast<int>(n);
  Aligned<double> z(n), difference(n);
  for (size_t i = 0; i < n; i++) z[i] = probe(i);
  multiply(team, a, n, n, z.data(), difference.data());
  cblas_dtrmv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, size, factor, size, z.data(), 1);
  cblas_dtrmv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, size, factor, size, z.data(), 1);
  for (size_t i = 0; i < n; i++) difference[i] -= z[i];
  return relativeLargest(difference.data(), n, scale);
}

}  // namespace

double cholesky(const double* a, size_t n, double* factor, unsigned threads, Monitor& monitor) {
  Team team(threads, monitor);
  const MatrixScan scan = scanMatrix(team, "matrix", a, n, n);
  checkSymmetric(team, "matrix", a, n, scan.largest);
  const int pitch = static_cast<int>(n);
  team.run(chunkCount(n, kWidth), [&](uint32_t chunk, unsigned) {
    for (size_t i = chunk * kWidth; i < std::min(n, (chunk + 1) * kWidth); i++)
      std::copy_n(a + i * n, i + 1, factor + i * n);
  });
  for (size_t k0 = 0; k0 < n; k0 += kWidth) {
    if (monitor.cancelled()) return 0;
    monitor.progress(static_cast<double>(k0), 0);
    const size_t k1 = std::min(n, k0 + kWidth);
    const int width = static_cast<int>(k1 - k0);
    double* diagonal = factor + k0 * n + k0;
    int info = 0;
    // Row-major lower is column-major upper.
    dpotrf_("U", &width, diagonal, &pitch, &info, 1);
    if (info != 0) {
      throw Error("ERR_NOT_POSITIVE", "matrix: expected a positive definite matrix, got one whose leading " +
                                          std::to_string(k0 + static_cast<size_t>(info)) +
                                          " rows and columns are not");
    }
    const uint32_t chunks = chunkCount(n - k1, kWidth);
    const auto rows = [&](uint32_t chunk) {
      return static_cast<int>(std::min(kWidth, n - k1 - chunk * kWidth));
    };
    team.run(chunks, [&](uint32_t chunk, unsigned) {
      cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, rows(chunk), width, 1,
                  diagonal, pitch, factor + (k1 + chunk * kWidth) * n + k0, pitch);
    });
    // The longest rows first.
    team.run(chunks, [&](uint32_t turn, unsigned) {
      const uint32_t chunk = chunks - 1 - turn;
      const size_t i0 = k1 + chunk * kWidth;
      const double* left = factor + i0 * n + k0;
      const int count = rows(chunk);
      if (i0 > k1) {
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, count, static_cast<int>(i0 - k1), width, -1,
                    left, pitch, factor + k1 * n + k0, pitch, 1, factor + i0 * n + k1, pitch);
      }
      cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, count, width, -1, left, pitch, 1,
                  factor + i0 * n + i0, pitch);
    });
  }
  return backwardError(team, a, factor, n, scan.rowSum);
}

}  // namespace extrema::dense
