// Right-looking blocked Cholesky factorization on row-major memory, a panel ahead.

#include <algorithm>
#include <atomic>
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

constexpr size_t kWidth = 128;  // of a panel

// |(A - L L^T) z|
double backwardError(Team& team, const double* a, const double* factor, size_t n, double scale) {
  Aligned<double> z(n), inner(n), difference(n);
  for (size_t i = 0; i < n; i++) z[i] = probe(i);
  multiply(team, a, n, n, z.data(), difference.data());
  multiplyTriangle(team, factor, n, CblasLower, CblasTrans, CblasNonUnit, z.data(), inner.data());
  multiplyTriangle(team, factor, n, CblasLower, CblasNoTrans, CblasNonUnit, inner.data(), z.data());
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
  std::atomic<size_t> failed{0};  // the leading block without a factor
  const auto row = [&](size_t i, size_t j) { return factor + i * n + j; };
  const auto panel = [&](size_t p, unsigned) {
    const size_t k0 = p * kWidth, k1 = std::min(n, k0 + kWidth);
    const int width = static_cast<int>(k1 - k0);
    monitor.progress(static_cast<double>(k0), 0);
    int info = 0;
    // Row-major lower is column-major upper.
    if (failed == 0) dpotrf_("U", &width, row(k0, k0), &pitch, &info, 1);
    if (info != 0) failed = k0 + static_cast<size_t>(info);
    if (failed != 0 || k1 == n) return;
    cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, static_cast<int>(n - k1),
                width, 1, row(k0, k0), pitch, row(k1, k0), pitch);
  };
  forPanels(
      team, n, n, panel,
      [&](size_t p, size_t from, size_t to, unsigned) {
        if (failed != 0) return;
        const size_t k0 = p * kWidth;
        const int depth = static_cast<int>(kWidth), count = static_cast<int>(to - from);
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, count, depth, -1, row(from, k0), pitch, 1,
                    row(from, from), pitch);
        if (to == n) return;
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(n - to), count, depth, -1,
                    row(to, k0), pitch, row(from, k0), pitch, 1, row(to, from), pitch);
      },
      kWidth);
  if (monitor.cancelled()) return 0;
  if (failed != 0) {
    throw Error("ERR_NOT_POSITIVE", "matrix: expected a positive definite matrix, got one whose leading " +
                                        std::to_string(failed.load()) + " rows and columns are not");
  }
  return backwardError(team, a, factor, n, scan.rowSum);
}

}  // namespace extrema::dense
