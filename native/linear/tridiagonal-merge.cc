// Divide and conquer: M. Gu, S. Eisenstat, SIAM J. Matrix Anal. Appl. 16 (1995), 172-191, as LAPACK's dlaed1
// to dlaed4 have it.

#include "linear/tridiagonal-merge.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/aligned.h"
#include "linear/lapack.h"
#include "linear/matrix.h"
#include "linear/panels.h"

namespace extrema::dense {

namespace {

constexpr size_t kColumns = 32;  // of a chunk
constexpr int kFew = 64;         // eigenvalues that one thread finds

// c (column-major, rows x k, pitch) = a (rows x inner) b (inner x k)
void columnProduct(Team& team, size_t rows, size_t k, size_t inner, const double* a, const double* b,
                   double* c, size_t pitch) {
  if (inner == 0) {
    for (size_t j = 0; j < k; j++) std::fill_n(c + j * pitch, rows, 0.0);
    return;
  }
  // The transposes are row-major.
  Product product;
  product.m = k;
  product.n = product.pitchB = rows;
  product.k = product.pitchA = inner;
  product.a = b;
  product.b = a;
  product.c = c;
  product.pitchC = pitch;
  multiply(team, product);
}

}  // namespace

int mergeEigen(Team& team, size_t n, size_t cut, double rho, double* d, double* q, size_t pitch, int* order) {
  const int size = static_cast<int>(n), first = static_cast<int>(cut), ldq = static_cast<int>(pitch);
  const size_t rest = n - cut;
  Aligned<double> z(n), lambda(n), w(n), basis(cut * cut + rest * rest);
  std::vector<int> index(n), compressed(n), deflated(n), types(std::max<size_t>(n, 4));
  // The last row of the first half's vectors, and the first row of the other's.
  for (size_t j = 0; j < cut; j++) z[j] = q[j * pitch + cut - 1];
  for (size_t j = cut; j < n; j++) z[j] = q[j * pitch + cut];
  int count = 0, info = 0;
  dlaed2_(&count, &size, &first, d, q, &ldq, order, &rho, z.data(), lambda.data(), w.data(), basis.data(),
          index.data(), compressed.data(), deflated.data(), types.data(), &info);
  if (info != 0) return info;
  if (count == 0) {
    std::iota(order, order + n, 1);
    return 0;
  }
  const auto k = static_cast<size_t>(count);
  const auto upper = static_cast<size_t>(types[0] + types[1]),
             lower = static_cast<size_t>(types[1] + types[2]);
  if (count < kFew) {
    Aligned<double> s((std::max(cut, rest) + 1) * k + std::max(upper, lower) * k);
    dlaed3_(&count, &size, &first, d, q, &ldq, &rho, lambda.data(), basis.data(), compressed.data(),
            types.data(), w.data(), s.data(), &info);
    if (info != 0) return info;
  } else {
    // Column j of q: lambda - d_j, from the secular equation.
    std::atomic<int> failed{0};
    const uint32_t chunks = chunkCount(k, kColumns);
    const auto columns = [&](uint32_t chunk, auto&& each) {
      for (size_t j = chunk * kColumns; j < std::min(k, (chunk + 1) * kColumns); j++) each(j);
    };
    team.run(chunks, [&](uint32_t chunk, unsigned) {
      columns(chunk, [&](size_t j) {
        const int which = static_cast<int>(j) + 1;
        int own = 0;
        dlaed4_(&count, &which, lambda.data(), w.data(), q + j * pitch, &rho, d + j, &own);
        if (own != 0) failed = own;
      });
    });
    if (team.monitor().cancelled()) return 0;
    if (failed != 0) return failed;
    // The z to which these eigenvalues belong exactly.
    team.run(chunks, [&](uint32_t chunk, unsigned) {
      const size_t from = chunk * kColumns, to = std::min(k, from + kColumns);
      for (size_t i = from; i < to; i++) z[i] = q[i * pitch + i];
      for (size_t j = 0; j < k; j++) {
        for (size_t i = from; i < to; i++) {
          if (i != j) z[i] *= q[j * pitch + i] / (lambda[i] - lambda[j]);
        }
      }
      for (size_t i = from; i < to; i++) z[i] = std::copysign(std::sqrt(-z[i]), w[i]);
    });
    Aligned<double> scratch(team.size() * padded<double>(k)), top(upper * k), bottom(lower * k);
    team.run(chunks, [&](uint32_t chunk, unsigned worker) {
      double* s = scratch.data() + worker * padded<double>(k);
      columns(chunk, [&](size_t j) {
        double* column = q + j * pitch;
        for (size_t i = 0; i < k; i++) s[i] = z[i] / column[i];
        const double norm = cblas_dnrm2(count, s, 1);
        for (size_t i = 0; i < k; i++) column[i] = s[static_cast<size_t>(compressed[i] - 1)] / norm;
        std::copy_n(column, upper, top.data() + j * upper);
        std::copy_n(column + types[0], lower, bottom.data() + j * lower);
      });
    });
    if (team.monitor().cancelled()) return 0;
    columnProduct(team, rest, k, lower, basis.data() + cut * upper, bottom.data(), q + cut, pitch);
    columnProduct(team, cut, k, upper, basis.data(), top.data(), q, pitch);
  }
  const int others = size - count, up = 1, down = -1;
  dlamrg_(&count, &others, d, &up, &down, order);
  return 0;
}

}  // namespace extrema::dense
