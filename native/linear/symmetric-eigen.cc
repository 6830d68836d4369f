// All eigenpairs of a symmetric matrix: Householder reduction to tridiagonal form T (blocked, LAPACK's dsytrd
// with its products cut into chunks), divide and conquer on T (LAPACK's merges in a tree of ours),
// back-transformation.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
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
#include "linear/symmetric-product.h"

namespace extrema::dense {

namespace {

// A = Q T Q^T in the lower triangle: T's diagonal to d, its off-diagonal to e, the reflectors of Q below it,
// tau.
void tridiagonalize(Team& team, double* a, size_t n, double* d, double* e, double* tau) {
  const Monitor& monitor = team.monitor();
  const int pitch = static_cast<int>(n), one = 1;
  Aligned<double> w(n * kReduced), inner(kReduced);
  SymmetricProduct product(team, n);
  for (size_t j0 = 0; j0 + 1 < n; j0 += kReduced) {
    const size_t j1 = std::min(n - 1, j0 + kReduced);
    for (size_t j = j0; j < j1; j++) {
      if (monitor.cancelled()) return;
      const int before = static_cast<int>(j - j0), rows = static_cast<int>(n - j), rest = rows - 1;
      double* column = a + j * n + j;
      // What the panel has done so far, to this column: A <- A - V W^T - W V^T.
      if (before > 0) {
        cblas_dgemv(CblasColMajor, CblasNoTrans, rows, before, -1, a + j0 * n + j, pitch, w.data() + j, pitch,
                    1, column, 1);
        cblas_dgemv(CblasColMajor, CblasNoTrans, rows, before, -1, w.data() + j, pitch, a + j0 * n + j, pitch,
                    1, column, 1);
      }
      double* v = column + 1;
      dlarfg_(&rest, v, v + 1, &one, tau + j);
      e[j] = v[0];
      v[0] = 1;
      double* out = w.data() + (j - j0) * n + j + 1;
      product.run(a + (j + 1) * n + j + 1, n, n - j - 1, v, out);
      if (before > 0) {
        const double* left = a + j0 * n + j + 1;
        const double* right = w.data() + j + 1;
        cblas_dgemv(CblasColMajor, CblasTrans, rest, before, 1, right, pitch, v, 1, 0, inner.data(), 1);
        cblas_dgemv(CblasColMajor, CblasNoTrans, rest, before, -1, left, pitch, inner.data(), 1, 1, out, 1);
        cblas_dgemv(CblasColMajor, CblasTrans, rest, before, 1, left, pitch, v, 1, 0, inner.data(), 1);
        cblas_dgemv(CblasColMajor, CblasNoTrans, rest, before, -1, right, pitch, inner.data(), 1, 1, out, 1);
      }
      cblas_dscal(rest, tau[j], out, 1);
      cblas_daxpy(rest, -0.5 * tau[j] * cblas_ddot(rest, out, 1, v, 1), v, 1, out, 1);
    }
    // The rest, in tiles of its lower triangle.
    const int width = static_cast<int>(j1 - j0);
    team.run(chunkCount(n - j1, kTile), [&](uint32_t chunk, unsigned) {
      const size_t from = j1 + chunk * kTile, to = std::min(n, from + kTile);
      const int count = static_cast<int>(to - from), below = static_cast<int>(n - to);
      const double *v = a + j0 * n, *u = w.data();
      cblas_dsyr2k(CblasColMajor, CblasLower, CblasNoTrans, count, width, -1, v + from, pitch, u + from,
                   pitch, 1, a + from * n + from, pitch);
      if (below == 0) return;
      double* tile = a + from * n + to;
      cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, below, count, width, -1, v + to, pitch, u + from,
                  pitch, 1, tile, pitch);
      cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, below, count, width, -1, u + to, pitch, v + from,
                  pitch, 1, tile, pitch);
    });
    for (size_t j = j0; j < j1; j++) d[j] = a[j * n + j];
  }
  d[n - 1] = a[n * n - 1];
}

