#include "lowrank/completion/top-k.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "core/aligned.h"
#include "core/team.h"
#include "simd/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lowrank/completion/top-k.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::lowrank {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using F = hn::CappedTag<float, 16>;

// Indices of the scores over `level` in so many panels; `found` has room for all of them.
size_t Above(const float* scores, const float* bounds, size_t panels, float level, int32_t* found) {
  const F d;
  const size_t N = hn::Lanes(d);
  const auto bound = hn::Set(d, level);
  size_t size = 0;
  for (size_t p = 0; p < panels; p++) {
    if (hn::AllFalse(d, hn::Gt(hn::LoadU(d, bounds + p * kBounds), bound))) continue;
    for (size_t l = p * kPanel; l < (p + 1) * kPanel; l += N) {
      uint8_t bytes[8] = {};
      hn::StoreMaskBits(d, hn::Gt(hn::LoadU(d, scores + l), bound), bytes);
      uint32_t bits = bytes[0] | static_cast<uint32_t>(bytes[1]) << 8;
      for (; bits != 0; bits &= bits - 1)
        found[size++] = static_cast<int32_t>(l + hwy::Num0BitsBelowLS1Bit_Nonzero32(bits));
    }
  }
  return size;
}

// The greatest of each of `groups` groups of scores, a multiple of 64; count is a multiple of 64 and at least
// as large.
void GroupMaxima(const float* scores, size_t count, size_t groups, float* maxima) {
  const F d;
  const size_t N = hn::Lanes(d);
  for (size_t g = 0; g < groups; g += 4 * N) {
    auto a = hn::LoadU(d, scores + g), b = hn::LoadU(d, scores + g + N);
    auto c = hn::LoadU(d, scores + g + 2 * N), e = hn::LoadU(d, scores + g + 3 * N);
    for (size_t j = g + groups; j + 4 * N <= count; j += groups) {
      a = hn::Max(a, hn::LoadU(d, scores + j));
      b = hn::Max(b, hn::LoadU(d, scores + j + N));
      c = hn::Max(c, hn::LoadU(d, scores + j + 2 * N));
      e = hn::Max(e, hn::LoadU(d, scores + j + 3 * N));
    }
    hn::StoreU(a, d, maxima + g);
    hn::StoreU(b, d, maxima + g + N);
    hn::StoreU(c, d, maxima + g + 2 * N);
    hn::StoreU(e, d, maxima + g + 3 * N);
  }
}

// Scores of kRows rows of `left` (`width` numbers each) with a panel of 64 columns, packed width × 64, and
// their bounds.
template <size_t kRows>
HWY_INLINE void PanelRows(const float* left, size_t width, const float* HWY_RESTRICT panel, float* scores,
                          size_t pitch, float* bounds, size_t boundPitch) {
  const F d;
  const size_t N = hn::Lanes(d);
  auto most0 = hn::Set(d, -std::numeric_limits<float>::infinity());
  auto most1 = most0, most2 = most0, most3 = most0;
  for (size_t j = 0; j < kPanel; j += 4 * N) {
    auto zero = hn::Zero(d);
    auto a0 = zero, a1 = zero, a2 = zero, a3 = zero, b0 = zero, b1 = zero, b2 = zero, b3 = zero;
    auto c0 = zero, c1 = zero, c2 = zero, c3 = zero, e0 = zero, e1 = zero, e2 = zero, e3 = zero;
    for (size_t k = 0; k < width; k++) {
      const float* v = panel + k * kPanel + j;
      const auto v0 = hn::LoadU(d, v), v1 = hn::LoadU(d, v + N), v2 = hn::LoadU(d, v + 2 * N);
      const auto v3 = hn::LoadU(d, v + 3 * N);
      const auto add = [&](size_t row, auto& s0, auto& s1, auto& s2, auto& s3) HWY_ATTR {
        const auto u = hn::Set(d, left[row * width + k]);
        s0 = hn::MulAdd(u, v0, s0);
        s1 = hn::MulAdd(u, v1, s1);
        s2 = hn::MulAdd(u, v2, s2);
        s3 = hn::MulAdd(u, v3, s3);
      };
      add(0, a0, a1, a2, a3);
      if (kRows > 1) add(1, b0, b1, b2, b3);
      if (kRows > 2) {
        add(2, c0, c1, c2, c3);
        add(3, e0, e1, e2, e3);
      }
    }
    const auto store = [&](size_t row, auto s0, auto s1, auto s2, auto s3, auto& most) HWY_ATTR {
      float* to = scores + row * pitch + j;
      hn::StoreU(s0, d, to);
      hn::StoreU(s1, d, to + N);
      hn::StoreU(s2, d, to + 2 * N);
      hn::StoreU(s3, d, to + 3 * N);
      most = hn::Max(most, hn::Max(hn::Max(s0, s1), hn::Max(s2, s3)));
    };
    store(0, a0, a1, a2, a3, most0);
    if (kRows > 1) store(1, b0, b1, b2, b3, most1);
    if (kRows > 2) {
      store(2, c0, c1, c2, c3, most2);
      store(3, e0, e1, e2, e3, most3);
    }
  }
  hn::StoreU(most0, d, bounds);
  if (kRows > 1) hn::StoreU(most1, d, bounds + boundPitch);
  if (kRows > 2) {
    hn::StoreU(most2, d, bounds + 2 * boundPitch);
    hn::StoreU(most3, d, bounds + 3 * boundPitch);
  }
}

