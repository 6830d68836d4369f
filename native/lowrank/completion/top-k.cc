#include "lowrank/completion/top-k.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <limits>
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

// How many numbers bound the scores of a panel: each is the greatest of a share of them.
size_t BoundLanes() { return hn::Lanes(F()); }

// Indices of the scores over `level` in so many panels; `found` has room for all of them.
size_t Above(const float* scores, const float* bounds, size_t panels, float level, int32_t* found) {
  const F d;
  const size_t N = hn::Lanes(d);
  const auto bound = hn::Set(d, level);
  size_t size = 0;
  for (size_t p = 0; p < panels; p++) {
    if (hn::AllFalse(d, hn::Gt(hn::LoadU(d, bounds + p * N), bound))) continue;
    for (size_t l = p * kPanel; l < (p + 1) * kPanel; l += N) {
      const auto over = hn::Gt(hn::LoadU(d, scores + l), bound);
      if (hn::AllFalse(d, over)) continue;
      uint8_t bytes[8] = {};
      hn::StoreMaskBits(d, over, bytes);
      uint32_t bits = bytes[0] | static_cast<uint32_t>(bytes[1]) << 8;
      for (; bits != 0; bits &= bits - 1)
        found[size++] = static_cast<int32_t>(l + hwy::Num0BitsBelowLS1Bit_Nonzero32(bits));
    }
  }
  return size;
}

// The greatest of each of `groups` groups of numbers, a multiple of 64; there are at least as many numbers,
// and a few at the end may count for no group.
void GroupMaxima(const float* numbers, size_t count, size_t groups, float* maxima) {
  const F d;
  const size_t N = hn::Lanes(d);
  for (size_t g = 0; g < groups; g += 4 * N) {
    auto a = hn::LoadU(d, numbers + g), b = hn::LoadU(d, numbers + g + N);
    auto c = hn::LoadU(d, numbers + g + 2 * N), e = hn::LoadU(d, numbers + g + 3 * N);
    for (size_t j = g + groups; j + 4 * N <= count; j += groups) {
      a = hn::Max(a, hn::LoadU(d, numbers + j));
      b = hn::Max(b, hn::LoadU(d, numbers + j + N));
      c = hn::Max(c, hn::LoadU(d, numbers + j + 2 * N));
      e = hn::Max(e, hn::LoadU(d, numbers + j + 3 * N));
    }
    hn::StoreU(a, d, maxima + g);
    hn::StoreU(b, d, maxima + g + N);
    hn::StoreU(c, d, maxima + g + 2 * N);
    hn::StoreU(e, d, maxima + g + 3 * N);
  }
}

// How many of `count` numbers, a multiple of 64, are greater than `level`.
HWY_INLINE size_t CountAbove(const float* numbers, size_t count, float level) {
  const F d;
  const size_t N = hn::Lanes(d);
  const auto bound = hn::Set(d, level);
  size_t above = 0;
  for (size_t j = 0; j < count; j += N) above += hn::CountTrue(d, hn::Gt(hn::LoadU(d, numbers + j), bound));
  return above;
}

// A level that at least `wanted` of `count` numbers, a multiple of 64, are above, and about that many: by
// halving. The lowest of all where there are not so many.
float LevelOf(const float* numbers, size_t count, size_t wanted) {
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  if (CountAbove(numbers, count, kLowest) < wanted) return kLowest;
  const F d;
  const size_t N = hn::Lanes(d);
  auto most = hn::LoadU(d, numbers);
  auto least = hn::Set(d, std::numeric_limits<float>::infinity());
  for (size_t j = 0; j < count; j += N) {
    const auto x = hn::LoadU(d, numbers + j);
    most = hn::Max(most, x);
    // What was left out is no bound.
    least = hn::Min(least, hn::IfThenElse(hn::Gt(x, hn::Set(d, kLowest)), x, least));
  }
  float high = hn::GetLane(hn::MaxOfLanes(d, most));
  float low = std::nextafter(hn::GetLane(hn::MinOfLanes(d, least)), kLowest);
  const size_t enough = wanted + wanted / 8;
  for (int step = 0; step < 24; step++) {
    const float middle = low / 2 + high / 2;
    if (!(low < middle && middle < high)) break;
    const size_t above = CountAbove(numbers, count, middle);
    (above >= wanted ? low : high) = middle;
    if (above >= wanted && above <= enough) break;
  }
  return low;
}

using G = hn::CappedTag<double, 8>;

