#include "linear/triangular.h"

#include <algorithm>

namespace extrema::linear {

namespace {

constexpr size_t kLeastRows = 1 << 14;     // below that one thread does
constexpr size_t kLeastPerLevel = 1 << 6;  // rows that depend on as many others in a chain
constexpr size_t kPollEntries = 1 << 16;

// Counts rows and their entries, and asks now and then whether the result is still wanted.
class Poll {
 public:
  explicit Poll(const Monitor& monitor) : monitor_(monitor) {}
  bool cancelled(size_t entries) {
    seen_ += entries + 1;
    if (seen_ < kPollEntries) return false;
    seen_ = 0;
    return monitor_.cancelled();
  }

 private:
  const Monitor& monitor_;
  size_t seen_ = kPollEntries;
};

}  // namespace

TriangularSweep::TriangularSweep(const Csr& matrix, const int32_t* begin, const int32_t* end, bool backward)
    : matrix_(matrix), begin_(begin), end_(end), backward_(backward) {}

// A row's level is the length of the longest chain of rows that it depends on. Strips of adjacent rows, cut
// where the level passes a multiple of a width, are tiles of a wavefront: what a row needs has a lower level
// and comes before it.
void TriangularSweep::plan(const Monitor& monitor) {
  planned_ = true;
  const size_t n = matrix_.rows;
  if (n < kLeastRows) return;
  std::vector<int32_t> level(n, 0);
  int32_t most = 0;
  Poll poll(monitor);
  for (size_t k = 0; k < n; k++) {
    const size_t i = rowAt(k);
    if (poll.cancelled(static_cast<size_t>(end_[i] - begin_[i]))) return;
    int32_t own = 0;
    for (int32_t e = begin_[i]; e < end_[i]; e++)
      own = std::max(own, level[static_cast<size_t>(matrix_.indices[e])] + 1);
    level[i] = own;
    most = std::max(most, own);
  }
  const size_t levels = static_cast<size_t>(most) + 1;
  if (n / levels < kLeastPerLevel) return;
  const size_t strips = Wavefront::side(n), wanted = std::min(strips, levels);
  const size_t width = (levels + wanted - 1) / wanted;
  waves_ = (levels + width - 1) / width;
  const auto strip = [&](size_t k) { return k * strips / n; };
  const auto tile = [&](size_t k) {
    return strip(k) * waves_ + static_cast<size_t>(level[rowAt(k)]) / width;
  };
  // Runs are counted, then placed.
  firstRun_.assign(strips * waves_ + 1, 0);
  for (size_t k = 0; k < n; k++) {
    if (poll.cancelled(0)) return;
    if (k == 0 || tile(k) != tile(k - 1)) firstRun_[tile(k) + 1]++;
  }
  for (size_t t = 0; t + 1 < firstRun_.size(); t++) firstRun_[t + 1] += firstRun_[t];
  runs_.resize(firstRun_.back());
  std::vector<size_t> next(firstRun_.begin(), firstRun_.end() - 1);
  for (size_t k = 0; k < n; k++) {
    if (poll.cancelled(0)) return;
    const size_t own = tile(k);
    if (k > 0 && own == tile(k - 1)) {
      runs_[next[own] - 1].last++;
    } else {
      runs_[next[own]++] = {static_cast<int32_t>(k), static_cast<int32_t>(k) + 1};
    }
  }
  front_ = std::make_unique<Wavefront>(strips, waves_);
}

template <class Row>
void TriangularSweep::sweep(Team& team, Row&& row) {
  if (team.size() > 1 && !planned_) plan(team.monitor());
  const size_t n = matrix_.rows;
  if (team.size() == 1 || front_ == nullptr) {
    Poll poll(team.monitor());
    for (size_t k = 0; k < n; k++) {
      const size_t i = rowAt(k);
      if (poll.cancelled(static_cast<size_t>(end_[i] - begin_[i]))) return;
      row(i);
    }
    return;
  }
  front_->run(team, [&](size_t s, size_t w) {
    const size_t tile = s * waves_ + w;
    for (size_t k = firstRun_[tile]; k < firstRun_[tile + 1]; k++) {
      const auto first = static_cast<size_t>(runs_[k].first), last = static_cast<size_t>(runs_[k].last);
      if (backward_) {
        for (size_t i = n - first; i-- > n - last;) row(i);
      } else {
        for (size_t i = first; i < last; i++) row(i);
      }
    }
  });
}

// The neighbour in the order of the sweep comes last: only one multiplication and addition wait for it.
template <bool Scaled>
void TriangularSweep::solve(const double* r, double scale, double factor, const double* inverse, double* out,
                            Team& team) {
  const int32_t* indices = matrix_.indices;
  const double* data = matrix_.data;
  sweep(team, [=](size_t i) {
    const int32_t begin = begin_[i], end = end_[i];
    const double f = factor * inverse[i];
    double own = Scaled ? scale * r[i] * inverse[i] : r[i];
    if (begin < end) {
      double sum = 0;
      int32_t near = end - 1;
      if (backward_) {
        for (int32_t k = near; k > begin; k--) sum += data[k] * out[indices[k]];
        near = begin;
      } else {
        for (int32_t k = begin; k < near; k++) sum += data[k] * out[indices[k]];
      }
      own = own - f * sum - (f * data[near]) * out[indices[near]];
    }
    out[i] = own;
  });
}

void TriangularSweep::scaled(const double* r, double scale, double factor, const double* inverse, double* out,
                             Team& team) {
  solve<true>(r, scale, factor, inverse, out, team);
}

void TriangularSweep::unit(const double* r, double factor, const double* inverse, double* out, Team& team) {
  solve<false>(r, 1, factor, inverse, out, team);
}

}  // namespace extrema::linear
