// Singular values and vectors: QR of tall matrices, Householder reduction to bidiagonal form (blocked,
// LAPACK's dgebrd with its products cut into chunks), LAPACK's divide and conquer dbdsdc,
// back-transformation.

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/aligned.h"
#include "core/error.h"
#include "core/team.h"
#include "linear/dense.h"
#include "linear/lapack.h"
#include "linear/matrix.h"
#include "linear/panels.h"
#include "linear/reflectors.h"
#include "linear/signs.h"

namespace extrema::dense {

namespace {

constexpr size_t kParallel = size_t{1} << 16;  // entries from which on a product is cut
constexpr size_t kParts = 8;

// Products with a column-major m x n matrix.
class Products {
 public:
  Products(Team& team, size_t m) : team_(team), parts_(kParts * m), longest_(m) {}

  // y = A^T x, by columns.
  void transposed(const double* a, size_t pitch, size_t m, size_t n, const double* x, double* y) {
    const size_t width = m * n < kParallel ? n : (n + kParts - 1) / kParts;
    if (n == 0) return;
    team_.run(chunkCount(n, width), [&](uint32_t chunk, unsigned) {
      const size_t from = chunk * width;
      cblas_dgemv(CblasColMajor, CblasTrans, static_cast<int>(m), static_cast<int>(std::min(width, n - from)),
                  1, a + from * pitch, static_cast<int>(pitch), x, 1, 0, y + from, 1);
    });
  }

  // y = A x (x with a stride), by columns too: their parts are added in order.
  void plain(const double* a, size_t pitch, size_t m, size_t n, const double* x, size_t step, double* y) {
    const size_t width = m * n < kParallel ? n : (n + kParts - 1) / kParts;
    if (n == 0) return;
    const uint32_t chunks = chunkCount(n, width);
    team_.run(chunks, [&](uint32_t chunk, unsigned) {
      const size_t from = chunk * width;
      cblas_dgemv(CblasColMajor, CblasNoTrans, static_cast<int>(m),
                  static_cast<int>(std::min(width, n - from)), 1, a + from * pitch, static_cast<int>(pitch),
                  x + from * step, static_cast<int>(step), 0, parts_.data() + chunk * longest_, 1);
    });
    std::copy_n(parts_.data(), m, y);
    for (uint32_t chunk = 1; chunk < chunks; chunk++) {
      for (size_t i = 0; i < m; i++) y[i] += parts_[chunk * longest_ + i];
    }
  }

