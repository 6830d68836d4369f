#include "transport/log-kernel.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.h"
#include "simd/dispatch.h"
#include "transport/problem.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/log-kernel.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/math-inl.h"
#include "simd/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Doubles = hn::ScalableTag<double>;

// out_k = exp((shift - cost_k) / epsilon)
void FillKernelRow(const double* HWY_RESTRICT cost, size_t count, double shift, double inverse,
                   double* HWY_RESTRICT out) {
  const Doubles d;
  const auto s = hn::Set(d, shift), scale = hn::Set(d, inverse);
  for (size_t j = 0; j < count; j += hn::Lanes(d)) {
    const size_t lanes = std::min(hn::Lanes(d), count - j);
    const auto c =
        lanes == hn::Lanes(d) ? hn::LoadU(d, cost + j) : extrema::HWY_NAMESPACE::LoadN(d, cost + j, lanes);
    extrema::HWY_NAMESPACE::StoreN(extrema::HWY_NAMESPACE::Exp(d, hn::Mul(hn::Sub(s, c), scale)), d, out + j,
                                   lanes);
  }
}

// v = exp(x - top) with top the largest of x; returns top. Both are padded, x with -infinity.
double ScaleFibre(const double* HWY_RESTRICT x, size_t n, double* HWY_RESTRICT v) {
  const Doubles d;
  const size_t N = hn::Lanes(d);
  auto most = hn::Set(d, -std::numeric_limits<double>::infinity());
  for (size_t j = 0; j < n; j += N) most = hn::Max(most, hn::LoadU(d, x + j));
  const double top = hn::GetLane(hn::MaxOfLanes(d, most));
  const auto shift = hn::Set(d, top == -std::numeric_limits<double>::infinity() ? 0 : top);
  for (size_t j = 0; j < n; j += N) {
    hn::StoreU(extrema::HWY_NAMESPACE::Exp(d, hn::Sub(hn::LoadU(d, x + j), shift)), d, v + j);
  }
  return top;
}

// z_fi = sum_j K_ij v_fj for R rows and F fibres.
template <size_t R, size_t F>
HWY_INLINE void MultiplyBlock(const double* HWY_RESTRICT kernel, ptrdiff_t step, const double* HWY_RESTRICT v,
                              size_t n, size_t pitch, double* HWY_RESTRICT z) {
  const Doubles d;
  hn::Vec<Doubles> sum[R][F];
  for (size_t r = 0; r < R; r++) {
    for (size_t f = 0; f < F; f++) sum[r][f] = hn::Zero(d);
  }
  for (size_t j = 0; j < n; j += hn::Lanes(d)) {
    hn::Vec<Doubles> x[F];
    for (size_t f = 0; f < F; f++) x[f] = hn::LoadU(d, v + f * pitch + j);
    for (size_t r = 0; r < R; r++) {
      const auto k = hn::LoadU(d, kernel + static_cast<ptrdiff_t>(r) * step + j);
      for (size_t f = 0; f < F; f++) sum[r][f] = hn::MulAdd(k, x[f], sum[r][f]);
    }
  }
  for (size_t r = 0; r < R; r++) {
    for (size_t f = 0; f < F; f++) z[f * pitch + r] = hn::GetLane(hn::SumOfLanes(d, sum[r][f]));
  }
}

template <size_t R>
HWY_INLINE void MultiplyRows(const double* kernel, ptrdiff_t step, const double* v, size_t n, size_t pitch,
                             size_t fibres, double* z) {
  // As many sums as the registers hold.
  constexpr size_t kWide = HWY_MAX_BYTES >= 64 || HWY_TARGET == HWY_NEON ? 4 : 2;
  size_t f = 0;
  for (; f + kWide <= fibres; f += kWide) {
    MultiplyBlock<R, kWide>(kernel, step, v + f * pitch, n, pitch, z + f * pitch);
  }
  for (; f < fibres; f++) MultiplyBlock<R, 1>(kernel, step, v + f * pitch, n, pitch, z + f * pitch);
}

