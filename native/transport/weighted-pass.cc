#include "transport/weighted-pass.h"

#include "simd/dispatch.h"
#include "transport/chunk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/weighted-pass.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/partial-inl.h"
#include "transport/plan-rows-inl.h"

namespace extrema::transport {
#ifndef EXTREMA_TRANSPORT_GRADIENT_BLOCK
#define EXTREMA_TRANSPORT_GRADIENT_BLOCK
// Rows of W that wait for their product with the target points.
struct GradientBlock {
  Aligned<double> rows, products, sums;
  size_t first = 0, count = 0, capacity = 0;
};
#endif
}  // namespace extrema::transport

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

// w_j <- scale p_j (alpha + beta_j + sign (G_j + left · right_j)), in place; past coreM without G.
HWY_NOINLINE void WeightRow(const WeightedPass& pass, size_t i, size_t m, size_t coreN, size_t coreM,
                            double* HWY_RESTRICT w) {
  const hn::ScalableTag<double> d;
  const size_t N = hn::Lanes(d);
  const double* dense = pass.dense != nullptr && i < coreN ? pass.dense + i * coreM : nullptr;
  const double* left = pass.left != nullptr ? pass.left + i * pass.rank : nullptr;
  const auto alpha = hn::Set(d, pass.alpha != nullptr ? pass.alpha[i] : 0);
  const auto scale = hn::Set(d, pass.scale), sign = hn::Set(d, pass.sign);
  for (size_t j = 0; j < m; j += N) {
    const size_t count = std::min(N, m - j);
    auto own = alpha, factor = hn::Zero(d);
    if (pass.beta != nullptr) own = hn::Add(own, extrema::HWY_NAMESPACE::LoadN(d, pass.beta + j, count));
    if (dense != nullptr && j < coreM) {
      factor = extrema::HWY_NAMESPACE::LoadN(d, dense + j, std::min(N, coreM - j));
    }
    for (size_t k = 0; left != nullptr && k < pass.rank; k++) {
      const auto right = extrema::HWY_NAMESPACE::LoadN(d, pass.rightTransposed + k * m + j, count);
      factor = hn::MulAdd(hn::Set(d, left[k]), right, factor);
    }
    const auto p = hn::LoadU(d, w + j);
    const auto weighted = hn::Mul(hn::Mul(scale, p), hn::MulAdd(sign, factor, own));
    // Arcs without mass count for nothing, whatever their weight.
    hn::StoreU(hn::IfThenZeroElse(hn::Eq(p, hn::Zero(d)), weighted), d, w + j);
  }
}

template <class Row>
HWY_NOINLINE void DivideByCost(const Row& cost, size_t m, double* HWY_RESTRICT w) {
  const hn::ScalableTag<double> d;
  ForColumns(d, cost, m, [&](size_t j, auto c) HWY_ATTR {
    const auto value = hn::LoadU(d, w + j);
    hn::StoreU(hn::IfThenZeroElse(hn::Eq(c, hn::Zero(d)), hn::Div(value, c)), d, w + j);
  });
}

HWY_NOINLINE double SumRow(const double* HWY_RESTRICT w, size_t m) {
  const hn::ScalableTag<double> d;
  const size_t N = hn::Lanes(d);
  auto total = hn::Zero(d);
  for (size_t j = 0; j < m; j += N) {
    total = hn::Add(total, extrema::HWY_NAMESPACE::LoadN(d, w + j, std::min(N, m - j)));
  }
  return Total(d, total);
}

// sum_j w_j sign(x - y_j)
HWY_NOINLINE double SignRow(const double* HWY_RESTRICT w, double x, const double* HWY_RESTRICT y, size_t m) {
  const hn::ScalableTag<double> d;
  const size_t N = hn::Lanes(d);
  const auto at = hn::Set(d, x);
  auto total = hn::Zero(d);
  for (size_t j = 0; j < m; j += N) {
    const auto value = extrema::HWY_NAMESPACE::LoadN(d, w + j, std::min(N, m - j));
    const auto other = hn::LoadU(d, y + j);  // padded
    total = hn::Add(total, hn::IfThenElseZero(hn::Gt(at, other), value));
    total = hn::Sub(total, hn::IfThenElseZero(hn::Lt(at, other), value));
  }
  return Total(d, total);
}

