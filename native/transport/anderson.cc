#include "transport/anderson.h"

#include <algorithm>
#include <cmath>

#include "simd/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/anderson.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// sum_j w_j x_j y_j
double WeightedDot(const double* HWY_RESTRICT w, const double* HWY_RESTRICT x, const double* HWY_RESTRICT y,
                   size_t n) {
  const hn::ScalableTag<double> d;
  const size_t N = hn::Lanes(d);
  auto sum0 = hn::Zero(d), sum1 = hn::Zero(d);
  size_t j = 0;
  for (; j + 2 * N <= n; j += 2 * N) {
    sum0 = hn::MulAdd(hn::Mul(hn::LoadU(d, w + j), hn::LoadU(d, x + j)), hn::LoadU(d, y + j), sum0);
    sum1 =
        hn::MulAdd(hn::Mul(hn::LoadU(d, w + j + N), hn::LoadU(d, x + j + N)), hn::LoadU(d, y + j + N), sum1);
  }
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1)));
  for (; j < n; j++) sum += w[j] * x[j] * y[j];
  return sum;
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport {

EXTREMA_EXPORT(WeightedDot);

namespace {

uint32_t chunksFor(size_t n) { return static_cast<uint32_t>(std::clamp<size_t>(n / 4096, 1, 32)); }

}  // namespace

Anderson::Anderson(size_t arrays, size_t n)
    : arrays_(arrays), n_(n), lastResidual_(arrays * n), lastG_(arrays * n) {
  for (size_t c = 0; c < kDepth; c++) {
    residuals_.emplace_back(arrays * n);
    images_.emplace_back(arrays * n);
  }
}

bool Anderson::advance(Team& team, double* x, const double* g, const double* weight, double least) {
  const uint32_t chunks = chunksFor(arrays_ * n_);
  const bool first = steps_ == 0;
  const size_t slot = (steps_ + kDepth - 1) % kDepth;
  double* dr = residuals_[slot].data();
  double* dg = images_[slot].data();
  team.run(chunks, [&](uint32_t c, unsigned) {
    const Range range = chunkRange(arrays_ * n_, chunks, c);
    for (size_t i = range.begin; i < range.end; i++) {
      const double r = g[i] - x[i];
      if (!first) {
        dr[i] = r - lastResidual_[i];
        dg[i] = g[i] - lastG_[i];
      }
      lastResidual_[i] = r;
      lastG_[i] = g[i];
    }
  });
  steps_++;
  Columns gamma{};
  const bool combined = !first && combination(team, lastResidual_.data(), weight, gamma);
  const size_t columns = combined ? std::min(steps_ - 1, kDepth) : 0;
  team.run(chunks, [&](uint32_t c, unsigned) {
    const Range range = chunkRange(arrays_ * n_, chunks, c);
    std::copy(g + range.begin, g + range.end, x + range.begin);
    for (size_t a = 0; a < columns; a++) {
      const double* image = images_[a].data();
      for (size_t i = range.begin; i < range.end; i++) {
        if (weight[i % n_] > least) x[i] -= gamma[a] * image[i];
      }
    }
  });
  return combined;
}

// gamma minimises |r - sum_a gamma_a dr_a|² by the normal equations of columns scaled to length one.
bool Anderson::combination(Team& team, const double* residual, const double* weight, Columns& gamma) const {
  constexpr size_t kProducts = kDepth * kDepth + kDepth;
  const size_t m = std::min(steps_ - 1, kDepth);
  const uint32_t chunks = chunksFor(arrays_ * n_);
  std::vector<std::array<double, kProducts>> parts(chunks);
  team.run(chunks, [&](uint32_t c, unsigned) {
    std::array<double, kProducts>& sums = parts[c];
    sums.fill(0);
    const Range range = chunkRange(n_, chunks, c);
    const size_t count = range.end - range.begin;
    const double* w = weight + range.begin;
    for (size_t array = 0; array < arrays_; array++) {
      const size_t from = array * n_ + range.begin;
      for (size_t a = 0; a < m; a++) {
        const double* left = residuals_[a].data() + from;
        for (size_t b = 0; b <= a; b++) {
          sums[a * kDepth + b] += EXTREMA_DISPATCH(WeightedDot)(w, left, residuals_[b].data() + from, count);
        }
        sums[kDepth * kDepth + a] += EXTREMA_DISPATCH(WeightedDot)(w, left, residual + from, count);
      }
    }
  });
  double matrix[kDepth][kDepth] = {}, right[kDepth] = {}, scale[kDepth];
  for (const auto& sums : parts) {
    for (size_t a = 0; a < m; a++) {
      for (size_t b = 0; b <= a; b++) matrix[a][b] += sums[a * kDepth + b];
      right[a] += sums[kDepth * kDepth + a];
    }
  }
  for (size_t a = 0; a < m; a++) {
    scale[a] = std::sqrt(matrix[a][a]);
    if (!(scale[a] > 0 && std::isfinite(scale[a]))) return false;
  }
  // Cholesky factor in the lower triangle; the shift keeps steps that hardly differ apart.
  constexpr double kShift = 1e-10;
  for (size_t a = 0; a < m; a++) {
    for (size_t b = 0; b <= a; b++) {
      double value = matrix[a][b] / (scale[a] * scale[b]) + (a == b ? kShift : 0);
      for (size_t k = 0; k < b; k++) value -= matrix[a][k] * matrix[b][k];
      if (a == b && !(value > 0)) return false;
      matrix[a][b] = a == b ? std::sqrt(value) : value / matrix[b][b];
    }
  }
  for (size_t a = 0; a < m; a++) {
    double value = right[a] / scale[a];
    for (size_t k = 0; k < a; k++) value -= matrix[a][k] * gamma[k];
    gamma[a] = value / matrix[a][a];
  }
  for (size_t a = m; a-- > 0;) {
    double value = gamma[a];
    for (size_t k = a + 1; k < m; k++) value -= matrix[k][a] * gamma[k];
    gamma[a] = value / matrix[a][a];
  }
  for (size_t a = 0; a < m; a++) {
    gamma[a] /= scale[a];
    if (!std::isfinite(gamma[a])) return false;
  }
  return true;
}

}  // namespace extrema::transport
#endif
