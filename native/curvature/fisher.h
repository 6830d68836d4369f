#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/monitor.h"

namespace extrema::curvature {

// Numbers of either precision, borrowed.
struct Numbers {
  const double* as64 = nullptr;
  const float* as32 = nullptr;
};
struct Results {
  double* as64 = nullptr;
  float* as32 = nullptr;
};

// Calls fn with the pointer that is there.
template <class N, class F>
void either(const N& numbers, F&& fn) {
  if (numbers.as64 != nullptr) {
    fn(numbers.as64);
  } else {
    fn(numbers.as32);
  }
}

// Consecutive coordinates of one block each; the last may be shorter.
struct Blocks {
  size_t columns = 0, size = 0;
  size_t count() const { return (columns + size - 1) / size; }
  size_t begin(size_t b) const { return b * size; }
  size_t width(size_t b) const { return std::min(size, columns - begin(b)); }
};

// The rows g_1 … g_m of G, in blocks.
struct Gradients {
  Numbers data;
  size_t rows = 0;
  Blocks blocks;
};

// For each block the matrix K = damping I + S / divisor of one of two forms, of which the smaller one is
// taken:
//   rows     S = G_b G_b^T, m x m:   F^-1 = (I - G_b^T K^-1 G_b / m) / damping    (Woodbury)
//   columns  S = G_b^T G_b, B x B:   F = K
// Matrices lie behind each other with `order` rows of `order` numbers, of which the last uses the first
// `last`. Only lower triangles count.
struct Systems {
  size_t count = 0, order = 0, last = 0;
  size_t orderOf(size_t k) const { return k + 1 == count ? last : order; }
};

// S of G's blocks, added to what `out` holds: the products of rows of G with rows of H at [row][column] of
// the m x m matrices of `order` rows, with H = G the lower triangle only. ERR_NOT_FINITE names an entry of G
// if H is G.
struct GramJob {
  Gradients g, h;
  bool columns = false;  // S = G^T G, with H = G
  size_t order = 0, row = 0, column = 0;
  double* out = nullptr;
  unsigned threads = 1;
};
void gram(const GramJob& job, Monitor& monitor);

// Lower Cholesky factors of damping I + S / divisor, zero above the diagonal; `out` may be S.
// ERR_NOT_FINITE if S / damping overflows, ERR_SINGULAR where there is none in double.
void factor(const Systems& systems, const double* gram, double damping, double divisor, double* out,
            unsigned threads, Monitor& monitor);

// p <- K^-1 p for each system; the parts of p lie behind each other.
void solve(const Systems& systems, const double* factors, double* p, unsigned threads, Monitor& monitor);

// p_b = G_b x_b, m numbers for each block.
void project(const Gradients& g, const Numbers& x, double* p, unsigned threads, Monitor& monitor);

// sum += G_b^T w_b, with m numbers of w for each block. F^-1 g_j = G^T K^-1 e_j, without a difference that
// costs digits.
void gather(const Gradients& g, const double* w, double* sum, unsigned threads, Monitor& monitor);

// out = F^-1 x, out of place, from factors in either form.
struct InverseJob {
  Gradients g;
  bool columns = false;
  const double* factors = nullptr;
  double damping = 1;
  Numbers x;
  Results out;
  unsigned threads = 1;
};
void inverseProduct(const InverseJob& job, Monitor& monitor);

// The diagonal of F^-1.
struct DiagonalJob {
  Gradients g;
  bool columns = false;
  const double* factors = nullptr;
  double damping = 1, divisor = 1;
  double* out = nullptr;
  unsigned threads = 1;
};
void diagonal(const DiagonalJob& job, Monitor& monitor);

// out (k x k) = the entries of one block of F^-1 at k of its coordinates. rows: their columns of G, m x k;
// otherwise their places in the block.
struct EntriesJob {
  size_t order = 0, pitch = 0, k = 0;
  const double* factor = nullptr;
  const double* rows = nullptr;
  const int32_t* places = nullptr;
  double damping = 1, divisor = 1;
  double* out = nullptr;
};
void entries(const EntriesJob& job, Monitor& monitor);

}  // namespace extrema::curvature