// Eigenpairs of T by divide and conquer (LAPACK's dlaed0): T is torn into blocks, whose eigenpairs dlaed1
// merges two by two.
void divideAndConquer(Team& team, size_t n, double* d, double* e, double* q, std::vector<int>& order) {
  constexpr size_t kLeaf = 32;
  std::vector<size_t> cuts{0, n};
  // Halved until small: the parts of one level differ by one row at most.
  while (cuts.size() > 1) {
    size_t longest = 0;
    for (size_t i = 1; i < cuts.size(); i++) longest = std::max(longest, cuts[i] - cuts[i - 1]);
    if (longest <= kLeaf) break;
    std::vector<size_t> finer{0};
    for (size_t i = 1; i < cuts.size(); i++) {
      finer.push_back((cuts[i - 1] + cuts[i]) / 2);
      finer.push_back(cuts[i]);
    }
    cuts = std::move(finer);
  }
  for (size_t i = 1; i + 1 < cuts.size(); i++) {
    const size_t at = cuts[i];
    d[at - 1] -= std::fabs(e[at - 1]);
    d[at] -= std::fabs(e[at - 1]);
  }
  const int pitch = static_cast<int>(n);
  std::vector<int> failed(cuts.size(), 0);
  const auto check = [&] {
    if (std::any_of(failed.begin(), failed.end(), [](int info) { return info != 0; })) {
      throw Error("ERR_INTERNAL",
                  "matrix: the eigenvalue iteration failed to converge; please report this matrix");
    }
  };
  Aligned<double> work(n * n + 4 * n);
  std::vector<int> integers(4 * n);
  team.run(static_cast<uint32_t>(cuts.size() - 1), [&](uint32_t leaf, unsigned) {
    const size_t from = cuts[leaf], to = cuts[leaf + 1];
    const int size = static_cast<int>(to - from);
    dsteqr_("I", &size, d + from, e + from, q + from * n + from, &pitch, work.data() + 4 * from,
            &failed[leaf], 1);
    std::iota(order.begin() + static_cast<std::ptrdiff_t>(from),
              order.begin() + static_cast<std::ptrdiff_t>(to), 1);
  });
  check();
  while (cuts.size() > 2 && !team.monitor().cancelled()) {
    const size_t merges = (cuts.size() - 1) / 2;
    team.run(static_cast<uint32_t>(merges), [&](uint32_t merge, unsigned) {
      const size_t from = cuts[2 * merge], middle = cuts[2 * merge + 1], to = cuts[2 * merge + 2];
      const int size = static_cast<int>(to - from), cut = static_cast<int>(middle - from);
      double rho = e[middle - 1];
      // Room size^2 + 4 size from where the earlier merges end: their squares are within from * n.
      dlaed1_(&size, d + from, q + from * n + from, &pitch, order.data() + from, &rho, &cut,
              work.data() + from * n + 4 * from, integers.data() + 4 * from, &failed[merge]);
    });
    check();
    std::vector<size_t> coarser;
    for (size_t i = 0; i < cuts.size(); i += 2) coarser.push_back(cuts[i]);
    cuts = std::move(coarser);
  }
}

// | |A|^2 - sum of squares of the eigenvalues | / |A|^2, Frobenius norms.
double invariantError(const double* a, size_t n, const double* values, double scale) {
  double matrix = 0, spectrum = 0;
  for (size_t i = 0; i < n * n; i++) matrix += (a[i] / scale) * (a[i] / scale);
  for (size_t i = 0; i < n; i++) spectrum += (values[i] / scale) * (values[i] / scale);
  return std::fabs(matrix - spectrum) / matrix;
}

// |(A - V D V^T) z|
double backwardError(Team& team, const double* a, size_t n, const double* values, const double* vectors,
                     double scale) {
  Aligned<double> z(n), product(n), inner(n);
  for (size_t i = 0; i < n; i++) z[i] = probe(i);
  multiply(team, a, n, n, z.data(), product.data());
  multiplyTransposed(team, vectors, n, n, z.data(), inner.data());
  for (size_t k = 0; k < n; k++) inner[k] *= values[k];
  multiply(team, vectors, n, n, inner.data(), z.data());
  for (size_t i = 0; i < n; i++) product[i] -= z[i];
  return relativeLargest(product.data(), n, scale);
}

}  // namespace

double symmetricEigen(const double* a, size_t n, double* values, double* vectors, unsigned threads,
                      Monitor& monitor) {
  Team team(threads, monitor);
  const MatrixScan scan = scanMatrix(team, "matrix", a, n, n);
  checkSymmetric(team, "matrix", a, n, scan.largest);
  if (scan.largest == 0) {
    std::fill_n(values, n, 0.0);
    if (vectors != nullptr) {
      std::fill_n(vectors, n * n, 0.0);
      for (size_t i = 0; i < n; i++) vectors[i * (n + 1)] = 1;
    }
    return 0;
  }
  // Squares of scaled numbers neither overflow nor vanish. A power of two changes no digit.
  const double unit = std::exp2(std::floor(std::log2(scan.largest)));
  Aligned<double> work(n * n), d(n), e(n), tau(n);
  for (size_t i = 0; i < n * n; i++) work[i] = a[i] / unit;
  // Row-major upper is column-major lower: the matrix is symmetric to what was checked.
  tridiagonalize(team, work.data(), n, d.data(), e.data(), tau.data());
  if (monitor.cancelled()) return 0;
  const int size = static_cast<int>(n);
  if (vectors == nullptr) {
    int info = 0;
    dsterf_(&size, d.data(), e.data(), &info);
    if (info != 0)
      throw Error("ERR_INTERNAL",
                  "matrix: the eigenvalue iteration failed to converge; please report this matrix");
    for (size_t k = 0; k < n; k++) values[k] = d[k] * unit;
    return invariantError(a, n, values, unit);
  }
  Aligned<double> q(n * n);
  std::vector<int> order(n);
  divideAndConquer(team, n, d.data(), e.data(), q.data(), order);
  if (monitor.cancelled()) return 0;
  Aligned<double> sorted(n * n);
  for (size_t k = 0; k < n; k++) {
    const auto from = static_cast<size_t>(order[k] - 1);
    values[k] = d[from] * unit;
    std::copy_n(q.data() + from * n, n, sorted.data() + k * n);
  }
  BlockReflectors reflectors(work.data(), n, n, n - 1, 1);
  reflectors.build(team, tau.data());
  reflectors.apply(team, false, sorted.data(), n, n);
  if (monitor.cancelled()) return 0;
  for (size_t k = 0; k < n; k++) orient(sorted.data() + k * n, n);
  transpose(team, sorted.data(), n, n, vectors);
  return backwardError(team, a, n, values, vectors, scan.rowSum);
}

}  // namespace extrema::dense
