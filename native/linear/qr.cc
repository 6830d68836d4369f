// Blocked Householder QR factorization. The panels are LAPACK's recursive ones; with column exchanges all of
// it is LAPACK's.

#include <algorithm>
#include <string>
#include <vector>

#include "core/aligned.h"
#include "core/error.h"
#include "core/team.h"
#include "linear/dense.h"
#include "linear/lapack.h"
#include "linear/matrix.h"
#include "linear/panels.h"
#include "linear/reflectors.h"

namespace extrema::dense {

namespace {

// |(A P - Q R) z|
double backwardError(Team& team, const QrJob& job, const BlockReflectors& reflectors, double scale) {
  const size_t k = std::min(job.m, job.n);
  Aligned<double> z(job.n), permuted(job.n), product(job.m), factors(std::max(job.m, job.n)),
      work(BlockReflectors::workSize(1));
  for (size_t j = 0; j < job.n; j++) {
    permuted[j] = probe(j);
    z[static_cast<size_t>(job.permutation[j])] = permuted[j];
  }
  multiply(team, job.a, job.m, job.n, z.data(), product.data());
  multiply(team, job.r, k, job.n, permuted.data(), factors.data());
  reflectors.apply(false, factors.data(), 1, job.m, work.data());
  for (size_t i = 0; i < job.m; i++) product[i] -= factors[i];
  return relativeLargest(product.data(), job.m, scale);
}

void factorPivoting(const QrJob& job) {
  const int m = static_cast<int>(job.m), n = static_cast<int>(job.n), query = -1;
  std::vector<int> order(job.n, 0);
  double size = 0;
  int info = 0;
  dgeqp3_(&m, &n, job.reflectors, &m, order.data(), job.tau, &size, &query, &info);
  const int length = static_cast<int>(size);
  Aligned<double> work(static_cast<size_t>(length));
  dgeqp3_(&m, &n, job.reflectors, &m, order.data(), job.tau, work.data(), &length, &info);
  for (size_t j = 0; j < job.n; j++) job.permutation[j] = order[j] - 1;
}

}  // namespace

double qr(const QrJob& job, Monitor& monitor) {
  Team team(job.threads, monitor);
  const size_t m = job.m, n = job.n, k = std::min(m, n);
  const MatrixScan scan = scanMatrix(team, "matrix", job.a, m, n);
  double* c = job.reflectors;
  transpose(team, job.a, m, n, c);
  BlockReflectors reflectors(c, m, m, k);
  if (job.pivoting) {
    factorPivoting(job);
    reflectors.build(team, job.tau);
  } else {
    const int pitch = static_cast<int>(m), panel = static_cast<int>(kPanel);
    Aligned<double> work(team.size() * BlockReflectors::workSize(kTile));
    const auto factor = [&](size_t p, unsigned) {
      const size_t k0 = p * kPanel;
      const int rows = static_cast<int>(m - k0), width = static_cast<int>(panelEnd(p, k) - k0);
      int info = 0;
      double* triangle = reflectors.triangle(p);
      dgeqrt3_(&rows, &width, c + k0 * m + k0, &pitch, triangle, &panel, &info);
      for (size_t j = 0; j < static_cast<size_t>(width); j++) job.tau[k0 + j] = triangle[j * kPanel + j];
    };
    forPanels(team, k, n, factor, [&](size_t p, size_t from, size_t to, unsigned worker) {
      const size_t k0 = p * kPanel;
      const int rows = static_cast<int>(m - k0), width = static_cast<int>(panelEnd(p, k) - k0),
                count = static_cast<int>(to - from);
      dlarfb_("L", "T", "F", "C", &rows, &count, &width, c + k0 * m + k0, &pitch, reflectors.triangle(p),
              &panel, c + from * m + k0, &pitch, work.data() + worker * BlockReflectors::workSize(kTile),
              &count, 1, 1, 1, 1);
    });
    for (size_t j = 0; j < n; j++) job.permutation[j] = static_cast<int32_t>(j);
  }
  if (monitor.cancelled()) return 0;
  for (size_t i = 0; i < k; i++) {
    for (size_t j = 0; j < n; j++) job.r[i * n + j] = j < i ? 0 : c[j * m + i];
  }
  if (job.q != nullptr) reflectors.form(team, k, job.q);
  return backwardError(team, job, reflectors, scan.rowSum);
}

void applyQ(const double* v, const double* tau, size_t m, size_t k, bool transposed, double* b,
            size_t columns, unsigned threads, Monitor& monitor) {
  Team team(threads, monitor);
  BlockReflectors reflectors(v, m, m, k);
  reflectors.build(team, tau);
  if (columns == 1) {
    reflectors.apply(team, transposed, b, 1, m);
    return;
  }
  Aligned<double> c(m * columns);
  transpose(team, b, m, columns, c.data());
  reflectors.apply(team, transposed, c.data(), columns, m);
  if (!monitor.cancelled()) transpose(team, c.data(), columns, m, b);
}

}  // namespace extrema::dense
