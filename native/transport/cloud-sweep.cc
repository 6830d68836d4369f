#include "transport/cloud-sweep.h"

#include <atomic>
#include <cmath>

#include "transport/chunk.h"

namespace extrema::transport {

namespace {

constexpr double kShare = 1e-12;  // of any sum that may be left out
constexpr double kLog2e = 1.4426950408889634;
// An exponent without mass, however large the potentials are.
template <class T>
constexpr T kNowhere = sizeof(T) == 8 ? T(-1e200) : T(-1e30);

}  // namespace

template <class T>
bool CloudSweep<T>::fits(const Geometry<T>& geometry, double epsilon) {
  if (geometry.metric == Metric::dense || geometry.blocks) return false;
  return geometry.diameter * kLog2e / epsilon < (sizeof(T) == 8 ? 1e100 : 1e15);
}

template <class T>
CloudSweep<T>::CloudSweep(const Problem& problem, const Geometry<T>& geometry, const Workspace<T>& workspace,
                          bool truncated)
    : problem_(problem),
      x_(geometry.x.size()),
      yT_(geometry.yT.size()),
      F_(geometry.n),
      G_(geometry.pitch),
      leftOut_(workspace.chunks) {
  const double inverse = kLog2e / problem.epsilon;
  const bool cosine = geometry.metric == Metric::cosine;
  const double unit = geometry.metric == Metric::sqeuclidean ? std::sqrt(inverse) : inverse;
  for (size_t i = 0; i < x_.size(); i++) x_[i] = static_cast<T>(geometry.x[i] * unit);
  for (size_t j = 0; j < yT_.size(); j++) yT_[j] = static_cast<T>(geometry.yT[j] * (cosine ? 1 : unit));
  view_ = {geometry.metric, geometry.d, geometry.m, geometry.pitch, static_cast<T>(inverse),
           x_.data(),       yT_.data(), F_.data(),  G_.data(),      inverse};
  for (size_t w = 0; w < workspace.workers.size(); w++) rows_.emplace_back(4 * geometry.pitch);
  if (!truncated) return;
  mask_ =
      std::make_unique<SpanMask>(geometry.metric, inverse, geometry.n, geometry.m, geometry.d, geometry.pitch,
                                 cosine ? geometry.x.data() : x_.data(), yT_.data(), problem.a, problem.b);
}

template <class T>
void CloudSweep<T>::sweep(Team& team, Workspace<T>& workspace, PlanPass& pass, const SpanMask* mask) {
  const size_t n = problem_.n, m = problem_.m;
  std::atomic<bool> rescued{false};
  team.run(workspace.chunks, [&](uint32_t c, unsigned worker) {
    Aligned<T>& columns = workspace.columns[c];
    columns.clear();
    const Range rows = chunkRange(n, workspace.chunks, c);
    const CloudChunk<T> chunk{&view_, &team.monitor(), mask, rows, rows_[worker].data(), columns.data()};
    leftOut_[c] = sweepChunk(chunk, pass, rescued);
  });
  if (team.monitor().cancelled()) return;
  addColumns(workspace.columns, m, pass.columnSum);
  pass.rescued = rescued.load();
  double entries = 0;
  for (const LeftOut& chunk : leftOut_) entries += chunk.entries;
  left_ += entries;
  formed_ += static_cast<double>(n) * static_cast<double>(m) - entries;
}

// Rows left out at most u_i delta b_J / n of a column each, those that were formed in full nothing.
template <class T>
bool CloudSweep<T>::sound(const PlanPass& pass) const {
  double mean = 0;
  for (const LeftOut& chunk : leftOut_) mean += chunk.scale / static_cast<double>(problem_.n);
  for (size_t j = 0; j < problem_.m; j++) {
    if (!(pass.columnSum[j] >= SpanMask::kMargin * mean * problem_.b[j])) return false;
  }
  return true;
}

template <class T>
int CloudSweep<T>::run(Team& team, Workspace<T>& workspace, PlanPass& pass) {
  for (size_t i = 0; i < problem_.n; i++) F_[i] = static_cast<T>(pass.f[i] * view_.inverse);
  for (size_t j = 0; j < problem_.m; j++) G_[j] = static_cast<T>(pass.g[j] * view_.inverse);
  for (size_t j = problem_.m; j < view_.pitch; j++) G_[j] = kNowhere<T>;
  int passes = 0;
  if (mask_ != nullptr && pause_ == 0) {
    mask_->rebuild(team, F_.data(), G_.data(), kShare * SpanMask::kMargin);
    const bool some = mask_->skipped() > 0;
    sweep(team, workspace, pass, some ? mask_.get() : nullptr);
    if (team.monitor().cancelled() || !some || sound(pass)) return 1;
    pause_ = longest_;
    longest_ = std::min(2 * longest_, 64);
    passes = 1;
  }
  if (pause_ > 0) pause_--;
  sweep(team, workspace, pass, nullptr);
  return passes + 1;
}

template class CloudSweep<double>;
template class CloudSweep<float>;

}  // namespace extrema::transport
