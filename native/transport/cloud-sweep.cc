#include "transport/cloud-sweep.h"

#include <atomic>
#include <cmath>

#include "simd/dispatch.h"
#include "transport/chunk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/cloud-sweep.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "transport/cloud-rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

// A share of the sweep: rows of one chunk.
template <class T>
struct CloudChunk {
  const CloudView<T>* view;
  const Monitor* monitor;
  const SpanMask* mask;  // may be null
  Range rows;
  T* p;        // 4 × pitch
  T* columns;  // pitch
};

template <class T>
struct RowLimits {
  // Below, a sum has lost digits to underflow; above, it may have overflown.
  static constexpr double kLeast = sizeof(T) == 8 ? 1e-280 : 1e-30, kMost = sizeof(T) == 8 ? 1e280 : 1e30;
};

template <Metric kMetric, size_t kDim, class T>
double SweepCloud(const CloudChunk<T>& chunk, const PlanPass& pass, std::atomic<bool>& rescued) {
  using L = RowLimits<T>;
  const CloudView<T>& view = *chunk.view;
  const Span whole{0, static_cast<uint32_t>(view.pitch)};
  double again = 0;
  // The last four rows, if they are not in the columns yet.
  bool waiting = false;
  const Span* waitingSpans = nullptr;
  size_t waitingCount = 0;
  double waitingScale[4];
  for (size_t i = chunk.rows.begin; i < chunk.rows.end;) {
    if (chunk.monitor->cancelled()) return again;
    const Span* spans = &whole;
    size_t count = 1, end = chunk.rows.end;
    if (chunk.mask != nullptr) {
      const std::vector<Span>& kept = chunk.mask->spans(i);
      spans = kept.data();
      count = kept.size();
      end = std::min(end, (i / SpanMask::kBlock + 1) * SpanMask::kBlock);
    }
    const size_t rows = i + 4 <= end ? 4 : 1;
    if (waiting && (rows < 4 || spans != waitingSpans)) {
      AddRows<4>(chunk.p, view.pitch, waitingScale, waitingSpans, waitingCount, chunk.columns);
      waiting = false;
    }
    double sums[4], scale[4];
    if (waiting) {
      FormRows<kMetric, kDim, 4, true>(view, i, view.F + i, spans, count, chunk.p, sums, waitingScale,
                                       chunk.columns);
    } else if (rows == 4) {
      FormRows<kMetric, kDim, 4, false, T>(view, i, view.F + i, spans, count, chunk.p, sums, nullptr,
                                           nullptr);
    } else {
      FormRows<kMetric, kDim, 1, false, T>(view, i, view.F + i, spans, count, chunk.p, sums, nullptr,
                                           nullptr);
    }
    waiting = false;
    bool full[4] = {}, any = false;
    for (size_t r = 0; r < rows; r++) {
      T* p = chunk.p + r * view.pitch;
      double shift = 0;
      const bool lost = chunk.mask != nullptr && !(sums[r] >= SpanMask::kMargin * pass.a[i + r]);
      const auto form = [&](T F) HWY_ATTR {
        FormRows<kMetric, kDim, 1, false, T>(view, i + r, &F, &whole, 1, p, sums + r, nullptr, nullptr);
        full[r] = any = true;
      };
      if (lost) {
        form(view.F[i + r]);
        again += static_cast<double>(view.m);
      }
      if (!(sums[r] > L::kLeast && sums[r] < L::kMost)) {
        if (chunk.mask != nullptr && !lost) again += static_cast<double>(view.m);
        const T F = -LargestExponent<kMetric>(view, i + r);
        shift = static_cast<double>(F) / view.inverse - pass.f[i + r];
        form(F);
        rescued.store(true, std::memory_order_relaxed);
      }
      scale[r] = pass.a[i + r] / sums[r];
      pass.shift[i + r] = shift;
      pass.scale[i + r] = scale[r];
      pass.rowSum[i + r] = sums[r];
    }
    if (rows == 4 && !any) {
      waiting = true;
      waitingSpans = spans;
      waitingCount = count;
      std::copy_n(scale, 4, waitingScale);
    } else {
      for (size_t r = 0; r < rows; r++) {
        AddRows<1>(chunk.p + r * view.pitch, view.pitch, scale + r, full[r] ? &whole : spans,
                   full[r] ? 1 : count, chunk.columns);
      }
    }
    i += rows;
  }
  if (waiting) AddRows<4>(chunk.p, view.pitch, waitingScale, waitingSpans, waitingCount, chunk.columns);
  return again;
}

// Two and three coordinates stay in registers.
template <Metric kMetric, class T>
double SweepOf(const CloudChunk<T>& chunk, const PlanPass& pass, std::atomic<bool>& rescued) {
  switch (chunk.view->d) {
    case 2:
      return SweepCloud<kMetric, 2>(chunk, pass, rescued);
    case 3:
      return SweepCloud<kMetric, 3>(chunk, pass, rescued);
    default:
      return SweepCloud<kMetric, 0>(chunk, pass, rescued);
  }
}

template <class T>
double SweepAny(const CloudChunk<T>& chunk, const PlanPass& pass, std::atomic<bool>& rescued) {
  switch (chunk.view->metric) {
    case Metric::euclidean:
      return SweepOf<Metric::euclidean>(chunk, pass, rescued);
    case Metric::cosine:
      return SweepCloud<Metric::cosine, 0>(chunk, pass, rescued);
    case Metric::cityblock:
      return SweepOf<Metric::cityblock>(chunk, pass, rescued);
    default:
      return SweepOf<Metric::sqeuclidean>(chunk, pass, rescued);
  }
}

double CloudChunk64(const CloudView<double>& view, const Monitor& monitor, const SpanMask* mask, Range rows,
                    double* p, double* columns, const PlanPass& pass, std::atomic<bool>& rescued) {
  return SweepAny<double>({&view, &monitor, mask, rows, p, columns}, pass, rescued);
}
double CloudChunk32(const CloudView<float>& view, const Monitor& monitor, const SpanMask* mask, Range rows,
                    float* p, float* columns, const PlanPass& pass, std::atomic<bool>& rescued) {
  return SweepAny<float>({&view, &monitor, mask, rows, p, columns}, pass, rescued);
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport {

EXTREMA_EXPORT(CloudChunk64);
EXTREMA_EXPORT(CloudChunk32);

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
      again_(workspace.chunks) {
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
    if constexpr (sizeof(T) == 8) {
      again_[c] = EXTREMA_DISPATCH(CloudChunk64)(view_, team.monitor(), mask, rows, rows_[worker].data(),
                                                 columns.data(), pass, rescued);
    } else {
      again_[c] = EXTREMA_DISPATCH(CloudChunk32)(view_, team.monitor(), mask, rows, rows_[worker].data(),
                                                 columns.data(), pass, rescued);
    }
  });
  if (team.monitor().cancelled()) return;
  addColumns(workspace.columns, m, pass.columnSum);
  pass.rescued = rescued.load();
  const double all = static_cast<double>(n) * static_cast<double>(m);
  const double left =
      mask == nullptr ? 0 : std::max(0.0, mask->skipped() - sum(again_.data(), again_.size()));
  left_ += left;
  formed_ += all - left;
}

// Rows left out at most u_i delta b_J / n of a column each.
template <class T>
bool CloudSweep<T>::sound(const PlanPass& pass) const {
  const double mean = sum(pass.scale, problem_.n) / static_cast<double>(problem_.n);
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
#endif
