#include "curvature/rank-one.h"

#include <cmath>
#include <vector>

#include "core/aligned.h"
#include "core/team.h"
#include "curvature/rows.h"

namespace extrema::curvature {

namespace {

constexpr size_t kChunk = size_t{1} << 16;  // entries for one chunk

// NaN stays.
double larger(double a, double b) { return std::isnan(a) || b <= a ? a : b; }

template <class T>
void update(const RankOneJob& job, T* x, RankOneReport& report, Team& team) {
  const size_t n = job.n, rows = std::max<size_t>(1, kChunk / n), chunks = (n + rows - 1) / rows;
  const auto count = static_cast<uint32_t>(chunks);
  Aligned<double> y(n);
  team.run(count, [&](uint32_t chunk, unsigned) {
    const size_t i = chunk * rows;
    dotRows(x + i * n, n, std::min(rows, n - i), job.v, n, y.data() + i);
  });
  for (size_t i = 0; i < n; i++) {
    y[i] = job.keep * y[i] + job.identity * job.v[i];
    report.s += job.v[i] * y[i];
  }
  report.denominator = job.offset + job.slope * report.s;
  if (!(report.denominator > 0) || team.monitor().cancelled()) return;
  // factor y y^T as the product of two vectors that differ in sign at most.
  const double factor = job.numerator / report.denominator, root = std::sqrt(std::fabs(factor));
  for (size_t i = 0; i < n; i++) y[i] *= root;
  std::vector<double> largest(chunks);
  const double kept = job.scale * job.keep, diagonal = job.scale * job.identity;
  team.run(count, [&](uint32_t chunk, unsigned) {
    for (size_t i = chunk * rows; i < std::min(n, (chunk + size_t{1}) * rows); i++) {
      T* row = x + i * n;
      double most = blendRow(row, kept, factor < 0 ? -y[i] : y[i], y.data(), n);
      if (diagonal != 0) {
        row[i] = static_cast<T>(static_cast<double>(row[i]) + diagonal);
        most = larger(most, std::fabs(static_cast<double>(row[i])));
      }
      largest[chunk] = larger(largest[chunk], most);
    }
  });
  for (const double most : largest) report.largest = larger(report.largest, most);
}

}  // namespace

void rankOne(const RankOneJob& job, RankOneReport& report, Monitor& monitor) {
  Team team(job.threads, monitor);
  either(job.x, [&](auto* x) { update(job, x, report, team); });
}

}  // namespace extrema::curvature
