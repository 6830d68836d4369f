#include "transport/projection.h"

#include "simd/dispatch.h"
#include "transport/chunk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/projection.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/math-inl.h"
#include "transport/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

// p_j = exp((g_j - top - c_j) / epsilon); returns their sum.
template <class Row>
HWY_NOINLINE double WeightRow(const Row& cost, const double* HWY_RESTRICT g, double top, double inverse,
                              size_t m, double* HWY_RESTRICT p) {
  const hn::ScalableTag<double> d;
  const auto shift = hn::Set(d, top), scale = hn::Set(d, inverse);
  auto sum = hn::Zero(d);
  ForColumns(d, cost, m, [&](size_t j, auto c) HWY_ATTR {
    const auto exponent = hn::Mul(hn::Sub(hn::Sub(hn::LoadU(d, g + j), shift), c), scale);
    const auto weight = extrema::HWY_NAMESPACE::Exp(d, exponent);
    hn::StoreU(weight, d, p + j);
    sum = hn::Add(sum, weight);
  });
  return Total(d, sum);
}

HWY_NOINLINE double DotRow(const double* HWY_RESTRICT p, const double* HWY_RESTRICT v, size_t m) {
  const hn::ScalableTag<double> d;
  auto sum = hn::Zero(d);
  for (size_t j = 0; j < m; j += hn::Lanes(d))
    sum = hn::MulAdd(hn::LoadU(d, p + j), hn::LoadU(d, v + j), sum);
  return Total(d, sum);
}

// `values` by columns, padded with zeros.
void ProjectChunk(const Chunk<double>& chunk, const Projection& projection, const double* values,
                  size_t pitch) {
  const size_t m = chunk.geometry->m;
  const double inverse = 1 / projection.problem.epsilon;
  double* p = chunk.worker->row.data();
  ForRows(chunk, [&](size_t i, const auto& cost) HWY_ATTR {
    const double top = LargestRow<double>(cost, chunk.g, m);
    const double sum = WeightRow(cost, chunk.g, top, inverse, m, p);
    double* out = projection.out + i * projection.columns;
    for (size_t c = 0; c < projection.columns; c++) out[c] = DotRow(p, values + c * pitch, m) / sum;
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport {

EXTREMA_EXPORT(ProjectChunk);

void project(const Projection& projection, Monitor& monitor) {
  const Problem& problem = projection.problem;
  const uint32_t chunks = rowChunks(problem.n, problem.m);
  Team team(std::min(projection.threads, chunks), monitor);
  Geometry<double> geometry(problem);
  Workspace<double> workspace(geometry, team.size());
  std::copy_n(projection.g, problem.m, workspace.g.data());
  const size_t pitch = padded<double>(problem.m);
  Aligned<double> values(projection.columns * pitch);
  for (size_t j = 0; j < problem.m; j++) {
    for (size_t c = 0; c < projection.columns; c++) {
      values[c * pitch + j] = projection.values[j * projection.columns + c];
    }
  }
  // In blocks, for the progress.
  const size_t block = std::max<size_t>(chunks, (size_t{1} << 24) / problem.m);
  for (size_t first = 0; first < problem.n && !monitor.cancelled(); first += block) {
    const size_t rows = std::min(block, problem.n - first);
    team.run(chunks, [&](uint32_t c, unsigned worker) {
      Chunk<double> chunk = makeChunk(team, geometry, workspace, c, worker);
      const Range part = chunkRange(rows, chunks, c);
      chunk.rows = {first + part.begin, first + part.end};
      EXTREMA_DISPATCH(ProjectChunk)(chunk, projection, values.data(), pitch);
    });
    monitor.progress(static_cast<double>(first + rows), static_cast<double>(problem.n - first - rows));
  }
}

}  // namespace extrema::transport
#endif
