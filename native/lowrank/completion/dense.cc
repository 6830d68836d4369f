#include "lowrank/completion/dense.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "linear/lapack.h"
#include "lowrank/completion/rows.h"
#include "random/random.h"

namespace extrema::lowrank {

namespace {

constexpr size_t kRowsPerChunk = 512;
constexpr double kRankTolerance = 1e-12;  // of the largest
// Cholesky QR, twice, is as good as Householder's method up to this condition of the Gram matrix.
constexpr double kLeastPivot = 1e-11;
constexpr double kDependent = 1e-13;

uint32_t chunksOf(size_t count) { return static_cast<uint32_t>((count + kRowsPerChunk - 1) / kRowsPerChunk); }

int eigen(int n, double* a, double* w, double* work, int size, int* integers, int integerSize) {
  int info = 0;
  dsyevd_("V", "U", &n, a, &n, w, work, &size, integers, &integerSize, &info, 1, 1);
  return info;
}

double dot(const double* x, const double* y, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += x[i] * y[i];
  return sum;
}

// Upper Cholesky factor in place, rows of `n`; the strict lower part becomes zero.
bool cholesky(double* g, size_t n, double least) {
  for (size_t j = 0; j < n; j++) {
    double* row = g + j * n;
    const double diagonal = row[j];
    double pivot = diagonal;
    for (size_t i = 0; i < j; i++) pivot -= g[i * n + j] * g[i * n + j];
    if (!(pivot > least * diagonal)) return false;
    const double root = std::sqrt(pivot);
    for (size_t c = j + 1; c < n; c++) {
      double sum = row[c];
      for (size_t i = 0; i < j; i++) sum -= g[i * n + j] * g[i * n + c];
      row[c] = sum / root;
    }
    row[j] = root;
    std::fill_n(row, j, 0.0);
  }
  return true;
}

// x <- x R^-1
void divideByUpper(Team& team, const Tall& x, const double* r) {
  team.run(chunksOf(x.count), [&](uint32_t chunk, unsigned) {
    const size_t from = chunk * kRowsPerChunk, rows = std::min(kRowsPerChunk, x.count - from);
    cblas_dtrsm(CblasRowMajor, CblasRight, CblasUpper, CblasNoTrans, CblasNonUnit, static_cast<int>(rows),
                static_cast<int>(x.width), 1, r, static_cast<int>(x.width), x.row(from),
                static_cast<int>(x.pitch));
  });
}

// Gram and Schmidt's method, every column twice, for what Cholesky's cannot do.
void gramSchmidt(const Tall& x, double* r, Missing missing, const unsigned key[2]) {
  const size_t n = x.count, k = x.width;
  Aligned<double> columns(n * k);
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < k; c++) columns[c * n + i] = x.row(i)[c];
  std::fill_n(r, k * k, 0.0);
  double largest = 0;
  for (size_t c = 0; c < k; c++)
    largest = std::max(largest, cblas_dnrm2(static_cast<int>(n), &columns[c * n], 1));
  const int size = static_cast<int>(n);
  for (size_t c = 0; c < k; c++) {
    double* column = &columns[c * n];
    const double before = cblas_dnrm2(size, column, 1);
    const auto clear = [&](bool keep) {
      for (int pass = 0; pass < 2; pass++) {
        for (size_t q = 0; q < c; q++) {
          const double part = cblas_ddot(size, &columns[q * n], 1, column, 1);
          cblas_daxpy(size, -part, &columns[q * n], 1, column, 1);
          if (keep) r[q * k + c] += part;
        }
      }
      return cblas_dnrm2(size, column, 1);
    };
    double norm = clear(true);
    const bool depends = !(norm > kDependent * before && norm > kDependent * largest);
    if (depends && (missing == Missing::zero || c >= n)) {
      std::fill_n(column, n, 0.0);
      continue;
    }
    if (depends) {
      const uint32_t counter[4] = {0, 0, static_cast<uint32_t>(c), 0x7ffffffe};
      fillNormal(key, counter, column, n);
      norm = clear(false);
    } else {
      r[c * k + c] = norm;
    }
    for (size_t i = 0; i < n; i++) column[i] /= norm;
  }
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < k; c++) x.row(i)[c] = columns[c * n + i];
}

}  // namespace

void symmetricEigen(const double* matrix, size_t n, double* values, double* vectors) {
  const int size = static_cast<int>(n);
  std::vector<double> a(matrix, matrix + n * n), w(n);
  const int workSize = static_cast<int>(1 + 6 * n + 2 * n * n), integerSize = static_cast<int>(3 + 5 * n);
  std::vector<double> work(static_cast<size_t>(workSize));
  std::vector<int> integers(static_cast<size_t>(integerSize));
  if (eigen(size, a.data(), w.data(), work.data(), workSize, integers.data(), integerSize) != 0)
    throw Error("ERR_INTERNAL", "eigenvalues: the iteration of LAPACK's dsyevd did not converge");
  for (size_t k = 0; k < n; k++) {
    values[k] = w[n - 1 - k];
    std::copy_n(&a[(n - 1 - k) * n], n, vectors + k * n);
  }
}

