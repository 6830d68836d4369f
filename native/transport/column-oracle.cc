#include "transport/column-oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace extrema::transport {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr size_t kMemory = 64;

}  // namespace

ColumnOracle::ColumnOracle(Team& t, Columns& l, const double* a, const double* b, double total)
    : team(t),
      columns(l),
      supply(a),
      demand(b),
      mass(total),
      freeSum(l.length),
      columnSum(l.count),
      potential(l.count),
      cut(l.count),
      counts(l.count),
      kept_(std::min(kMemory, l.length)),
      most_(l.length),
      threshold_(l.count),
      last_(l.length),
      values_(l.count),
      entries_(l.count * kept_) {
  for (unsigned w = 0; w < l.workers; w++) solvers.emplace_back(l.length);
  for (uint32_t c = 0; c < l.chunks; c++) sums_.emplace_back(l.length);
}

void ColumnOracle::use(const ColumnTerms& terms) {
  terms_ = terms;
  for (ColumnSolver& solver : solvers) solver.terms = terms;
  std::fill(cut.begin(), cut.end(), -kInfinity);
  counts.clear();
  most_ = columns.length;
}

double ColumnOracle::evaluate(const Aligned<double>& x, Aligned<double>& gradient) {
  const size_t count = columns.count, length = columns.length;
  x_ = x.data();
  leastRise_ = kInfinity;
  size_ = 0;
  for (size_t i = 0; i < length; i++) {
    leastRise_ = std::min(leastRise_, x[i] - last_[i]);
    size_ = std::max({size_, std::fabs(x[i]), std::fabs(last_[i])});
  }
  columns.visit(team, x.data(), threshold_.data(), most_, *this);
  if (team.monitor().cancelled()) return 0;
  passes++;
  std::copy_n(x.data(), length, last_.data());
  fullest = static_cast<size_t>(*std::max_element(counts.begin(), counts.end()));
  shared = static_cast<size_t>(std::count_if(counts.begin(), counts.end(), [&](int32_t entries) {
    return static_cast<size_t>(entries) > terms_.maxNonzeros;
  }));
  most_ = std::max(kMemory, 4 * fullest);

  std::copy_n(sums_[0].data(), length, freeSum.data());
  for (size_t c = 1; c < sums_.size(); c++) {
    for (size_t i = 0; i < length; i++) freeSum[i] += sums_[c][i];
  }
  double linear = 0, size = 0, error = 0;
  for (size_t i = 0; i < length; i++) {
    gradient[i] = freeSum[i] - supply[i];
    linear += supply[i] * x[i];
    size += supply[i] * std::fabs(x[i]);
    error += std::fabs(gradient[i]);
  }
  if (terms_.dual) {
    for (size_t j = 0; j < count; j++) {
      const double difference = columnSum[j] - demand[j];
      gradient[length + j] = difference;
      linear += demand[j] * x[length + j];
      size += demand[j] * std::fabs(x[length + j]);
      error += std::fabs(difference);
    }
  }
  const double conjugate = sum(values_.data(), count);
  residual = error / mass;
  roundoff = 16 * kEpsilon * (size + std::fabs(conjugate));
  return conjugate - linear;
}

// Thresholds below which no entry of the new plan should be.
void ColumnOracle::begin(Range range, uint32_t chunk, unsigned) {
  sums_[chunk].clear();
  for (size_t column = range.begin; column < range.end; column++) {
    const size_t entries = static_cast<size_t>(counts[column]);
    double rise = entries > kept_ ? leastRise_ : kInfinity;
    if (entries <= kept_) {
      const int32_t* index = entries_.data() + column * kept_;
      for (size_t r = 0; r < entries; r++) rise = std::min(rise, x_[index[r]] - last_[index[r]]);
    }
    double foreseen = cut[column] + rise - 1e-15 * (size_ + std::fabs(cut[column]));
    if (entries == 0) foreseen = -kInfinity;
    if (terms_.dual && !terms_.entropy) {
      // What is below the column's own potential is out, whatever the rest.
      const double own = -x_[columns.length + column];
      foreseen = entries < terms_.maxNonzeros ? own : std::max(own, foreseen);
    }
    threshold_[column] = foreseen;
  }
}

bool ColumnOracle::visit(size_t column, Candidates candidates, uint32_t chunk, unsigned worker) {
  ColumnSolver& solver = solvers[worker];
  solver.solve(candidates, demand[column], terms_.dual ? x_[columns.length + column] : 0);
  if (!(solver.cut >= threshold_[column])) return false;
  Aligned<double>& sums = sums_[chunk];
  for (size_t r = 0; r < solver.count; r++) sums[candidates.index[r]] += solver.plan[r];
  std::copy_n(candidates.index, std::min(solver.count, kept_), entries_.data() + column * kept_);
  values_[column] = solver.value;
  columnSum[column] = solver.mass;
  cut[column] = solver.cut;
  counts[column] = static_cast<int32_t>(solver.count);
  potential[column] = solver.potential;
  return true;
}

}  // namespace extrema::transport