// log sum_j exp(x_j - c_j / epsilon), relative to the largest exponent.
HWY_NOINLINE double LogSumRow(const double* HWY_RESTRICT x, const double* HWY_RESTRICT cost, size_t n,
                              double inverse) {
  const Doubles d;
  const size_t N = hn::Lanes(d);
  const auto scale = hn::Set(d, inverse);
  const auto exponent = [&](size_t j) HWY_ATTR {
    const auto c = j + N <= n ? hn::LoadU(d, cost + j) : extrema::HWY_NAMESPACE::LoadN(d, cost + j, n - j);
    return hn::NegMulAdd(c, scale, hn::LoadU(d, x + j));
  };
  auto most = hn::Set(d, -std::numeric_limits<double>::infinity());
  for (size_t j = 0; j < n; j += N) most = hn::Max(most, exponent(j));
  const double top = hn::GetLane(hn::MaxOfLanes(d, most));
  const auto shift = hn::Set(d, top);
  auto sum = hn::Zero(d);
  for (size_t j = 0; j < n; j += N) {
    sum = hn::Add(sum, extrema::HWY_NAMESPACE::Exp(d, hn::Sub(exponent(j), shift)));
  }
  return top + std::log(hn::GetLane(hn::SumOfLanes(d, sum)));
}