size_t minimumNorm(const double* a, size_t count, size_t pitch, size_t rank, const double* c, double* x,
                   double* work) {
  double* columns = work;              // rank × count: what is left of a's columns
  double* r = columns + rank * count;  // count × rank: the rows of R, in a's order of columns
  double* unit = r + count * rank;     // count
  double* rest = unit + count;         // count
  double* sides = rest + count;        // count: right-hand sides of R's rows
  for (size_t l = 0; l < rank; l++)
    for (size_t i = 0; i < count; i++) columns[l * count + i] = a[i * pitch + l];
  std::copy_n(c, count, rest);
  std::fill_n(r, count * rank, 0.0);
  std::fill_n(x, rank, 0.0);
  double largest = 0;
  size_t found = 0;
  for (; found < count; found++) {
    size_t best = 0;
    double most = -1;
    for (size_t l = 0; l < rank; l++) {
      const double norm = std::sqrt(dot(&columns[l * count], &columns[l * count], count));
      if (norm > most) {
        most = norm;
        best = l;
      }
    }
    if (found == 0) largest = most;
    if (!(most > kRankTolerance * largest)) break;
    for (size_t i = 0; i < count; i++) unit[i] = columns[best * count + i] / most;
    for (size_t l = 0; l < rank; l++) {
      double* column = &columns[l * count];
      for (int pass = 0; pass < 2; pass++) {
        const double part = dot(unit, column, count);
        r[found * rank + l] += part;
        for (size_t i = 0; i < count; i++) column[i] -= part * unit[i];
      }
      if (l == best) std::fill_n(column, count, 0.0);
    }
    const double part = dot(unit, rest, count);
    sides[found] = part;
    for (size_t i = 0; i < count; i++) rest[i] -= part * unit[i];
  }
  // R x = sides with least norm: x in the span of R's rows, made orthonormal one after the other.
  for (size_t i = 0; i < found; i++) {
    double* row = r + i * rank;
    double side = sides[i];
    for (int pass = 0; pass < 2; pass++) {
      for (size_t q = 0; q < i; q++) {
        const double part = dot(r + q * rank, row, rank);
        side -= part * sides[q];
        for (size_t l = 0; l < rank; l++) row[l] -= part * r[q * rank + l];
      }
    }
    const double norm = std::sqrt(dot(row, row, rank));
    sides[i] = side / norm;
    for (size_t l = 0; l < rank; l++) row[l] /= norm;
  }
  for (size_t i = 0; i < found; i++)
    for (size_t l = 0; l < rank; l++) x[l] += sides[i] * r[i * rank + l];
  return found;
}

void nonNegativeQuadratic(const double* g, const double* h, size_t n, size_t free, double* x, double* work) {
  double* factor = work;
  double* z = factor + n * n;
  double* passive = z + n;  // 1: not held at zero
  double* order = passive + n;
  double* w = order + n;
  double scale = 0;
  for (size_t i = 0; i < n; i++) {
    passive[i] = i < free || x[i] > 0 ? 1 : 0;
    if (passive[i] == 0) x[i] = 0;
    scale = std::max(scale, std::fabs(h[i]));
  }
  const auto solvePassive = [&] {
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
      if (passive[i] == 1) order[size++] = static_cast<double>(i);
    const auto at = [&](size_t p) { return static_cast<size_t>(order[p]); };
    for (size_t p = 0; p < size; p++) {
      for (size_t q = 0; q <= p; q++) {
        double sum = g[at(p) * n + at(q)];
        for (size_t l = 0; l < q; l++) sum -= factor[p * n + l] * factor[q * n + l];
        if (q < p) {
          factor[p * n + q] = sum / factor[q * n + q];
        } else {
          const double diagonal = g[at(p) * n + at(p)];
          factor[p * n + p] = std::sqrt(std::max(sum, 1e-13 * diagonal + 1e-300));
        }
      }
    }
    std::fill_n(z, n, 0.0);
    for (size_t p = 0; p < size; p++) {
      double sum = h[at(p)];
      for (size_t l = 0; l < p; l++) sum -= factor[p * n + l] * w[l];
      w[p] = sum / factor[p * n + p];
    }
    for (size_t p = size; p-- > 0;) {
      double sum = w[p];
      for (size_t l = p + 1; l < size; l++) sum -= factor[l * n + p] * w[l];
      w[p] = sum / factor[p * n + p];
      z[at(p)] = w[p];
    }
  };
  for (size_t round = 0; round < 3 * n + 10; round++) {
    for (size_t inner = 0; inner <= n; inner++) {
      solvePassive();
      double step = 1;
      for (size_t i = free; i < n; i++)
        if (passive[i] == 1 && z[i] <= 0) step = std::min(step, x[i] <= 0 ? 0 : x[i] / (x[i] - z[i]));
      if (step >= 1) break;
      for (size_t i = 0; i < n; i++) x[i] += step * (z[i] - x[i]);
      for (size_t i = free; i < n; i++) {
        if (passive[i] == 0 || x[i] > 1e-15 * std::fabs(z[i])) continue;
        if (z[i] > 0) continue;
        passive[i] = 0;
        x[i] = 0;
      }
    }
    for (size_t i = 0; i < n; i++) x[i] = passive[i] == 1 ? (i < free ? z[i] : std::max(0.0, z[i])) : 0;
    size_t best = n;
    double most = 1e-13 * scale;
    for (size_t i = free; i < n; i++) {
      if (passive[i] == 1) continue;
      const double slope = h[i] - dot(g + i * n, x, n);
      if (slope > most) {
        most = slope;
        best = i;
      }
    }
    if (best == n) return;
    passive[best] = 1;
  }
}