// out_f = u · row columns[f] of v + its bias.
void ExactScores(const double* u, const double* v, const double* bias, size_t rank, const int32_t* columns,
                 size_t count, double* out) {
  const G d;
  const size_t N = hn::Lanes(d);
  for (size_t f = 0; f < count; f++) {
    const auto column = static_cast<size_t>(columns[f]);
    const double* row = v + column * rank;
    auto sum = hn::Zero(d);
    size_t c = 0;
    for (; c + N <= rank; c += N) sum = hn::MulAdd(hn::LoadU(d, u + c), hn::LoadU(d, row + c), sum);
    double score = hn::GetLane(hn::SumOfLanes(d, sum)) + (bias == nullptr ? 0 : bias[column]);
    for (; c < rank; c++) score += u[c] * row[c];
    out[f] = score;
  }
}

// How many come before each of `count` scores: greater ones, and equal ones of lower columns. The arrays are
// filled up to a multiple of 8 with scores of -Infinity.
void Places(const double* scores, const double* columns, size_t count, double* places) {
  const G d;
  const size_t N = hn::Lanes(d);
  const auto one = hn::Set(d, 1.0);
  for (size_t f = 0; f < count; f++) {
    const auto own = hn::Set(d, scores[f]), column = hn::Set(d, columns[f]);
    auto before = hn::Zero(d);
    for (size_t j = 0; j < count; j += N) {
      const auto other = hn::LoadU(d, scores + j);
      const auto tie = hn::And(hn::Eq(other, own), hn::Lt(hn::LoadU(d, columns + j), column));
      before = hn::Add(before, hn::IfThenElseZero(hn::Or(hn::Gt(other, own), tie), one));
    }
    places[f] = hn::GetLane(hn::SumOfLanes(d, before));
  }
}

// Scores of kRows rows of `left` (`width` numbers each), 1 or 4, with a panel of columns, packed width ×
// kPanel, and their bounds.
template <size_t kRows>
HWY_INLINE void PanelRows(const float* left, size_t width, const float* HWY_RESTRICT panel, float* scores,
                          size_t pitch, float* bounds, size_t boundPitch) {
  const F d;
  const size_t N = hn::Lanes(d);
  auto mostA = hn::Set(d, -std::numeric_limits<float>::infinity());
  auto mostB = mostA, mostC = mostA, mostE = mostA;
  for (size_t j = 0; j < kPanel; j += 3 * N) {
    const auto zero = hn::Zero(d);
    auto a0 = zero, a1 = zero, a2 = zero, b0 = zero, b1 = zero, b2 = zero;
    auto c0 = zero, c1 = zero, c2 = zero, e0 = zero, e1 = zero, e2 = zero;
    const float *v = panel + j, *u = left;
    for (size_t k = 0; k < width; k++, v += kPanel, u++) {
      const auto v0 = hn::LoadU(d, v), v1 = hn::LoadU(d, v + N), v2 = hn::LoadU(d, v + 2 * N);
      const auto ua = hn::Set(d, u[0]);
      a0 = hn::MulAdd(ua, v0, a0);
      a1 = hn::MulAdd(ua, v1, a1);
      a2 = hn::MulAdd(ua, v2, a2);
      if (kRows == 1) continue;
      const auto ub = hn::Set(d, u[width]);
      b0 = hn::MulAdd(ub, v0, b0);
      b1 = hn::MulAdd(ub, v1, b1);
      b2 = hn::MulAdd(ub, v2, b2);
      const auto uc = hn::Set(d, u[2 * width]);
      c0 = hn::MulAdd(uc, v0, c0);
      c1 = hn::MulAdd(uc, v1, c1);
      c2 = hn::MulAdd(uc, v2, c2);
      const auto ue = hn::Set(d, u[3 * width]);
      e0 = hn::MulAdd(ue, v0, e0);
      e1 = hn::MulAdd(ue, v1, e1);
      e2 = hn::MulAdd(ue, v2, e2);
    }
    const auto store = [&](size_t row, auto s0, auto s1, auto s2, auto& most) HWY_ATTR {
      float* to = scores + row * pitch + j;
      hn::StoreU(s0, d, to);
      hn::StoreU(s1, d, to + N);
      hn::StoreU(s2, d, to + 2 * N);
      most = hn::Max(hn::Max(most, s0), hn::Max(s1, s2));
    };
    store(0, a0, a1, a2, mostA);
    if (kRows == 1) continue;
    store(1, b0, b1, b2, mostB);
    store(2, c0, c1, c2, mostC);
    store(3, e0, e1, e2, mostE);
  }
  hn::StoreU(mostA, d, bounds);
  if (kRows == 1) return;
  hn::StoreU(mostB, d, bounds + boundPitch);
  hn::StoreU(mostC, d, bounds + 2 * boundPitch);
  hn::StoreU(mostE, d, bounds + 3 * boundPitch);
}