 private:
  Team& team_;
  Aligned<double> parts_;
  size_t longest_;
};

// a (column-major m x n, m >= n) = Q B P^T with B upper bidiagonal: d, e. Reflectors of Q below the diagonal,
// of P right of it.
void bidiagonalize(Team& team, double* a, size_t m, size_t n, double* d, double* e, double* tauQ,
                   double* tauP) {
  const Monitor& monitor = team.monitor();
  const int pitch = static_cast<int>(m), one = 1;
  Aligned<double> x(m * kReduced), y(n * kReduced), inner(kReduced);
  const int pitchY = static_cast<int>(n);
  Products products(team, m);
  const auto gemv = [](CBLAS_TRANSPOSE t, size_t rows, size_t columns, double alpha, const double* matrix,
                       int lda, const double* v, int step, double beta, double* out, int outStep) {
    if (rows == 0 || columns == 0) return;
    cblas_dgemv(CblasColMajor, t, static_cast<int>(rows), static_cast<int>(columns), alpha, matrix, lda, v,
                step, beta, out, outStep);
  };
  for (size_t k0 = 0; k0 < n; k0 += kReduced) {
    const size_t k1 = std::min(n, k0 + kReduced);
    double* panel = a + k0 * m + k0;  // rows and columns are counted from here
    const size_t rows = m - k0, columns = n - k0, width = k1 - k0;
    for (size_t i = 0; i < width; i++) {
      if (monitor.cancelled()) return;
      const size_t below = rows - i, right = columns - i - 1;
      double* column = panel + i * m + i;
      gemv(CblasNoTrans, below, i, -1, panel + i, pitch, y.data() + i, pitchY, 1, column, 1);
      gemv(CblasNoTrans, below, i, -1, x.data() + i, pitch, panel + i * m, 1, 1, column, 1);
      const int size = static_cast<int>(below);
      dlarfg_(&size, column, column + 1, &one, tauQ + k0 + i);
      d[k0 + i] = column[0];
      if (right == 0) {
        // The last column has no row to its right.
        column[0] = 1;
        continue;
      }
      column[0] = 1;
      double* rest = panel + (i + 1) * m;  // of the columns to the right
      double* yi = y.data() + i * n + i + 1;
      products.transposed(rest + i, m, below, right, column, yi);
      gemv(CblasTrans, below, i, 1, panel + i, pitch, column, 1, 0, inner.data(), 1);
      gemv(CblasNoTrans, right, i, -1, y.data() + i + 1, pitchY, inner.data(), 1, 1, yi, 1);
      gemv(CblasTrans, below, i, 1, x.data() + i, pitch, column, 1, 0, inner.data(), 1);
      gemv(CblasTrans, i, right, -1, rest, pitch, inner.data(), 1, 1, yi, 1);
      cblas_dscal(static_cast<int>(right), tauQ[k0 + i], yi, 1);
      // The row right of the diagonal.
      double* row = rest + i;
      gemv(CblasNoTrans, right, i + 1, -1, y.data() + i + 1, pitchY, panel + i, pitch, 1, row, pitch);
      gemv(CblasTrans, i, right, -1, rest, pitch, x.data() + i, pitch, 1, row, pitch);
      const int length = static_cast<int>(right);
      dlarfg_(&length, row, row + (right > 1 ? m : 0), &pitch, tauP + k0 + i);
      e[k0 + i] = row[0];
      row[0] = 1;
      double* xi = x.data() + i * m + i + 1;
      const size_t under = below - 1;
      if (under == 0) continue;
      products.plain(rest + i + 1, m, under, right, row, m, xi);
      gemv(CblasTrans, right, i + 1, 1, y.data() + i + 1, pitchY, row, pitch, 0, inner.data(), 1);
      gemv(CblasNoTrans, under, i + 1, -1, panel + i + 1, pitch, inner.data(), 1, 1, xi, 1);
      gemv(CblasNoTrans, i, right, 1, rest, pitch, row, pitch, 0, inner.data(), 1);
      gemv(CblasNoTrans, under, i, -1, x.data() + i + 1, pitch, inner.data(), 1, 1, xi, 1);
      cblas_dscal(static_cast<int>(under), tauP[k0 + i], xi, 1);
    }
    if (width == columns) continue;
    // A <- A - V Y^T - X U^T
    const size_t under = rows - width;
    team.run(chunkCount(columns - width, kTile), [&](uint32_t chunk, unsigned) {
      const size_t from = width + chunk * kTile;
      const int count = static_cast<int>(std::min(kTile, columns - from)), height = static_cast<int>(under),
                depth = static_cast<int>(width);
      double* tile = panel + from * m + width;
      cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, height, count, depth, -1, panel + width, pitch,
                  y.data() + from, pitchY, 1, tile, pitch);
      cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, height, count, depth, -1, x.data() + width,
                  pitch, panel + from * m, pitch, 1, tile, pitch);
    });
  }
}

// SVD of a column-major m x n matrix, m >= n, which is spoiled: s, and u (column-major m x n) and v
// (column-major n x n, rows of vt) or neither.
void tallSvd(Team& team, double* a, size_t m, size_t n, double* s, double* u, double* v) {
  const Monitor& monitor = team.monitor();
  Aligned<double> e(n), tauQ(n), tauP(n);
  bidiagonalize(team, a, m, n, s, e.data(), tauQ.data(), tauP.data());
  if (monitor.cancelled()) return;
  const int size = static_cast<int>(n);
  int info = 0;
  std::vector<int> integers(8 * n);
  const bool vectors = u != nullptr;
  Aligned<double> left(vectors ? n * n : 1), right(vectors ? n * n : 1), work(3 * n * n + 8 * n);
  double none = 0;
  int noneInt = 0;
  dbdsdc_("U", vectors ? "I" : "N", &size, s, e.data(), left.data(), &size, right.data(), &size, &none,
          &noneInt, work.data(), integers.data(), &info, 1, 1);
  if (info != 0)
    throw Error("ERR_INTERNAL",
                "matrix: the singular value iteration failed to converge; please report this matrix");
  if (!vectors || monitor.cancelled()) return;
  for (size_t k = 0; k < n; k++) {
    std::copy_n(left.data() + k * n, n, u + k * m);
    std::fill_n(u + k * m + n, m - n, 0.0);
  }
  BlockReflectors q(a, m, m, n);
  q.build(team, tauQ.data());
  q.apply(team, false, u, n, m);
  // vt = right P^T, so that its transpose is P right^T; the reflectors of P become columns.
  transpose(team, right.data(), n, n, v);
  if (n > 1) {
    Aligned<double> rows(n * n);
    for (size_t i = 0; i < n; i++) {
      for (size_t j = i + 1; j < n; j++) rows[i * n + j] = a[j * m + i];
    }
    BlockReflectors p(rows.data(), n, n, n - 1, 1);
    p.build(team, tauP.data());
    p.apply(team, false, v, n, n);
  }
}

