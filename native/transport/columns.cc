#include "transport/columns.h"

#include <algorithm>
#include <limits>

#include "simd/dispatch.h"
#include "transport/chunk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/columns.cc"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "transport/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

// Keeps x_j - c_j > threshold of a row that is a column.
template <class Row>
HWY_INLINE size_t KeepRow(const Row& cost, const double* HWY_RESTRICT x, double threshold, size_t length,
                          double* HWY_RESTRICT s, int32_t* HWY_RESTRICT index) {
  const hn::ScalableTag<double> d;
  const auto least = hn::Set(d, threshold);
  size_t found = 0;
  ForColumns(d, cost, length, [&](size_t j, auto c) HWY_ATTR {
    const auto value = hn::Sub(hn::LoadU(d, x + j), c);
    const auto above = hn::Gt(value, least);
    if (HWY_LIKELY(hn::AllFalse(d, above))) return;
    uint8_t bits[8];
    hn::StoreMaskBits(d, above, bits);
    const size_t kept = hn::CompressStore(value, above, d, s + found);
    uint32_t rest = bits[0];
    for (size_t k = 0; k < kept; k++, rest &= rest - 1) {
      index[found++] = static_cast<int32_t>(j + hwy::Num0BitsBelowLS1Bit_Nonzero32(rest));
    }
  });
  return found;
}

// Each row of the block is a column; they are visited one by one.
size_t KeepRow64(const ColumnBlock& block) {
  Chunk<double> chunk{};
  chunk.geometry = block.geometry;
  chunk.monitor = block.monitor;
  chunk.rows = block.columns;
  chunk.worker = block.worker;
  size_t found = 0;
  ForRows(chunk, [&](size_t column, const auto& cost) HWY_ATTR {
    found = KeepRow(cost, block.x, block.threshold[column], block.geometry->m, block.s, block.index);
  });
  return found;
}

void KeepRows64(const ColumnBlock& block, ColumnVisitor& visitor, uint32_t number, unsigned worker) {
  Chunk<double> chunk{};
  chunk.geometry = block.geometry;
  chunk.monitor = block.monitor;
  chunk.rows = block.columns;
  chunk.worker = block.worker;
  ForRows(chunk, [&](size_t column, const auto& cost) HWY_ATTR {
    size_t found = KeepRow(cost, block.x, block.threshold[column], block.geometry->m, block.s, block.index);
    if (visitor.visit(column, {block.s, block.index, found}, number, worker)) return;
    block.threshold[column] = -std::numeric_limits<double>::infinity();
    found = KeepRow(cost, block.x, -std::numeric_limits<double>::infinity(), block.geometry->m, block.s,
                    block.index);
    visitor.visit(column, {block.s, block.index, found}, number, worker);
  });
}

// Rows ahead of the one that is read: a block takes so little of each that the processor foresees nothing.
constexpr size_t kAhead = 8;

template <class Stored>
HWY_INLINE void KeepColumns(const ColumnBlock& block, const Stored* cost) {
  const hn::ScalableTag<double> d;
  const size_t first = block.columns.begin, width = block.columns.end - first;
  const size_t length = block.geometry->n, pitch = block.geometry->m, room = block.room;
  const double* HWY_RESTRICT threshold = block.threshold;
  std::fill_n(block.counts, width, size_t{0});
  HWY_ALIGN double values[HWY_MAX_BYTES / sizeof(double)];
  for (size_t i = 0; i < length; i++) {
    if ((i & 255) == 0 && block.monitor->cancelled()) return;
    const auto x = hn::Set(d, block.x[i]);
    if (i + kAhead < length) {
      const Stored* next = cost + (i + kAhead) * pitch + first;
      for (size_t j = 0; j < width; j += 64 / sizeof(Stored)) hwy::Prefetch(next + j);
    }
    const MatrixRow<Stored> row{cost + i * pitch + first, width};
    ForColumns(d, row, width, [&](size_t j, auto c) HWY_ATTR {
      const auto value = hn::Sub(x, c);
      const auto above = hn::Gt(value, hn::LoadU(d, threshold + j));
      if (HWY_LIKELY(hn::AllFalse(d, above))) return;
      uint8_t bits[8];
      hn::StoreMaskBits(d, above, bits);
      hn::Store(value, d, values);
      for (uint32_t rest = bits[0]; rest != 0; rest &= rest - 1) {
        const size_t lane = hwy::Num0BitsBelowLS1Bit_Nonzero32(rest);
        const size_t count = block.counts[j + lane]++;
        if (count >= room) continue;
        block.s[(j + lane) * room + count] = values[lane];
        block.index[(j + lane) * room + count] = static_cast<int32_t>(i);
      }
    });
  }
}

