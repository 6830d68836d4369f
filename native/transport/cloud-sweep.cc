#include "transport/cloud-sweep.h"

#include <atomic>
#include <cmath>

#include "simd/dispatch.h"
#include "transport/chunk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/cloud-sweep.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/math-inl.h"
#include "transport/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

using Span = SpanMask::Span;

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

// Minus the costs of point i and the targets from j on, added to `start`.
template <Metric kMetric, size_t kDim, class T, class D>
HWY_INLINE hn::Vec<D> LessCost(D d, const CloudView<T>& view, const T* HWY_RESTRICT x, const hn::Vec<D>* y,
                               const T* HWY_RESTRICT yT, hn::Vec<D> start) {
  const size_t dimension = kDim > 0 ? kDim : view.d;
  auto total = kMetric == Metric::sqeuclidean || kMetric == Metric::cityblock ? start : hn::Zero(d);
  if constexpr (kMetric == Metric::cosine) total = hn::Set(d, view.unit);
  for (size_t k = 0; k < dimension; k++) {
    const auto target = kDim > 0 ? y[k] : hn::LoadU(d, yT + k * view.pitch);
    if constexpr (kMetric == Metric::cosine) {
      total = hn::NegMulAdd(hn::Set(d, x[k]), target, total);
    } else {
      const auto difference = hn::Sub(hn::Set(d, x[k]), target);
      if constexpr (kMetric == Metric::cityblock) total = hn::Sub(total, hn::Abs(difference));
      if constexpr (kMetric == Metric::sqeuclidean) total = hn::NegMulAdd(difference, difference, total);
      if constexpr (kMetric == Metric::euclidean) total = hn::MulAdd(difference, difference, total);
    }
  }
  if constexpr (kMetric == Metric::euclidean) return hn::Sub(start, hn::Sqrt(total));
  if constexpr (kMetric == Metric::cosine) return hn::Sub(start, hn::Max(total, hn::Zero(d)));
  return total;
}

// exp2 of the exponents of a row, stored and added to `total`.
template <Metric kMetric, size_t kDim, class T, class D>
HWY_INLINE hn::Vec<D> AddEntries(D d, const CloudView<T>& view, const T* HWY_RESTRICT x, T F, hn::Vec<D> g,
                                 const hn::Vec<D>* y, const T* HWY_RESTRICT yT, T* HWY_RESTRICT p,
                                 hn::Vec<D> total) {
  const auto z = LessCost<kMetric, kDim>(d, view, x, y, yT, hn::Add(hn::Set(d, F), g));
  const auto mass = extrema::HWY_NAMESPACE::Exp2(d, z);
  hn::Store(mass, d, p);
  return hn::Add(total, mass);
}

// p_rj for kRows rows from i on over the spans, and their sums. Four rows share the loads of the targets.
// With `scale`, what p held before goes to the columns on the way, while the arithmetic hides that it comes
// from afar.
template <Metric kMetric, size_t kDim, size_t kRows, bool kAdd, class T>
HWY_NOINLINE void FormRows(const CloudView<T>& view, size_t i, const T* F, const Span* spans, size_t count,
                           T* HWY_RESTRICT p, double* HWY_RESTRICT sums, const double* scale,
                           T* HWY_RESTRICT columns) {
  static_assert(kRows == 4 || !kAdd, "rows go to the columns in fours");
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  // Partial sums in T take at most so many steps.
  constexpr size_t kSteps = 512;
  const size_t N = hn::Lanes(d), pitch = view.pitch, step = kRows > 1 ? view.d : 0;
  const T* HWY_RESTRICT x0 = view.x + i * view.d;
  const T* HWY_RESTRICT x1 = x0 + step;
  const T* HWY_RESTRICT x2 = x1 + step;
  const T* HWY_RESTRICT x3 = x2 + step;
  const T* HWY_RESTRICT targets = view.yT;
  const T* HWY_RESTRICT G = view.G;
  V u0 = hn::Zero(d), u1 = u0, u2 = u0, u3 = u0;
  if constexpr (kAdd) {
    u0 = hn::Set(d, static_cast<T>(scale[0]));
    u1 = hn::Set(d, static_cast<T>(scale[1]));
    u2 = hn::Set(d, static_cast<T>(scale[2]));
    u3 = hn::Set(d, static_cast<T>(scale[3]));
  }
  for (size_t r = 0; r < kRows; r++) sums[r] = 0;
  for (size_t s = 0; s < count; s++) {
    for (size_t begin = spans[s].begin; begin < spans[s].end; begin += kSteps * N) {
      const size_t end = std::min<size_t>(begin + kSteps * N, spans[s].end);
      V s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
      for (size_t j = begin; j < end; j += N) {
        if constexpr (kAdd) {
          auto c = hn::MulAdd(u0, hn::Load(d, p + j), hn::Load(d, columns + j));
          c = hn::MulAdd(u1, hn::Load(d, p + pitch + j), c);
          c = hn::MulAdd(u2, hn::Load(d, p + 2 * pitch + j), c);
          c = hn::MulAdd(u3, hn::Load(d, p + 3 * pitch + j), c);
          hn::Store(c, d, columns + j);
        }
        const V g = hn::Load(d, G + j);
        V y[kDim > 0 ? kDim : 1] = {g};
        if constexpr (kDim > 0) y[0] = hn::Load(d, targets + j);
        if constexpr (kDim > 1) y[1] = hn::Load(d, targets + pitch + j);
        if constexpr (kDim > 2) y[2] = hn::Load(d, targets + 2 * pitch + j);
        const T* yT = targets + j;
        s0 = AddEntries<kMetric, kDim>(d, view, x0, F[0], g, y, yT, p + j, s0);
        if constexpr (kRows > 1) {
          s1 = AddEntries<kMetric, kDim>(d, view, x1, F[1], g, y, yT, p + pitch + j, s1);
          s2 = AddEntries<kMetric, kDim>(d, view, x2, F[2], g, y, yT, p + 2 * pitch + j, s2);
          s3 = AddEntries<kMetric, kDim>(d, view, x3, F[3], g, y, yT, p + 3 * pitch + j, s3);
        }
      }
      sums[0] += Total(d, s0);
      if constexpr (kRows > 1) {
        sums[1] += Total(d, s1);
        sums[2] += Total(d, s2);
        sums[3] += Total(d, s3);
      }
    }
  }
}