// Gradients of the waiting rows from their products with the points.
void FlushGradients(const Geometry<double>& geo, const WeightedPass& pass, GradientBlock& block) {
  if (block.count == 0) return;
  const size_t dimension = geo.d;
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(block.count),
              static_cast<int>(dimension), static_cast<int>(geo.coreM), 1, block.rows.data(),
              static_cast<int>(geo.pitch), geo.yT.data(), static_cast<int>(geo.pitch), 0,
              block.products.data(), static_cast<int>(dimension));
  for (size_t r = 0; r < block.count; r++) {
    const double *x = geo.x.data() + (block.first + r) * dimension,
                 *product = block.products.data() + r * dimension;
    double* out = pass.gradient + (block.first + r) * dimension;
    double along = 0;
    for (size_t k = 0; k < dimension; k++) along += x[k] * product[k];
    for (size_t k = 0; k < dimension; k++) {
      if (geo.metric == Metric::cosine) {
        out[k] = along * x[k] - product[k];  // of 1 - x·y on the sphere
      } else {
        out[k] = (geo.metric == Metric::sqeuclidean ? 2 : 1) * (block.sums[r] * x[k] - product[k]);
      }
    }
  }
  block.count = 0;
}

void WeightedChunk(const Chunk<double>& chunk, const WeightedPass& pass, GradientBlock* block) {
  const Geometry<double>& geo = *chunk.geometry;
  const size_t m = geo.m;
  double* p = chunk.worker->extra.data();
  ForRows(chunk, [&](size_t i, const auto& cost) HWY_ATTR {
    ExponentialRow<double>(cost, pass.f[i], chunk.g, 1 / pass.epsilon, m, nullptr, p);
    if (pass.weighted) WeightRow(pass, i, m, geo.coreN, geo.coreM, p);
    if (pass.rowSum != nullptr) pass.rowSum[i] = SumRow(p, m);
    if (chunk.columns != nullptr) AddScaled<double>(1, p, m, chunk.columns);
    if (i >= geo.coreN) return;
    if (pass.store != nullptr) std::copy_n(p, geo.coreM, pass.store + i * geo.coreM);
    if (pass.gradient == nullptr) return;
    if (geo.metric == Metric::cityblock) {
      for (size_t k = 0; k < geo.d; k++) {
        pass.gradient[i * geo.d + k] =
            SignRow(p, geo.x[i * geo.d + k], geo.yT.data() + k * geo.pitch, geo.coreM);
      }
      return;
    }
    if (geo.metric == Metric::euclidean) DivideByCost(cost, m, p);
    if (block->count == 0) block->first = i;
    block->sums[block->count] = SumRow(p, geo.coreM);
    std::copy_n(p, geo.coreM, block->rows.data() + block->count * geo.pitch);
    if (++block->count == block->capacity) FlushGradients(geo, pass, *block);
  });
  if (block != nullptr && !chunk.monitor->cancelled()) FlushGradients(geo, pass, *block);
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport {

EXTREMA_EXPORT(WeightedChunk);

namespace {

constexpr size_t kBlockBytes = size_t{1} << 19;
constexpr size_t kBlockRows = 64;

}  // namespace

void weightedPass(Team& team, const Geometry<double>& geometry, Workspace<double>& ws, WeightedPass& pass) {
  std::copy_n(pass.g, geometry.m, ws.g.data());
  const bool products = pass.gradient != nullptr && geometry.metric != Metric::cityblock;
  std::vector<GradientBlock> blocks(products ? team.size() : 0);
  for (GradientBlock& block : blocks) {
    block.capacity = std::clamp<size_t>(kBlockBytes / (geometry.pitch * sizeof(double)), 1, kBlockRows);
    block.rows = Aligned<double>(block.capacity * geometry.pitch);
    block.products = Aligned<double>(block.capacity * geometry.d);
    block.sums = Aligned<double>(block.capacity);
  }
  team.run(ws.chunks, [&](uint32_t c, unsigned worker) {
    Chunk<double> chunk = makeChunk(team, geometry, ws, c, worker);
    if (pass.columnSum != nullptr) {
      ws.columns[c].clear();
      chunk.columns = ws.columns[c].data();
    }
    EXTREMA_DISPATCH(WeightedChunk)(chunk, pass, products ? &blocks[worker] : nullptr);
  });
  if (pass.columnSum != nullptr) addColumns(ws.columns, geometry.m, pass.columnSum);
}

}  // namespace extrema::transport
#endif
