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

// Indices of the scores over `level`; count is a multiple of 64, `found` has room for all of them.
size_t Above(const float* scores, size_t count, float level, int32_t* found) {
  const F d;
  const size_t N = hn::Lanes(d);
  const auto bound = hn::Set(d, level);
  size_t size = 0;
  for (size_t j = 0; j < count; j += 4 * N) {
    const auto a = hn::LoadU(d, scores + j), b = hn::LoadU(d, scores + j + N);
    const auto c = hn::LoadU(d, scores + j + 2 * N), e = hn::LoadU(d, scores + j + 3 * N);
    const auto most = hn::Max(hn::Max(a, b), hn::Max(c, e));
    if (hn::AllFalse(d, hn::Gt(most, bound))) continue;
    for (size_t l = j; l < j + 4 * N; l += N) {
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

}  // namespace HWY_NAMESPACE
}  // namespace extrema::lowrank
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::lowrank {

namespace {

EXTREMA_EXPORT(Above);
EXTREMA_EXPORT(GroupMaxima);

constexpr size_t kRows = 32, kMostTile = 10240;  // scores at work: about the size of a second-level cache
constexpr size_t kGroups = 64;                   // groups come in multiples of this
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
  Aligned<float> left, scores, maxima;
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
        groups_((2 * wanted_ + kGroups - 1) / kGroups * kGroups),
        right_(p.n * width_),
        workers_(team_.size()) {
    for (size_t j = 0; j < p.n; j++) {
      for (size_t c = 0; c < p.rank; c++) right_[j * width_ + c] = static_cast<float>(p.v[j * p.rank + c]);
      if (p.columnBias != nullptr) right_[j * width_ + p.rank] = static_cast<float>(p.columnBias[j]);
    }
    const size_t tiles = (p.n + kMostTile - 1) / kMostTile;
    tile_ = ((p.n + tiles - 1) / tiles + kGroups - 1) / kGroups * kGroups;
    for (Worker& worker : workers_) {
      worker.maxima = Aligned<float>(groups_);
      worker.left = Aligned<float>(kRows * width_);
      worker.scores = Aligned<float>(kRows * tile_);
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
                   padded = (columns + kGroups - 1) / kGroups * kGroups;
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(rows), static_cast<int>(columns),
                  static_cast<int>(width_), 1, w.left.data(), static_cast<int>(width_),
                  right_.data() + tile * width_, static_cast<int>(width_), 0, w.scores.data(),
                  static_cast<int>(tile_));
      if (p_.productsOnly) continue;
      for (size_t r = 0; r < rows; r++) {
        float* scores = w.scores.data() + r * tile_;
        std::fill(scores + columns, scores + padded, kLowest);
        exclude(from + r, tile, columns, w.best[r], scores);
        collect(tile, padded, w.best[r], scores, w);
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

  void collect(size_t tile, size_t padded, Best& best, const float* scores, Worker& w) const {
    if (best.list.empty() && groups_ <= padded) {
      // As many groups have an entry at or over the level as columns are wanted.
      float* maxima = w.maxima.data();
      EXTREMA_DISPATCH(GroupMaxima)(scores, padded, groups_, maxima);
      std::nth_element(maxima, maxima + (wanted_ - 1), maxima + groups_, std::greater<float>());
      const float bound = maxima[wanted_ - 1];
      if (bound > kLowest) best.level = std::nextafter(bound, kLowest);
    }
    const size_t found = EXTREMA_DISPATCH(Above)(scores, padded, best.level, w.found.data());
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
  size_t width_, wanted_, most_, groups_, tile_ = 0;
  Aligned<float> right_;
  std::vector<Worker> workers_;
};

}  // namespace

void topK(const TopK& problem, Monitor& monitor) { Selection(problem, monitor).run(); }

}  // namespace extrema::lowrank
#endif