void KeepColumns64(const ColumnBlock& block) {
  if (block.geometry->cost64 != nullptr) {
    KeepColumns(block, block.geometry->cost64);
  } else {
    KeepColumns(block, block.geometry->cost32);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport {

EXTREMA_EXPORT(KeepRow64);
EXTREMA_EXPORT(KeepRows64);
EXTREMA_EXPORT(KeepColumns64);

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Numbers in a block of candidates: 3 MiB with their indices.
constexpr size_t kBlockSize = size_t{1} << 18;
constexpr size_t kMostWidth = 256;

// Distances are symmetric: the columns of the cost are rows of that between the points exchanged.
Problem exchanged(Problem problem) {
  std::swap(problem.n, problem.m);
  std::swap(problem.x64, problem.y64);
  std::swap(problem.x32, problem.y32);
  return problem;
}

}  // namespace

Columns::Columns(const Problem& problem, bool byRows, unsigned threads)
    : count(byRows ? problem.n : problem.m),
      length(byRows ? problem.m : problem.n),
      chunks(rowChunks(count, length)),
      workers(std::min(threads, chunks)),
      asRows_(byRows || problem.metric != Metric::dense),
      problem_(byRows || problem.metric == Metric::dense ? problem : exchanged(problem)),
      geometry_(std::make_unique<Geometry<double>>(problem_)),
      buffers_(workers),
      nothing_(count) {
  std::fill(nothing_.begin(), nothing_.end(), -kInfinity);
  for (Buffers& buffers : buffers_) {
    const size_t size = asRows_ ? length : std::max(std::min(kBlockSize, count * length), length);
    buffers.s = Aligned<double>(size);
    buffers.index = Aligned<int32_t>(size);
    if (!asRows_) {
      buffers.wholeS = Aligned<double>(length);
      buffers.wholeIndex = Aligned<int32_t>(length);
      buffers.threshold = Aligned<double>(kMostWidth);
      buffers.counts.resize(kMostWidth);
    }
    if (geometry_->gemm) buffers.worker.block = Aligned<double>(geometry_->blockRows * geometry_->pitch);
  }
}

void Columns::visit(Team& team, const double* x, double* threshold, size_t most, ColumnVisitor& visitor) {
  const size_t room = std::max<size_t>(1, std::min(length, most));
  const size_t width = std::min(kMostWidth, std::max<size_t>(1, kBlockSize / room));
  team.run(chunks, [&](uint32_t chunk, unsigned worker) {
    const Range own = chunkRange(count, chunks, chunk);
    Buffers& buffers = buffers_[worker];
    visitor.begin(own, chunk, worker);
    ColumnBlock block{geometry_.get(),
                      &team.monitor(),
                      own,
                      x,
                      asRows_ ? threshold : buffers.threshold.data(),
                      buffers.s.data(),
                      buffers.index.data(),
                      buffers.counts.data(),
                      room,
                      &buffers.worker};
    if (asRows_) {
      EXTREMA_DISPATCH(KeepRows64)(block, visitor, chunk, worker);
      return;
    }
    for (size_t first = own.begin; first < own.end; first += width) {
      block.columns = {first, std::min(first + width, own.end)};
      // A copy: vectors reach beyond the block, where another thread may be writing.
      std::copy(threshold + first, threshold + block.columns.end, buffers.threshold.data());
      EXTREMA_DISPATCH(KeepColumns64)(block);
      if (team.monitor().cancelled()) return;
      for (size_t column = first; column < block.columns.end; column++) {
        const size_t found = buffers.counts[column - first], from = (column - first) * room;
        if (found <= room &&
            visitor.visit(column, {block.s + from, block.index + from, found}, chunk, worker)) {
          continue;
        }
        threshold[column] = -kInfinity;
        visitor.visit(column, readWhole(team.monitor(), column, x, buffers), chunk, worker);
      }
    }
  });
}

void Columns::visitWhole(const Monitor& monitor, size_t column, const double* x, unsigned worker,
                         ColumnVisitor& visitor) {
  visitor.visit(column, readWhole(monitor, column, x, buffers_[worker]), 0, worker);
}

Candidates Columns::readWhole(const Monitor& monitor, size_t column, const double* x, Buffers& buffers) {
  if (asRows_) {
    const ColumnBlock block{geometry_.get(), &monitor,         {column, column + 1}, x,
                            nothing_.data(), buffers.s.data(), buffers.index.data(), nullptr,
                            length,          &buffers.worker};
    return {block.s, block.index, EXTREMA_DISPATCH(KeepRow64)(block)};
  }
  const size_t pitch = geometry_->m;
  double* s = buffers.wholeS.data();
  int32_t* index = buffers.wholeIndex.data();
  size_t found = 0;
  for (size_t i = 0; i < length; i++) {
    const size_t k = i * pitch + column;
    const double value = x[i] - (geometry_->cost64 != nullptr ? geometry_->cost64[k] : geometry_->cost32[k]);
    if (!(value > -kInfinity)) continue;
    s[found] = value;
    index[found++] = static_cast<int32_t>(i);
  }
  return {s, index, found};
}

CostRange Columns::range(Team& team) {
  struct Extent : ColumnVisitor {
    explicit Extent(size_t columns) : least(columns), most(columns) {}
    Aligned<double> least, most;
    bool visit(size_t column, Candidates c, uint32_t, unsigned) override {
      double lowest = kInfinity, highest = -kInfinity;
      for (size_t k = 0; k < c.count; k++) {
        lowest = std::min(lowest, -c.s[k]);
        highest = std::max(highest, -c.s[k]);
      }
      least[column] = lowest;
      most[column] = highest;
      return true;
    }
  } extent(count);
  const Aligned<double> zeros(length);
  visit(team, zeros.data(), nothing_.data(), length, extent);
  return {*std::min_element(extent.least.begin(), extent.least.end()),
          *std::max_element(extent.most.begin(), extent.most.end()), false};
}

}  // namespace extrema::transport
#endif
