// Right-looking blocked LU factorization with row exchanges, column-major in the memory of the result.

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/aligned.h"
#include "core/team.h"
#include "linear/dense.h"
#include "linear/lapack.h"
#include "linear/matrix.h"
#include "linear/panels.h"

namespace extrema::dense {

namespace {

// |(P A - L U) z|
double backwardError(Team& team, const double* a, const double* factors, const int32_t* permutation, size_t n,
                     double scale) {
  Aligned<double> z(n), inner(n), product(n);
  for (size_t i = 0; i < n; i++) z[i] = probe(i);
  multiply(team, a, n, n, z.data(), product.data());
  multiplyTriangle(team, factors, n, CblasUpper, CblasNoTrans, CblasNonUnit, z.data(), inner.data());
  multiplyTriangle(team, factors, n, CblasLower, CblasNoTrans, CblasUnit, inner.data(), z.data());
  for (size_t i = 0; i < n; i++) z[i] -= product[static_cast<size_t>(permutation[i])];
  return relativeLargest(z.data(), n, scale);
}

}  // namespace

LuReport lu(const double* a, size_t n, double* factors, int32_t* permutation, unsigned threads,
            Monitor& monitor) {
  Team team(threads, monitor);
  const MatrixScan scan = scanMatrix(team, "matrix", a, n, n);
  double* c = factors;
  transpose(team, a, n, n, c);
  const int size = static_cast<int>(n), forward = 1;
  std::vector<int> pivots(n);
  const auto factor = [&](size_t p, unsigned) {
    const size_t k0 = p * kPanel, k1 = panelEnd(p, n);
    const int rows = static_cast<int>(n - k0), width = static_cast<int>(k1 - k0);
    int info = 0;  // a zero pivot shows on the diagonal
    dgetrf_(&rows, &width, c + k0 * n + k0, &size, pivots.data() + k0, &info);
    for (size_t k = k0; k < k1; k++) pivots[k] += static_cast<int>(k0);
  };
  const auto exchange = [&](size_t column, size_t count, size_t from, size_t to) {
    const int width = static_cast<int>(count), first = static_cast<int>(from) + 1,
              last = static_cast<int>(to);
    dlaswp_(&width, c + column * n, &size, &first, &last, pivots.data(), &forward);
  };
  forPanels(team, n, n, factor, [&](size_t p, size_t from, size_t to, unsigned) {
    const size_t k0 = p * kPanel, k1 = panelEnd(p, n);
    const int width = static_cast<int>(k1 - k0), count = static_cast<int>(to - from);
    exchange(from, to - from, k0, k1);
    cblas_dtrsm(CblasColMajor, CblasLeft, CblasLower, CblasNoTrans, CblasUnit, width, count, 1,
                c + k0 * n + k0, size, c + from * n + k0, size);
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(n - k1), count, width, -1,
                c + k0 * n + k1, size, c + from * n + k0, size, 1, c + from * n + k1, size);
  });
  LuReport report;
  if (monitor.cancelled()) return report;
  // The exchanges of later panels, on the columns left of them.
  team.run(static_cast<uint32_t>(panelCount(n)), [&](uint32_t p, unsigned) {
    const size_t k0 = p * kPanel, k1 = panelEnd(p, n);
    if (k1 < n) exchange(k0, k1 - k0, k1, n);
  });
  transposeSquare(team, factors, n);
  std::iota(permutation, permutation + n, 0);
  for (size_t k = 0; k < n; k++) {
    const auto with = static_cast<size_t>(pivots[k] - 1);
    if (with == k) continue;
    std::swap(permutation[k], permutation[with]);
    report.sign = -report.sign;
  }
  while (report.rank < static_cast<double>(n) && factors[static_cast<size_t>(report.rank) * (n + 1)] != 0) {
    report.rank++;
  }
  report.residual = backwardError(team, a, factors, permutation, n, scan.rowSum);
  return report;
}

void triangularSolve(const TriangularJob& job, Monitor& monitor) {
  Team team(job.threads, monitor);
  // Columns of the right-hand side side by side.
  const size_t width = std::clamp((job.columns + 7) / 8, size_t{32}, size_t{256});
  team.run(chunkCount(job.columns, width), [&](uint32_t chunk, unsigned) {
    const size_t from = chunk * width;
    const auto triangle = job.lower ? CblasLower : CblasUpper;
    const auto transposed = job.transpose ? CblasTrans : CblasNoTrans;
    const auto unit = job.unit ? CblasUnit : CblasNonUnit;
    const int n = static_cast<int>(job.n), pitch = static_cast<int>(job.pitch);
    if (job.columns == 1) {
      cblas_dtrsv(CblasRowMajor, triangle, transposed, unit, n, job.a, pitch, job.b, 1);
    } else {
      cblas_dtrsm(CblasRowMajor, CblasLeft, triangle, transposed, unit, n,
                  static_cast<int>(std::min(width, job.columns - from)), 1, job.a, pitch, job.b + from,
                  static_cast<int>(job.columns));
    }
  });
}

}  // namespace extrema::dense
