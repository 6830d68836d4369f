// The rows of one chunk of a sweep between points; included once per target.

#if defined(EXTREMA_TRANSPORT_CLOUD_CHUNK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EXTREMA_TRANSPORT_CLOUD_CHUNK_INL_H_
#undef EXTREMA_TRANSPORT_CLOUD_CHUNK_INL_H_
#else
#define EXTREMA_TRANSPORT_CLOUD_CHUNK_INL_H_
#endif

#include "hwy/highway.h"
#include "transport/cloud-rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

template <class T>
struct RowLimits {
  // Below, a sum has lost digits to underflow; above, it may have overflown.
  static constexpr double kLeast = sizeof(T) == 8 ? 1e-280 : 1e-30, kMost = sizeof(T) == 8 ? 1e280 : 1e30;
};

template <class T>
LeftOut SweepChunk(const CloudChunk<T>& chunk, const PlanPass& pass, std::atomic<bool>& rescued) {
  using L = RowLimits<T>;
  const CloudView<T>& view = *chunk.view;
  const RowFormer<T> form = FormerOf(view);
  const Span whole{0, static_cast<uint32_t>(view.pitch)};
  LeftOut left;
  // The last four rows are not in the columns yet: their factors and spans.
  double waiting[4], sums[4];
  const Span* waitingSpans = nullptr;
  size_t waitingCount = 0;
  const auto flush = [&] {
    if (waitingSpans == nullptr) return;
    AddRows(chunk.p, view.pitch, waiting, waitingSpans, waitingCount, chunk.columns);
    waitingSpans = nullptr;
  };
  for (size_t i = chunk.rows.begin, rows; i < chunk.rows.end; i += rows) {
    if (chunk.monitor->cancelled()) return left;
    const Span* spans = &whole;
    size_t count = 1, end = chunk.rows.end, formed = view.m;
    if (chunk.mask != nullptr) {
      const std::vector<Span>& kept = chunk.mask->spans(i);
      spans = kept.data();
      count = kept.size();
      end = std::min(end, (i / SpanMask::kBlock + 1) * SpanMask::kBlock);
      formed = 0;
      for (const Span& span : kept) formed += std::min<size_t>(span.end, view.m) - span.begin;
    }
    rows = std::min<size_t>(4, end - i);
    RowGroup<T> group;
    for (size_t r = 0; r < 4; r++) {
      group.row[r] = i + std::min(r, rows - 1);
      group.F[r] = view.F[group.row[r]];
    }
    if (spans != waitingSpans) flush();
    form(view, group, spans, count, chunk.p, waitingSpans == nullptr ? nullptr : waiting, chunk.columns,
         sums);

    const auto inRange = [&](size_t r) { return sums[r] > L::kLeast && sums[r] < L::kMost; };
    double shift[4] = {};
    bool lost = false;
    for (size_t r = 0; r < rows && formed < view.m; r++) {
      lost |= !(sums[r] >= SpanMask::kMargin * pass.a[i + r] && inRange(r));
    }
    if (lost) {  // all four in full
      spans = &whole;
      count = 1;
      formed = view.m;
      form(view, group, spans, count, chunk.p, nullptr, chunk.columns, sums);
    }
    bool any = false;
    for (size_t r = 0; r < 4; r++) {
      if (inRange(r)) continue;
      any = true;
      group.F[r] = -LargestExponent(view, group.row[r]);
      shift[r] = static_cast<double>(group.F[r]) / view.inverse - pass.f[group.row[r]];
    }
    if (any) {
      form(view, group, spans, count, chunk.p, nullptr, chunk.columns, sums);
      rescued.store(true, std::memory_order_relaxed);
    }
    for (size_t r = 0; r < rows; r++) {
      waiting[r] = pass.a[i + r] / sums[r];
      pass.shift[i + r] = shift[r];
      pass.scale[i + r] = waiting[r];
      pass.rowSum[i + r] = sums[r];
      if (formed < view.m) left.scale += waiting[r];
    }
    for (size_t r = rows; r < 4; r++) waiting[r] = 0;
    left.entries += static_cast<double>(rows) * static_cast<double>(view.m - formed);
    waitingSpans = spans;
    waitingCount = count;
  }
  flush();
  return left;
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#endif  // include guard
