#include "transport/span-mask.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace extrema::transport {

template <class T>
SpanMask::SpanMask(Metric metric, double unit, size_t n, size_t m, size_t d, size_t pitch, const T* x,
                   const T* yT, const double* a, const double* b)
    : metric_(metric), unit_(unit), d_(d), pitch_(pitch) {
  measure(rows_, n, d, x, d, 1, a);
  measure(columns_, m, d, yT, 1, pitch, b);
  spans_.resize(rows_.blocks);
}
template SpanMask::SpanMask(Metric, double, size_t, size_t, size_t, size_t, const double*, const double*,
                            const double*, const double*);
template SpanMask::SpanMask(Metric, double, size_t, size_t, size_t, size_t, const float*, const float*,
                            const double*, const double*);

template <class T>
void SpanMask::measure(Side& side, size_t count, size_t d, const T* points, size_t pointStep,
                       size_t coordStep, const double* weights) {
  side.count = count;
  side.blocks = (count + kBlock - 1) / kBlock;
  side.least.assign(d * side.blocks, std::numeric_limits<double>::infinity());
  side.most.assign(d * side.blocks, -std::numeric_limits<double>::infinity());
  side.logWeight.assign(side.blocks, std::numeric_limits<double>::infinity());
  side.potential.resize(side.blocks);
  for (size_t i = 0; i < count; i++) {
    const size_t I = i / kBlock;
    for (size_t k = 0; k < d; k++) {
      const double value = points[i * pointStep + k * coordStep];
      double& least = side.least[k * side.blocks + I];
      double& most = side.most[k * side.blocks + I];
      least = std::min(least, value);
      most = std::max(most, value);
    }
    side.logWeight[I] = std::min(side.logWeight[I], weights[i]);
  }
  for (double& weight : side.logWeight) weight = std::log2(weight);
}

// Between the boxes of two blocks. Unit vectors: 1 - x·y = |x - y|² / 2.
double SpanMask::leastCost(size_t I, size_t J) const {
  double total = 0;
  for (size_t k = 0; k < d_; k++) {
    const size_t row = k * rows_.blocks + I, column = k * columns_.blocks + J;
    const double gap =
        std::max({rows_.least[row] - columns_.most[column], columns_.least[column] - rows_.most[row], 0.0});
    total += metric_ == Metric::cityblock ? gap : gap * gap;
  }
  if (metric_ == Metric::cosine) return unit_ * total / 2;
  return metric_ == Metric::euclidean ? std::sqrt(total) : total;
}

template <class T>
void SpanMask::rebuild(Team& team, const T* F, const T* G, double delta) {
  const auto reach = [](Side& side, const T* potential) {
    for (size_t I = 0; I < side.blocks; I++) {
      const size_t begin = I * kBlock, end = std::min(begin + kBlock, side.count);
      side.potential[I] = *std::max_element(potential + begin, potential + end);
    }
  };
  reach(rows_, F);
  reach(columns_, G);
  const double logN = std::log2(static_cast<double>(rows_.count));
  const double logM = std::log2(static_cast<double>(columns_.count));
  const double logDelta = std::log2(delta);
  std::vector<double> skipped(rows_.blocks);
  const uint32_t chunks = rowChunks(rows_.blocks, columns_.blocks);
  team.run(chunks, [&](uint32_t c, unsigned) {
    const Range range = chunkRange(rows_.blocks, chunks, c);
    for (size_t I = range.begin; I < range.end && !team.monitor().cancelled(); I++) {
      std::vector<Span>& spans = spans_[I];
      spans.clear();
      size_t formed = 0;
      for (size_t J = 0; J < columns_.blocks; J++) {
        const double least = std::min(rows_.logWeight[I] - logM, columns_.logWeight[J] - logN) + logDelta;
        // Written so that what is no number is formed.
        if (rows_.potential[I] + columns_.potential[J] - leastCost(I, J) < least) continue;
        const uint32_t begin = static_cast<uint32_t>(J * kBlock);
        const uint32_t end = static_cast<uint32_t>(std::min((J + 1) * kBlock, pitch_));
        formed += std::min<size_t>(end, columns_.count) - begin;
        if (!spans.empty() && spans.back().end == begin) {
          spans.back().end = end;
        } else {
          spans.push_back({begin, end});
        }
      }
      const size_t rows = std::min((I + 1) * kBlock, rows_.count) - I * kBlock;
      skipped[I] = static_cast<double>(rows) * static_cast<double>(columns_.count - formed);
    }
  });
  skipped_ = sum(skipped.data(), skipped.size());
}
template void SpanMask::rebuild(Team&, const double*, const double*, double);
template void SpanMask::rebuild(Team&, const float*, const float*, double);

}  // namespace extrema::transport