// columns += sum_r scale_r p_r over the spans.
template <size_t kRows, class T>
HWY_NOINLINE void AddRows(const T* HWY_RESTRICT p, size_t pitch, const double* scale, const Span* spans,
                          size_t count, T* HWY_RESTRICT columns) {
  const hn::ScalableTag<T> d;
  const size_t N = hn::Lanes(d);
  hn::Vec<decltype(d)> u[kRows];
  for (size_t r = 0; r < kRows; r++) u[r] = hn::Set(d, static_cast<T>(scale[r]));
  for (size_t s = 0; s < count; s++) {
    for (size_t j = spans[s].begin; j < spans[s].end; j += N) {
      auto total = hn::Load(d, columns + j);
      for (size_t r = 0; r < kRows; r++) total = hn::MulAdd(u[r], hn::Load(d, p + r * pitch + j), total);
      hn::Store(total, d, columns + j);
    }
  }
}

// max_j (G_j - C_ij)
template <Metric kMetric, class T>
HWY_NOINLINE T LargestExponent(const CloudView<T>& view, size_t i) {
  const hn::ScalableTag<T> d;
  auto largest = hn::Set(d, -std::numeric_limits<T>::infinity());
  for (size_t j = 0; j < view.pitch; j += hn::Lanes(d)) {
    largest = hn::Max(largest, LessCost<kMetric, 0>(d, view, view.x + i * view.d, nullptr, view.yT + j,
                                                    hn::Load(d, view.G + j)));
  }
  return hn::GetLane(hn::MaxOfLanes(d, largest));
}

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

// sum_j w exp2(x_j), four vectors at a time.
template <class T>
HWY_INLINE T AddPowers(const T* HWY_RESTRICT x, size_t count, T weight) {
  const hn::ScalableTag<T> d;
  const size_t N = hn::Lanes(d);
  const auto w = hn::Set(d, weight);
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  for (size_t j = 0; j + 4 * N <= count; j += 4 * N) {
    s0 = hn::MulAdd(w, extrema::HWY_NAMESPACE::Exp2(d, hn::Load(d, x + j)), s0);
    s1 = hn::MulAdd(w, extrema::HWY_NAMESPACE::Exp2(d, hn::Load(d, x + j + N)), s1);
    s2 = hn::MulAdd(w, extrema::HWY_NAMESPACE::Exp2(d, hn::Load(d, x + j + 2 * N)), s2);
    s3 = hn::MulAdd(w, extrema::HWY_NAMESPACE::Exp2(d, hn::Load(d, x + j + 3 * N)), s3);
  }
  return Total(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)));
}
double AddPowers64(const double* x, size_t count, double weight) { return AddPowers(x, count, weight); }
float AddPowers32(const float* x, size_t count, float weight) { return AddPowers(x, count, weight); }

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport {

EXTREMA_EXPORT(CloudChunk64);
EXTREMA_EXPORT(CloudChunk32);
EXTREMA_EXPORT(AddPowers64);
EXTREMA_EXPORT(AddPowers32);

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

template <class T>
double exponentialLimit(Team& team, int repetitions) {
  constexpr size_t kCount = 1024, kRounds = 4096;
  Aligned<T> x(kCount);
  for (size_t j = 0; j < kCount; j++) x[j] = static_cast<T>(-0.03) * static_cast<T>(j);
  const uint32_t chunks = team.size();
  std::vector<double> sums(chunks);
  double best = std::numeric_limits<double>::infinity();
  volatile double sink = 0;
  for (int k = 0; k < repetitions && !team.monitor().cancelled(); k++) {
    const auto start = Monitor::Clock::now();
    team.run(chunks, [&](uint32_t c, unsigned) {
      for (size_t round = 0; round < kRounds; round++) {
        if constexpr (sizeof(T) == 8) {
          sums[c] += EXTREMA_DISPATCH(AddPowers64)(x.data(), kCount, 1.5);
        } else {
          sums[c] += EXTREMA_DISPATCH(AddPowers32)(x.data(), kCount, 1.5f);
        }
      }
    });
    best = std::min(best, std::chrono::duration<double, std::nano>(Monitor::Clock::now() - start).count());
    sink = sum(sums.data(), sums.size());
  }
  static_cast<void>(sink);
  return best / (kCount * kRounds);
}
template double exponentialLimit<double>(Team&, int);
template double exponentialLimit<float>(Team&, int);

}  // namespace extrema::transport
#endif