// Rows begin … end of the products of all fibres, as logarithms.
void MultiplyFibres(const double* kernel, ptrdiff_t kernelStep, const CostAxis& axis, double least,
                    double inverse, size_t pitch, size_t fibres, size_t begin, size_t end, const double* x,
                    const double* v, const double* top, double* z) {
  const Doubles d;
  size_t i = begin;
  for (; i + 4 <= end; i += 4) {
    MultiplyRows<4>(kernel + static_cast<ptrdiff_t>(i) * kernelStep, kernelStep, v, axis.n, pitch, fibres,
                    z + i);
  }
  for (; i < end; i++) {
    MultiplyRows<1>(kernel + static_cast<ptrdiff_t>(i) * kernelStep, kernelStep, v, axis.n, pitch, fibres,
                    z + i);
  }
  // Below, a sum has lost digits to underflow.
  const auto least280 = hn::Set(d, 1e-280);
  for (size_t f = 0; f < fibres; f++) {
    double* out = z + f * pitch;
    if (top[f] == -std::numeric_limits<double>::infinity()) {
      std::fill(out + begin, out + end, top[f]);
      continue;
    }
    const auto shift = hn::Set(d, top[f] - least * inverse);
    for (size_t first = begin; first < end; first += hn::Lanes(d)) {
      const size_t lanes = std::min(hn::Lanes(d), end - first);
      const auto sum = extrema::HWY_NAMESPACE::LoadN(d, out + first, lanes, 1.0);
      const bool sound = hn::AllTrue(d, hn::Ge(sum, least280));
      double sums[HWY_MAX_BYTES / sizeof(double)];
      if (HWY_UNLIKELY(!sound)) std::copy_n(out + first, lanes, sums);
      extrema::HWY_NAMESPACE::StoreN(hn::Add(extrema::HWY_NAMESPACE::Log(d, sum), shift), d, out + first,
                                     lanes);
      if (HWY_LIKELY(sound)) continue;
      for (size_t k = 0; k < lanes; k++) {
        if (sums[k] >= 1e-280) continue;
        const double* row = axis.cost + static_cast<ptrdiff_t>(first + k) * axis.step;
        out[first + k] = LogSumRow(x + f * pitch, row, axis.n, inverse);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport {

EXTREMA_EXPORT(FillKernelRow);
EXTREMA_EXPORT(ScaleFibre);
EXTREMA_EXPORT(MultiplyFibres);

namespace {

// The rows of an axis as they lie in memory: one line where the costs depend on j - i alone.
bool isGrid(const CostAxis& axis) { return axis.step == -1; }

double entry(const CostAxis& axis, size_t i, size_t j) {
  return axis.cost[static_cast<ptrdiff_t>(i) * axis.step + static_cast<ptrdiff_t>(j)];
}

uint32_t chunksFor(double work, size_t most) {
  return static_cast<uint32_t>(std::max(1.0, std::min({work / 65536, 32.0, static_cast<double>(most)})));
}

}  // namespace

LogKernel::LogKernel(std::vector<CostAxis> axes, size_t arrays, Team& team) : team_(team) {
  size_t longest = 0;
  for (const CostAxis& cost : axes) {
    size_ *= cost.n;
    longest = std::max(longest, cost.n);
    Axis axis;
    axis.cost = cost;
    axes_.push_back(std::move(axis));
  }
  for (Axis& axis : axes_) inspect(axis);
  const size_t fibres = std::min(kFibres, arrays * (axes_.size() == 1 ? 1 : size_));
  for (unsigned w = 0; w < team.size(); w++) {
    Scratch scratch;
    for (Aligned<double>* part : {&scratch.x, &scratch.v, &scratch.z}) {
      *part = Aligned<double>(fibres * padded<double>(longest));
    }
    scratch_.push_back(std::move(scratch));
  }
}

void LogKernel::inspect(Axis& axis) {
  const CostAxis& cost = axis.cost;
  if (isGrid(cost)) {
    const double* line = cost.cost - static_cast<ptrdiff_t>(cost.n - 1);
    axis.least = *std::min_element(line, line + 2 * cost.n - 1);
    range_ += *std::max_element(line, line + 2 * cost.n - 1) - axis.least;
    axis.kernel = Aligned<double>(2 * cost.n - 1);
    axis.kernelStep = -1;
    axis.firstRow = axis.kernel.data() + (cost.n - 1);
    return;
  }
  const size_t n = cost.n;
  const uint32_t chunks = chunksFor(static_cast<double>(n) * static_cast<double>(n), n);
  struct Found {
    double least = std::numeric_limits<double>::infinity(), most = -std::numeric_limits<double>::infinity();
    size_t badRow = std::numeric_limits<size_t>::max(), badColumn = 0;
    size_t unequalRow = std::numeric_limits<size_t>::max(), unequalColumn = 0;
  };
  std::vector<Found> found(chunks);
  team_.run(chunks, [&](uint32_t c, unsigned) {
    Found& part = found[c];
    const Range rows = chunkRange(n, chunks, c);
    // In squares, as the mirrored entries lie a row apart.
    constexpr size_t kSquare = 64;
    for (size_t i0 = rows.begin; i0 < rows.end && !team_.monitor().cancelled(); i0 += kSquare) {
      for (size_t j0 = 0; j0 < n; j0 += kSquare) {
        for (size_t i = i0; i < std::min(i0 + kSquare, rows.end); i++) {
          for (size_t j = j0; j < std::min(j0 + kSquare, n); j++) {
            const double value = entry(cost, i, j);
            part.least = std::min(part.least, value);
            part.most = std::max(part.most, value);
            if (!std::isfinite(value) && part.badRow > i) {
              part.badRow = i;
              part.badColumn = j;
            }
            if (value != entry(cost, j, i) && part.unequalRow > i) {
              part.unequalRow = i;
              part.unequalColumn = j;
            }
          }
        }
      }
    }
  });
  if (team_.monitor().cancelled()) return;
  Found all;
  for (const Found& part : found) {
    all.least = std::min(all.least, part.least);
    all.most = std::max(all.most, part.most);
    if (part.badRow < all.badRow) {
      const double value = entry(cost, part.badRow, part.badColumn);
      throw Error("ERR_NOT_FINITE", "cost[" + std::to_string(part.badRow) + "][" +
                                        std::to_string(part.badColumn) + "]: expected a finite number, got " +
                                        (std::isnan(value) ? "NaN"
                                         : value > 0       ? "Infinity"
                                                           : "-Infinity"));
    }
    if (part.unequalRow < all.unequalRow) {
      all.unequalRow = part.unequalRow;
      all.unequalColumn = part.unequalColumn;
    }
  }
  axis.least = all.least;
  range_ += all.most - all.least;
  axis.kernel = Aligned<double>(n * padded<double>(n));
  axis.kernelStep = static_cast<ptrdiff_t>(padded<double>(n));
  axis.firstRow = axis.kernel.data();
  if (all.unequalRow == std::numeric_limits<size_t>::max()) return;
  asymmetry_ = true;
  asymmetricRow_ = all.unequalRow;
  asymmetricColumn_ = all.unequalColumn;
  transpose(axis);
}

void LogKernel::asymmetricEntry(size_t& i, size_t& j) const noexcept {
  i = asymmetricRow_;
  j = asymmetricColumn_;
}

void LogKernel::transpose(const Axis& axis) {
  const size_t n = axis.cost.n;
  transposedCost_ = Aligned<double>(n * n);
  constexpr size_t kSquare = 32;
  for (size_t i0 = 0; i0 < n && !team_.monitor().cancelled(); i0 += kSquare) {
    for (size_t j0 = 0; j0 < n; j0 += kSquare) {
      for (size_t i = i0; i < std::min(i0 + kSquare, n); i++) {
        for (size_t j = j0; j < std::min(j0 + kSquare, n); j++)
          transposedCost_[j * n + i] = entry(axis.cost, i, j);
      }
    }
  }
  transposed_.cost = {n, transposedCost_.data(), static_cast<ptrdiff_t>(n)};
  transposed_.least = axis.least;
  transposed_.kernel = Aligned<double>(n * padded<double>(n));
  transposed_.kernelStep = axis.kernelStep;
  transposed_.firstRow = transposed_.kernel.data();
}

void LogKernel::prepare(double epsilon) {
  inverse_ = 1 / epsilon;
  for (Axis& axis : axes_) fill(axis, epsilon);
  if (asymmetry_) fill(transposed_, epsilon);
}

void LogKernel::fill(Axis& axis, double epsilon) {
  const CostAxis& cost = axis.cost;
  const size_t n = cost.n;
  if (isGrid(cost)) {
    const double* line = cost.cost - static_cast<ptrdiff_t>(n - 1);
    EXTREMA_DISPATCH(FillKernelRow)(line, 2 * n - 1, axis.least, 1 / epsilon, axis.kernel.data());
    return;
  }
  const uint32_t chunks = chunksFor(4 * static_cast<double>(n) * static_cast<double>(n), n);
  team_.run(chunks, [&](uint32_t c, unsigned) {
    const Range rows = chunkRange(n, chunks, c);
    for (size_t i = rows.begin; i < rows.end; i++) {
      if (i % 64 == 0 && team_.monitor().cancelled()) return;
      EXTREMA_DISPATCH(FillKernelRow)
      (cost.cost + static_cast<ptrdiff_t>(i) * cost.step, n, axis.least, 1 / epsilon,
       axis.kernel.data() + static_cast<ptrdiff_t>(i) * axis.kernelStep);
    }
  });
}

void LogKernel::apply(double* data, size_t arrays, bool transposed) {
  if (transposed && asymmetry_) return applyAxis(transposed_, data, arrays, 1);
  size_t outer = arrays, inner = size_;
  for (const Axis& axis : axes_) {
    inner /= axis.cost.n;
    applyAxis(axis, data, outer, inner);
    if (team_.monitor().cancelled()) return;
    outer *= axis.cost.n;
  }
}

void LogKernel::applyAxis(const Axis& axis, double* data, size_t outer, size_t inner) {
  const size_t n = axis.cost.n;
  // Fibres that share a tile lie side by side: along the later axes, or where there are none, one behind the
  // other.
  const size_t across = inner == 1 ? outer : inner;
  const size_t perOuter = (across + kFibres - 1) / kFibres;
  const size_t tiles = inner == 1 ? perOuter : outer * perOuter;
  const auto tileAt = [&](size_t t) -> Tile {
    const size_t block = inner == 1 ? 0 : t / perOuter, first = (inner == 1 ? t : t % perOuter) * kFibres;
    const size_t fibres = std::min(kFibres, across - first);
    if (inner == 1) return {data + first * n, fibres, n, 1};
    return {data + block * n * inner + first, fibres, 1, inner};
  };
  const double rowWork = static_cast<double>(n) * static_cast<double>(std::min(across, kFibres));
  if (tiles >= 8) {
    const uint32_t chunks = chunksFor(rowWork * static_cast<double>(n * tiles), tiles);
    team_.run(chunks, [&](uint32_t c, unsigned worker) {
      Scratch& scratch = scratch_[worker];
      const Range part = chunkRange(tiles, chunks, c);
      for (size_t t = part.begin; t < part.end && !team_.monitor().cancelled(); t++) {
        const Tile tile = tileAt(t);
        load(axis, tile, scratch);
        multiply(axis, tile.fibres, 0, n, scratch);
        store(axis, tile, scratch);
      }
    });
    return;
  }
  // Few fibres: the rows of the kernel are shared out.
  Scratch& scratch = scratch_[0];
  const uint32_t chunks = chunksFor(rowWork * static_cast<double>(n), n);
  for (size_t t = 0; t < tiles && !team_.monitor().cancelled(); t++) {
    const Tile tile = tileAt(t);
    load(axis, tile, scratch);
    team_.run(chunks, [&](uint32_t c, unsigned) {
      const Range rows = chunkRange(n, chunks, c);
      constexpr size_t kRows = 64;
      for (size_t i = rows.begin; i < rows.end && !team_.monitor().cancelled(); i += kRows) {
        multiply(axis, tile.fibres, i, std::min(i + kRows, rows.end), scratch);
      }
    });
    store(axis, tile, scratch);
  }
}

void LogKernel::load(const Axis& axis, const Tile& tile, Scratch& scratch) {
  const size_t n = axis.cost.n, pitch = padded<double>(n);
  double* x = scratch.x.data();
  if (tile.entryStep == 1) {
    for (size_t f = 0; f < tile.fibres; f++) std::copy_n(tile.data + f * tile.fibreStep, n, x + f * pitch);
  } else {
    for (size_t j = 0; j < n; j++) {
      for (size_t f = 0; f < tile.fibres; f++) x[f * pitch + j] = tile.data[j * tile.entryStep + f];
    }
  }
  for (size_t f = 0; f < tile.fibres; f++) {
    std::fill(x + f * pitch + n, x + (f + 1) * pitch, -std::numeric_limits<double>::infinity());
    scratch.top[f] = EXTREMA_DISPATCH(ScaleFibre)(x + f * pitch, n, scratch.v.data() + f * pitch);
  }
}

void LogKernel::multiply(const Axis& axis, size_t fibres, size_t begin, size_t end, Scratch& scratch) const {
  EXTREMA_DISPATCH(MultiplyFibres)
  (axis.firstRow, axis.kernelStep, axis.cost, axis.least, inverse_, padded<double>(axis.cost.n), fibres,
   begin, end, scratch.x.data(), scratch.v.data(), scratch.top, scratch.z.data());
}

void LogKernel::store(const Axis& axis, const Tile& tile, const Scratch& scratch) {
  const size_t n = axis.cost.n, pitch = padded<double>(n);
  const double* z = scratch.z.data();
  if (tile.entryStep == 1) {
    for (size_t f = 0; f < tile.fibres; f++) std::copy_n(z + f * pitch, n, tile.data + f * tile.fibreStep);
    return;
  }
  for (size_t j = 0; j < n; j++) {
    for (size_t f = 0; f < tile.fibres; f++) tile.data[j * tile.entryStep + f] = z[f * pitch + j];
  }
}

}  // namespace extrema::transport
#endif