void Scores(const float* left, size_t rows, size_t width, const float* panels, size_t count, float* scores,
            size_t pitch, float* bounds, size_t boundPitch) {
  const size_t N = hn::Lanes(F());
  for (size_t p = 0; p < count; p++) {
    const float* panel = panels + p * kPanel * width;
    float *to = scores + p * kPanel, *top = bounds + p * N;
    size_t r = 0;
    for (; r + 4 <= rows; r += 4)
      PanelRows<4>(left + r * width, width, panel, to + r * pitch, pitch, top + r * boundPitch, boundPitch);
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

EXTREMA_EXPORT(BoundLanes);
EXTREMA_EXPORT(Above);
EXTREMA_EXPORT(GroupMaxima);
EXTREMA_EXPORT(Scores);
EXTREMA_EXPORT(LevelOf);
EXTREMA_EXPORT(ExactScores);
EXTREMA_EXPORT(Places);

// Scores at work: half of a second-level cache. Products alone are quickest with more rows at a time.
constexpr size_t kRows = 8, kProductRows = 32, kMostTile = 10224;
constexpr size_t kGroups = 64;  // groups of scores come in multiples of this
// Candidates beyond k: they are told apart in float64.
constexpr size_t kSpare = 8;
constexpr float kLowest = -std::numeric_limits<float>::infinity();
constexpr double kNothing = -std::numeric_limits<double>::infinity();

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
  Aligned<double> exact, columns, places;
};

class Selection {
 public:
  Selection(const TopK& p, Monitor& monitor)
      : p_(p),
        monitor_(monitor),
        team_(p.threads, monitor),
        rows_(p.productsOnly ? kProductRows : kRows),
        width_(p.rank + (p.columnBias != nullptr ? 1 : 0)),
        wanted_(std::min(p.k + kSpare, p.n)),
        most_(2 * wanted_),
        groups_((2 * wanted_ + kGroups - 1) / kGroups * kGroups),
        right_((p.n + kPanel - 1) / kPanel * kPanel * width_),
        workers_(team_.size()) {
    // Panels of columns, packed width × kPanel; plain rows for the products alone.
    for (size_t j = 0; j < p.n; j++) {
      float* to = p.productsOnly ? &right_[j * width_] : &right_[j / kPanel * kPanel * width_ + j % kPanel];
      const size_t step = p.productsOnly ? 1 : kPanel;
      for (size_t c = 0; c < p.rank; c++) to[c * step] = static_cast<float>(p.v[j * p.rank + c]);
      if (p.columnBias != nullptr) to[p.rank * step] = static_cast<float>(p.columnBias[j]);
    }
    const size_t tiles = (p.n + kMostTile - 1) / kMostTile;
    tile_ = ((p.n + tiles - 1) / tiles + kPanel - 1) / kPanel * kPanel;
    pitch_ = tile_ + 80;  // rows that do not meet in the same lines of the cache
    boundPitch_ = tile_ / kPanel * kMostLanes;
    for (Worker& worker : workers_) {
      worker.maxima = Aligned<float>(groups_);
      worker.left = Aligned<float>(rows_ * width_);
      worker.scores = Aligned<float>(rows_ * pitch_);
      worker.bounds = Aligned<float>(rows_ * boundPitch_);
      worker.found.resize(std::max(tile_ + 1, most_));
      worker.best.resize(rows_);
      for (Best& best : worker.best) best.list.reserve(most_ + tile_);
      for (Aligned<double>* numbers : {&worker.exact, &worker.columns, &worker.places})
        *numbers = Aligned<double>((most_ + 7) / 8 * 8);
    }
  }

  void run() {
    const auto chunks = static_cast<uint32_t>((p_.count + rows_ - 1) / rows_);
    team_.run(chunks, [&](uint32_t chunk, unsigned worker) {
      block(chunk * rows_, std::min(rows_, p_.count - chunk * rows_), workers_[worker]);
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
      const size_t columns = std::min(tile_, p_.n - tile), padded = (columns + kPanel - 1) / kPanel * kPanel;
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
        if (tile == 0) {
          begin(from + r, columns, padded, r, w);
        } else {
          gather(tile, padded / kPanel, r, w);
        }
        if (w.best[r].list.size() > most_) shrink(w.best[r]);
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

  // A level that at least `wanted` of so many numbers reach: as many groups of them do.
  float levelOf(const float* numbers, size_t count, size_t wanted, Worker& w) const {
    if (groups_ > count) return kLowest;
    float* maxima = w.maxima.data();
    EXTREMA_DISPATCH(GroupMaxima)(numbers, count, groups_, maxima);
    return EXTREMA_DISPATCH(LevelOf)(maxima, groups_, wanted);
  }

  // Takes the candidates over the level of row r of the block.
  void gather(size_t tile, size_t panels, size_t r, Worker& w) const {
    const float *scores = w.scores.data() + r * pitch_, *bounds = w.bounds.data() + r * boundPitch_;
    Best& best = w.best[r];
    const size_t found = EXTREMA_DISPATCH(Above)(scores, bounds, panels, best.level, w.found.data());
    for (size_t f = 0; f < found; f++)
      best.list.push_back({scores[w.found[f]], static_cast<int32_t>(tile) + w.found[f]});
  }

  // Finds a level in the first tile. The bounds count columns that were left out, so that the level may be
  // too high: a few more are asked for, and where that is not enough the scores themselves.
  void begin(size_t query, size_t columns, size_t padded, size_t r, Worker& w) const {
    Best& best = w.best[r];
    const size_t panels = padded / kPanel;
    size_t more = 0;
    if (p_.indptr != nullptr) {
      const size_t leftOut = best.seen - static_cast<size_t>(p_.indptr[query]);
      more = std::min({leftOut, 2 * wanted_ * leftOut / columns + kSpare / 2, groups_ - wanted_});
    }
    best.level = levelOf(w.bounds.data() + r * boundPitch_, panels * lanes_, wanted_ + more, w);
    gather(0, panels, r, w);
    if (best.level == kLowest || best.list.size() >= wanted_) return;
    best.list.clear();
    best.level = levelOf(w.scores.data() + r * pitch_, padded, wanted_, w);
    gather(0, panels, r, w);
  }

  void shrink(Best& best) const {
    if (best.list.size() <= wanted_) return;
    const auto middle = best.list.begin() + static_cast<std::ptrdiff_t>(wanted_) - 1;
    std::nth_element(best.list.begin(), middle, best.list.end(), Before());
    best.level = middle->score;
    best.list.resize(wanted_);
  }

  // The candidates in float64, each to its place.
  void finish(size_t query, const Best& best, Worker& w) const {
    const size_t found = best.list.size(), padded = (found + 7) / 8 * 8;
    for (size_t f = 0; f < found; f++) {
      w.found[f] = best.list[f].column;
      w.columns[f] = best.list[f].column;
    }
    EXTREMA_DISPATCH(ExactScores)
    (p_.u + static_cast<size_t>(p_.rows[query]) * p_.rank, p_.v, p_.columnBias, p_.rank, w.found.data(),
     found, w.exact.data());
    for (size_t f = 0; f < found; f++) {
      if (std::isnan(w.exact[f])) w.exact[f] = kNothing;  // its place would be that of others
    }
    std::fill(w.exact.data() + found, w.exact.data() + padded, kNothing);
    EXTREMA_DISPATCH(Places)(w.exact.data(), w.columns.data(), found, w.places.data());
    int32_t* columns = p_.columns + query * p_.k;
    double* scores = p_.scores + query * p_.k;
    for (size_t f = 0; f < found; f++) {
      const auto place = static_cast<size_t>(w.places[f]);
      if (place >= p_.k) continue;
      columns[place] = w.found[f];
      scores[place] = w.exact[f];
    }
    for (size_t c = found; c < p_.k; c++) {
      columns[c] = -1;
      scores[c] = kNothing;
    }
  }

  const TopK& p_;
  Monitor& monitor_;
  Team team_;
  size_t lanes_ = EXTREMA_DISPATCH(BoundLanes)(), rows_, width_, wanted_, most_, groups_;
  size_t tile_ = 0, pitch_ = 0, boundPitch_ = 0;
  Aligned<float> right_;
  std::vector<Worker> workers_;
};

}  // namespace

void topK(const TopK& problem, Monitor& monitor) { Selection(problem, monitor).run(); }

}  // namespace extrema::lowrank
#endif
