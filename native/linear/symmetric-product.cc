#include "linear/symmetric-product.h"

#include <algorithm>

#include "linear/lapack.h"
#include "simd/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "linear/symmetric-product.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::dense {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// For a column-major tile T of four columns: below += T x and right += Tᵀ z. Columns of BLAS's products
// would be read twice.
HWY_INLINE void FourColumns(const double* tile, size_t pitch, size_t rows, const double* x, const double* z,
                            double* HWY_RESTRICT below, double* HWY_RESTRICT right) {
  const hn::ScalableTag<double> d;
  const size_t N = hn::Lanes(d);
  const double *c0 = tile, *c1 = c0 + pitch, *c2 = c1 + pitch, *c3 = c2 + pitch;
  const auto x0 = hn::Set(d, x[0]), x1 = hn::Set(d, x[1]), x2 = hn::Set(d, x[2]), x3 = hn::Set(d, x[3]);
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  size_t i = 0;
  for (; i + N <= rows; i += N) {
    const auto a0 = hn::LoadU(d, c0 + i), a1 = hn::LoadU(d, c1 + i), a2 = hn::LoadU(d, c2 + i),
               a3 = hn::LoadU(d, c3 + i), v = hn::LoadU(d, z + i);
    const auto one = hn::MulAdd(a0, x0, hn::MulAdd(a1, x1, hn::LoadU(d, below + i)));
    hn::StoreU(hn::Add(one, hn::MulAdd(a2, x2, hn::Mul(a3, x3))), d, below + i);
    s0 = hn::MulAdd(a0, v, s0);
    s1 = hn::MulAdd(a1, v, s1);
    s2 = hn::MulAdd(a2, v, s2);
    s3 = hn::MulAdd(a3, v, s3);
  }
  double t0 = hn::GetLane(hn::SumOfLanes(d, s0)), t1 = hn::GetLane(hn::SumOfLanes(d, s1)),
         t2 = hn::GetLane(hn::SumOfLanes(d, s2)), t3 = hn::GetLane(hn::SumOfLanes(d, s3));
  for (; i < rows; i++) {
    below[i] += c0[i] * x[0] + c1[i] * x[1] + c2[i] * x[2] + c3[i] * x[3];
    t0 += c0[i] * z[i];
    t1 += c1[i] * z[i];
    t2 += c2[i] * z[i];
    t3 += c3[i] * z[i];
  }
  right[0] += t0;
  right[1] += t1;
  right[2] += t2;
  right[3] += t3;
}

void BothWays(const double* tile, size_t pitch, size_t rows, size_t columns, const double* x, const double* z,
              double* HWY_RESTRICT below, double* HWY_RESTRICT right) {
  size_t j = 0;
  for (; j + 4 <= columns; j += 4) FourColumns(tile + j * pitch, pitch, rows, x + j, z, below, right + j);
  for (; j < columns; j++) {
    const double* column = tile + j * pitch;
    double sum = 0;
    for (size_t i = 0; i < rows; i++) {
      below[i] += column[i] * x[j];
      sum += column[i] * z[i];
    }
    right[j] += sum;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::dense
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::dense {

EXTREMA_EXPORT(BothWays);

namespace {

constexpr size_t kBlock = 64;      // columns, and rows on the diagonal, of a tile
constexpr size_t kRows = 256;      // of a tile below it
constexpr size_t kParallel = 256;  // below this size all is one chunk
constexpr uint32_t kChunks = 8;

}  // namespace

SymmetricProduct::SymmetricProduct(Team& team, size_t largest)
    : team_(team), parts_(kChunks * largest), largest_(largest) {}

void SymmetricProduct::run(const double* a, size_t pitch, size_t n, const double* x, double* y) {
  const int size = static_cast<int>(n), lda = static_cast<int>(pitch);
  if (n < kParallel) {
    cblas_dsymv(CblasColMajor, CblasLower, size, 1, a, lda, x, 1, 0, y, 1);
    return;
  }
  // Block columns go round the chunks, there and back, so that all have about the same area.
  const size_t blocks = (n + kBlock - 1) / kBlock;
  team_.run(kChunks, [&](uint32_t chunk, unsigned) {
    double* part = parts_.data() + chunk * largest_;
    std::fill_n(part, n, 0.0);
    for (size_t b = 0; b < blocks; b++) {
      const size_t lap = b / kChunks, turn = b % kChunks;
      if ((lap % 2 == 0 ? turn : kChunks - 1 - turn) != chunk) continue;
      const size_t j0 = b * kBlock, j1 = std::min(n, j0 + kBlock);
      const int width = static_cast<int>(j1 - j0);
      cblas_dsymv(CblasColMajor, CblasLower, width, 1, a + j0 * pitch + j0, lda, x + j0, 1, 1, part + j0, 1);
      for (size_t i0 = j1; i0 < n; i0 += kRows) {
        EXTREMA_DISPATCH(BothWays)
        (a + j0 * pitch + i0, pitch, std::min(kRows, n - i0), j1 - j0, x + j0, x + i0, part + i0, part + j0);
      }
    }
  });
  std::copy_n(parts_.data(), n, y);
  for (uint32_t chunk = 1; chunk < kChunks; chunk++) {
    const double* part = parts_.data() + chunk * largest_;
    for (size_t i = 0; i < n; i++) y[i] += part[i];
  }
}

}  // namespace extrema::dense
#endif