double invariantError(const double* a, size_t count, const double* s, size_t k, double scale) {
  double matrix = 0, spectrum = 0;
  for (size_t i = 0; i < count; i++) matrix += (a[i] / scale) * (a[i] / scale);
  for (size_t i = 0; i < k; i++) spectrum += (s[i] / scale) * (s[i] / scale);
  return std::fabs(matrix - spectrum) / matrix;
}

// |(A - U S V^T) z|
double backwardError(Team& team, const double* a, size_t m, size_t n, const double* s, const double* u,
                     const double* vt, double scale) {
  const size_t k = std::min(m, n);
  Aligned<double> z(n), product(m), inner(k), factors(m);
  for (size_t i = 0; i < n; i++) z[i] = probe(i);
  multiply(team, a, m, n, z.data(), product.data());
  multiply(team, vt, k, n, z.data(), inner.data());
  for (size_t i = 0; i < k; i++) inner[i] *= s[i];
  multiply(team, u, m, k, inner.data(), factors.data());
  for (size_t i = 0; i < m; i++) product[i] -= factors[i];
  return relativeLargest(product.data(), m, scale);
}

}  // namespace

double svd(const double* a, size_t m, size_t n, double* s, double* u, double* vt, unsigned threads,
           Monitor& monitor) {
  Team team(threads, monitor);
  const MatrixScan scan = scanMatrix(team, "matrix", a, m, n);
  const size_t k = std::min(m, n), rows = std::max(m, n);
  const bool vectors = u != nullptr;
  if (scan.largest == 0) {
    std::fill_n(s, k, 0.0);
    if (vectors) {
      std::fill_n(u, m * k, 0.0);
      std::fill_n(vt, k * n, 0.0);
      for (size_t i = 0; i < k; i++) u[i * (k + 1)] = vt[i * (n + 1)] = 1;
    }
    return 0;
  }
  const double unit = std::exp2(std::floor(std::log2(scan.largest)));
  // Column-major with at least as many rows as columns: a wide row-major matrix is that already.
  Aligned<double> work(m * n), left(vectors ? rows * k : 1), right(vectors ? k * k : 1);
  if (m >= n) {
    transpose(team, a, m, n, work.data());
  } else {
    std::copy_n(a, m * n, work.data());
  }
  for (size_t i = 0; i < m * n; i++) work[i] /= unit;
  if (10 * rows >= 16 * k && k > 1) {
    // QR first: fewer operations on the long side.
    Aligned<double> row(m * n), reflectors(rows * k), tau(k), triangle(k * k), q(vectors ? rows * k : 1),
        small(k * k), inner(vectors ? k * k : 1);
    std::vector<int32_t> order(k);
    transpose(team, work.data(), k, rows, row.data());
    QrJob job;
    job.m = rows;
    job.n = k;
    job.a = row.data();
    job.reflectors = reflectors.data();
    job.tau = tau.data();
    job.permutation = order.data();
    job.r = triangle.data();
    job.q = vectors ? q.data() : nullptr;
    job.threads = threads;
    qr(job, monitor);
    if (monitor.cancelled()) return 0;
    transpose(team, triangle.data(), k, k, small.data());
    tallSvd(team, small.data(), k, k, s, vectors ? inner.data() : nullptr, right.data());
    if (vectors && !monitor.cancelled()) {
      // Column-major u^T = inner^T q^T.
      Product product;
      product.m = k;
      product.n = rows;
      product.k = k;
      product.a = inner.data();
      product.pitchA = k;
      product.b = q.data();
      product.pitchB = k;
      product.transposeB = true;
      product.c = left.data();
      product.pitchC = rows;
      multiply(team, product);
    }
  } else {
    tallSvd(team, work.data(), rows, k, s, vectors ? left.data() : nullptr, right.data());
  }
  if (monitor.cancelled()) return 0;
  for (size_t i = 0; i < k; i++) s[i] *= unit;
  if (!vectors) return invariantError(a, m * n, s, k, unit);
  // The signs follow u.
  for (size_t j = 0; j < k; j++) {
    double *uj = m >= n ? left.data() + j * rows : right.data() + j * k,
           *vj = m >= n ? right.data() + j * k : left.data() + j * rows;
    if (signOf(uj, m) > 0) continue;
    cblas_dscal(static_cast<int>(m), -1, uj, 1);
    cblas_dscal(static_cast<int>(n), -1, vj, 1);
  }
  transpose(team, m >= n ? left.data() : right.data(), k, m, u);
  std::copy_n(m >= n ? right.data() : left.data(), k * n, vt);
  return backwardError(team, a, m, n, s, u, vt, scan.rowSum);
}

}  // namespace extrema::dense