void Scores(const float* left, size_t rows, size_t width, const float* panels, size_t count, float* scores,
            size_t pitch, float* bounds, size_t boundPitch) {
  constexpr size_t kTogether = HWY_TARGET == HWY_AVX3 ? 4 : 2;  // as the registers allow
  for (size_t p = 0; p < count; p++) {
    const float* panel = panels + p * kPanel * width;
    float *to = scores + p * kPanel, *top = bounds + p * kBounds;
    size_t r = 0;
    for (; r + kTogether <= rows; r += kTogether)
      PanelRows<kTogether>(left + r * width, width, panel, to + r * pitch, pitch, top + r * boundPitch,
                           boundPitch);
    for (; r < rows; r++)
      PanelRows<1>(left + r * width, width, panel, to + r * pitch, pitch, top + r * boundPitch, boundPitch);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::lowrank
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::lowrank {

namespace {

EXTREMA_EXPORT(Above);
EXTREMA_EXPORT(GroupMaxima);
EXTREMA_EXPORT(Scores);

// Scores at work: a quarter of a second-level cache, or a half. Products alone are quickest in longer tiles.
constexpr size_t kRows = 32, kMostTile = 2048, kMostProducts = 10240;
// Candidates beyond k: they are told apart in float64.
constexpr size_t kSpare = 8;
constexpr float kLowest = -std::numeric_limits<float>::infinity();

struct Candidate {
  float score;
  int32_t column;
};
struct Before {
  bool operator()(const Candidate& a, const Candidate& b) const {
    return a.score > b.score || (a.score == b.score && a.column < b.column);
  }
};

// The best candidates so far of a row.
struct Best {
  std::vector<Candidate> list;
  float level = kLowest;
  size_t seen = 0;  // how many of the excluded columns have been passed
};

struct Worker {
  Aligned<float> left, scores, bounds, maxima;
  std::vector<int32_t> found;
  std::vector<Best> best;
  std::vector<std::pair<double, int32_t>> exact;
};

class Selection {
 public:
  Selection(const TopK& p, Monitor& monitor)
      : p_(p),
        monitor_(monitor),
        team_(p.threads, monitor),
        width_(p.rank + (p.columnBias != nullptr ? 1 : 0)),
        wanted_(std::min(p.k + kSpare, p.n)),
        most_(2 * wanted_),
        groups_((2 * wanted_ + kPanel - 1) / kPanel * kPanel),
        right_((p.n + kPanel - 1) / kPanel * kPanel * width_),
        workers_(team_.size()) {
    // Panels of 64 columns, packed width × 64; plain rows for the products alone.
    for (size_t j = 0; j < p.n; j++) {
      float* to =
          p.productsOnly ? &right_[j * width_] : &right_[j / kPanel * kPanel * width_ + j % kPanel];
      const size_t step = p.productsOnly ? 1 : kPanel;
      for (size_t c = 0; c < p.rank; c++) to[c * step] = static_cast<float>(p.v[j * p.rank + c]);
      if (p.columnBias != nullptr) to[p.rank * step] = static_cast<float>(p.columnBias[j]);
    }
    const size_t most = p.productsOnly ? kMostProducts : kMostTile, tiles = (p.n + most - 1) / most;
    tile_ = ((p.n + tiles - 1) / tiles + kPanel - 1) / kPanel * kPanel;
    pitch_ = tile_ + 80;  // rows that do not meet in the same lines of the cache
    boundPitch_ = tile_ / kPanel * kBounds;
    for (Worker& worker : workers_) {
      worker.maxima = Aligned<float>(groups_);
      worker.left = Aligned<float>(kRows * width_);
      worker.scores = Aligned<float>(kRows * pitch_);
      worker.bounds = Aligned<float>(kRows * boundPitch_);
      worker.found.resize(tile_ + 1);
      worker.best.resize(kRows);
      for (Best& best : worker.best) best.list.reserve(most_ + tile_);
      worker.exact.resize(wanted_);
    }
  }

  void run() {
    const auto chunks = static_cast<uint32_t>((p_.count + kRows - 1) / kRows);
    team_.run(chunks, [&](uint32_t chunk, unsigned worker) {
      block(chunk * kRows, std::min(kRows, p_.count - chunk * kRows), workers_[worker]);
    });
  }

 private:
  void block(size_t from, size_t rows, Worker& w) {
    for (size_t r = 0; r < rows; r++) {
      const double* u = p_.u + static_cast<size_t>(p_.rows[from + r]) * p_.rank;
      for (size_t c = 0; c < p_.rank; c++) w.left[r * width_ + c] = static_cast<float>(u[c]);
      if (p_.columnBias != nullptr) w.left[r * width_ + p_.rank] = 1;
      w.best[r].list.clear();
      w.best[r].level = kLowest;
      w.best[r].seen = p_.indptr == nullptr ? 0 : static_cast<size_t>(p_.indptr[from + r]);
    }
    for (size_t tile = 0; tile < p_.n && !monitor_.cancelled(); tile += tile_) {
      const size_t columns = std::min(tile_, p_.n - tile),
                   padded = (columns + kPanel - 1) / kPanel * kPanel;
      if (p_.productsOnly) {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(rows),
                    static_cast<int>(columns), static_cast<int>(width_), 1, w.left.data(),
                    static_cast<int>(width_), right_.data() + tile * width_, static_cast<int>(width_), 0,
                    w.scores.data(), static_cast<int>(pitch_));
        continue;
      }
      EXTREMA_DISPATCH(Scores)
      (w.left.data(), rows, width_, right_.data() + tile * width_, padded / kPanel, w.scores.data(), pitch_,
       w.bounds.data(), boundPitch_);
      for (size_t r = 0; r < rows; r++) {
        float* scores = w.scores.data() + r * pitch_;
        std::fill(scores + columns, scores + padded, kLowest);
        exclude(from + r, tile, columns, w.best[r], scores);
        collect(tile, padded, w.best[r], scores, w.bounds.data() + r * boundPitch_, w);
      }
    }
    if (p_.productsOnly) return;
    for (size_t r = 0; r < rows; r++) finish(from + r, w.best[r], w);
  }

  void exclude(size_t query, size_t tile, size_t columns, Best& best, float* scores) const {
    if (p_.indptr == nullptr) return;
    const auto end = static_cast<size_t>(p_.indptr[query + 1]);
    for (; best.seen < end; best.seen++) {
      const auto column = static_cast<size_t>(p_.indices[best.seen]);
      if (column >= tile + columns) return;
      scores[column - tile] = kLowest;
    }
  }

  void collect(size_t tile, size_t padded, Best& best, const float* scores, const float* bounds,
               Worker& w) const {
    if (best.list.empty() && groups_ <= padded) {
      // As many groups have an entry at or over the level as columns are wanted.
      float* maxima = w.maxima.data();
      EXTREMA_DISPATCH(GroupMaxima)(scores, padded, groups_, maxima);
      std::nth_element(maxima, maxima + (wanted_ - 1), maxima + groups_, std::greater<float>());
      const float bound = maxima[wanted_ - 1];
      if (bound > kLowest) best.level = std::nextafter(bound, kLowest);
    }
    // Columns that were left out since are still in the bounds, which may be too great but never too small.
    const size_t found =
        EXTREMA_DISPATCH(Above)(scores, bounds, padded / kPanel, best.level, w.found.data());
    for (size_t f = 0; f < found; f++)
      best.list.push_back({scores[w.found[f]], static_cast<int32_t>(tile) + w.found[f]});
    if (best.list.size() > most_) shrink(best);
  }

  void shrink(Best& best) const {
    if (best.list.size() <= wanted_) return;
    const auto middle = best.list.begin() + static_cast<std::ptrdiff_t>(wanted_) - 1;
    std::nth_element(best.list.begin(), middle, best.list.end(), Before());
    best.level = middle->score;
    best.list.resize(wanted_);
  }

  void finish(size_t query, Best& best, Worker& w) const {
    shrink(best);
    const double* u = p_.u + static_cast<size_t>(p_.rows[query]) * p_.rank;
    const size_t found = best.list.size();
    for (size_t f = 0; f < found; f++) {
      const auto column = static_cast<size_t>(best.list[f].column);
      double score = p_.columnBias == nullptr ? 0 : p_.columnBias[column];
      for (size_t c = 0; c < p_.rank; c++) score += u[c] * p_.v[column * p_.rank + c];
      w.exact[f] = {score, best.list[f].column};
    }
    std::sort(w.exact.begin(), w.exact.begin() + static_cast<std::ptrdiff_t>(found),
              [](const auto& a, const auto& b) {
                return a.first > b.first || (a.first == b.first && a.second < b.second);
              });
    for (size_t c = 0; c < p_.k; c++) {
      const bool there = c < found;
      p_.columns[query * p_.k + c] = there ? w.exact[c].second : -1;
      p_.scores[query * p_.k + c] = there ? w.exact[c].first : -std::numeric_limits<double>::infinity();
    }
  }

  const TopK& p_;
  Monitor& monitor_;
  Team team_;
  size_t width_, wanted_, most_, groups_, tile_ = 0, pitch_ = 0, boundPitch_ = 0;
  Aligned<float> right_;
  std::vector<Worker> workers_;
};

}  // namespace

void topK(const TopK& problem, Monitor& monitor) { Selection(problem, monitor).run(); }

}  // namespace extrema::lowrank
#endif