size_t coordinateSweeps(const double* g, const double* h, size_t n, size_t free, double tolerance,
                        size_t most, double* x) {
  for (size_t i = free; i < n; i++) x[i] = std::max(0.0, x[i]);
  for (size_t sweep = 1;; sweep++) {
    double moved = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
      const double own = g[i * n + i];
      if (!(own > 0)) continue;
      double next = x[i] + (h[i] - dot(g + i * n, x, n)) / own;
      if (i >= free) next = std::max(0.0, next);
      moved = std::max(moved, std::fabs(next - x[i]));
      largest = std::max(largest, std::fabs(next));
      x[i] = next;
    }
    if (moved <= tolerance * largest || sweep >= most) return sweep;
  }
}

void gramOf(Team& team, const Tall& x, double* gram) {
  const size_t k = x.width;
  const uint32_t chunks = chunksOf(x.count);
  Aligned<double> parts(chunks * k * k);
  team.run(chunks, [&](uint32_t chunk, unsigned) {
    const size_t from = chunk * kRowsPerChunk, rows = std::min(kRowsPerChunk, x.count - from);
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, static_cast<int>(k), static_cast<int>(rows), 1,
                x.row(from), static_cast<int>(x.pitch), 0, &parts[chunk * k * k], static_cast<int>(k));
  });
  std::fill_n(gram, k * k, 0.0);
  for (uint32_t chunk = 0; chunk < chunks; chunk++)
    for (size_t at = 0; at < k * k; at++) gram[at] += parts[chunk * k * k + at];
  for (size_t i = 0; i < k; i++)
    for (size_t j = 0; j < i; j++) gram[i * k + j] = gram[j * k + i];
}

void timesSquare(Team& team, const Tall& x, const double* b) {
  const size_t k = x.width;
  std::vector<Aligned<double>> copies;
  for (unsigned worker = 0; worker < team.size(); worker++) copies.emplace_back(kRowsPerChunk * k);
  team.run(chunksOf(x.count), [&](uint32_t chunk, unsigned worker) {
    const size_t from = chunk * kRowsPerChunk, rows = std::min(kRowsPerChunk, x.count - from);
    Aligned<double>& copy = copies[worker];
    for (size_t i = 0; i < rows; i++) std::copy_n(x.row(from + i), k, &copy[i * k]);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(rows), static_cast<int>(k),
                static_cast<int>(k), 1, copy.data(), static_cast<int>(k), b, static_cast<int>(k), 0,
                x.row(from), static_cast<int>(x.pitch));
  });
}

void orthonormalize(Team& team, const Tall& x, double* r, Missing missing, const unsigned key[2]) {
  const size_t k = x.width;
  std::vector<double> first(k * k), second(k * k);
  gramOf(team, x, first.data());
  if (x.count < k || !cholesky(first.data(), k, kLeastPivot)) {
    gramSchmidt(x, r, missing, key);
    return;
  }
  divideByUpper(team, x, first.data());
  gramOf(team, x, second.data());
  if (!cholesky(second.data(), k, kLeastPivot))
    throw Error("ERR_INTERNAL", "factors: no orthonormal basis could be found");
  divideByUpper(team, x, second.data());
  for (size_t i = 0; i < k; i++) {
    for (size_t j = 0; j < k; j++) {
      double sum = 0;
      for (size_t l = i; l <= j; l++) sum += second[i * k + l] * first[l * k + j];
      r[i * k + j] = j < i ? 0 : sum;
    }
  }
}

}  // namespace extrema::lowrank
