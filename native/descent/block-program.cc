#include "descent/block-program.h"

#include "descent/dense.h"

namespace extrema::descent {

namespace {
constexpr int kRounds = 500;
}

void BlockProgram::solve(const int32_t* block, size_t size, const double* x, const double* g, const double* h,
                         double* d) {
  double scale = 0;
  for (size_t a = 0; a < size; a++) {
    d[a] = 0;
    slopes_[a] = g[a];
    scale = std::max(scale, std::fabs(g[a]));
  }
  for (int round = 0; round < kRounds; round++) {
    double worst = 0;
    for (size_t a = 0; a < size; a++) {
      const size_t i = static_cast<size_t>(block[a]);
      const double curvature = h[a * size + a];
      if (!(curvature > 0)) continue;
      const double next = terms_.prox(i, x[i] + d[a] - slopes_[a] / curvature, curvature) - x[i];
      const double step = next - d[a];
      if (step == 0) continue;
      worst = std::max(worst, curvature * std::fabs(step));
      d[a] = next;
      for (size_t b = 0; b < size; b++) slopes_[b] += step * h[a * size + b];
    }
    if (worst <= 1e-15 * scale) return;
    size_t count = 0;
    for (size_t a = 0; a < size; a++) {
      const size_t i = static_cast<size_t>(block[a]);
      if (h[a * size + a] > 0 && !terms_.isActive(i, x[i] + d[a])) free_[count++] = a;
    }
    if (count < 2) continue;
    for (size_t p = 0; p < count; p++) {
      const size_t a = free_[p], i = static_cast<size_t>(block[a]);
      for (size_t q = 0; q <= p; q++) factor_[p * count + q] = h[a * size + free_[q]];
      const double z = x[i] + d[a];
      move_[p] = -(slopes_[a] + (z > 0 ? terms_.l1[i] : -terms_.l1[i]) * (z == 0 ? 0 : 1));
    }
    if (factorize(factor_.data(), count, true) >= 0) continue;
    forward(factor_.data(), count, move_.data());
    backward(factor_.data(), count, move_.data());
    double length = 1, end = 0;
    ptrdiff_t first = -1;
    for (size_t p = 0; p < count; p++) {
      const size_t i = static_cast<size_t>(block[free_[p]]);
      const double z = x[i] + d[free_[p]];
      const double low = terms_.l1[i] > 0 && z > 0 ? std::max(0.0, terms_.lower[i]) : terms_.lower[i];
      const double high = terms_.l1[i] > 0 && z < 0 ? std::min(0.0, terms_.upper[i]) : terms_.upper[i];
      if (move_[p] > 0 ? z + length * move_[p] <= high : z + length * move_[p] >= low) continue;
      end = move_[p] > 0 ? high : low;
      length = (end - z) / move_[p];
      first = static_cast<ptrdiff_t>(p);
    }
    for (size_t p = 0; p < count; p++) {
      const size_t a = free_[p];
      const double step = static_cast<ptrdiff_t>(p) == first ? end - x[block[a]] - d[a] : length * move_[p];
      d[a] += step;
      for (size_t b = 0; b < size; b++) slopes_[b] += step * h[a * size + b];
    }
  }
}

}  // namespace extrema::descent
