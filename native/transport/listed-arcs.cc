#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.h"
#include "transport/pricing.h"

namespace extrema::transport {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class ListedArcs final : public ArcSource {
 public:
  ListedArcs(size_t n, size_t m, const ArcList& arcs, const Monitor& monitor)
      : n_(n), m_(m), arcs_(arcs), monitor_(monitor) {}

  void check() override {
    for (int32_t k = 0; k < arcs_.start[n_]; k++) {
      if (arcs_.cost[k] > -kInfinity) continue;
      throw Error("ERR_NOT_FINITE",
                  "cost.data[" + std::to_string(k) +
                      "]: expected a finite number (or Infinity for a forbidden arc), got " +
                      (std::isnan(arcs_.cost[k]) ? "NaN" : "-Infinity"));
    }
  }
  double count() const override { return arcs_.start[n_]; }

  void columnMinima(const double* f, double* out) override {
    std::fill_n(out, m_, kInfinity);
    forArcs([&](size_t i, int32_t j, double c) { out[j] = std::min(out[j], c - f[i]); });
  }
  void rowMinima(const double* g, double* out) override {
    std::fill_n(out, n_, kInfinity);
    forArcs([&](size_t i, int32_t j, double c) { out[i] = std::min(out[i], c - g[j]); });
  }

  void nearest(size_t perRow, size_t perColumn, const double* g, double* f, Arcs& out, bool& all) override {
    rowMinima(g, f);
    all = count() <= static_cast<double>((perRow + perColumn) * (n_ + m_));
    if (all) {
      forArcs([&](size_t i, int32_t j, double c) {
        if (c < kInfinity) out.add(static_cast<int32_t>(i), j, c);
      });
      return;
    }
    // An arc that is not beyond the perRow-th of its row or the perColumn-th of its column.
    std::vector<double> rowLimit(n_), columnLimit(m_);
    std::vector<std::vector<double>> columns(m_);
    std::vector<double> row;
    for (size_t i = 0; i < n_ && !stopped(i); i++) {
      row.clear();
      for (int32_t k = arcs_.start[i]; k < arcs_.start[i + 1]; k++) {
        const double c = arcs_.cost[k];
        if (!(c < kInfinity)) continue;
        row.push_back(c - g[arcs_.column[k]]);
        columns[arcs_.column[k]].push_back(c - f[i]);
      }
      rowLimit[i] = smallest(row, perRow);
    }
    for (size_t j = 0; j < m_; j++) columnLimit[j] = smallest(columns[j], perColumn);
    forArcs([&](size_t i, int32_t j, double c) {
      if (c < kInfinity && (c - g[j] <= rowLimit[i] || c - f[i] <= columnLimit[j]))
        out.add(static_cast<int32_t>(i), j, c);
    });
  }

  void price(const PricePass& pass, Arcs& out) override {
    std::vector<Found> found;
    for (size_t i = 0; i < n_ && !stopped(i); i++) {
      const int kind = pass.kind != nullptr ? pass.kind[i] : 0;
      found.clear();
      if (pass.urgent[kind] != nullptr) collect(i, pass.urgent[kind], pass.urgentLimit, found);
      if (found.empty()) {
        const double least = collect(i, pass.g[kind], pass.limit[i], found);
        if (pass.rowMin != nullptr) pass.rowMin[i] = least;
      }
      const size_t most = std::min(pass.most, found.size());
      std::stable_sort(found.begin(), found.end(),
                       [](const Found& x, const Found& y) { return x.key < y.key; });
      for (size_t k = 0; k < most; k++) {
        out.add(static_cast<int32_t>(i), arcs_.column[found[k].arc], arcs_.cost[found[k].arc]);
      }
    }
  }

  double cost(size_t i, size_t j) const override {
    double least = kInfinity;
    for (int32_t k = arcs_.start[i]; k < arcs_.start[i + 1]; k++) {
      if (static_cast<size_t>(arcs_.column[k]) == j) least = std::min(least, arcs_.cost[k]);
    }
    return least;
  }

 private:
  struct Found {
    double key;
    int32_t arc;
  };

  bool stopped(size_t i) const { return (i & 255) == 0 && monitor_.cancelled(); }

  template <class F>
  void forArcs(F visit) const {
    for (size_t i = 0; i < n_ && !stopped(i); i++) {
      for (int32_t k = arcs_.start[i]; k < arcs_.start[i + 1]; k++) visit(i, arcs_.column[k], arcs_.cost[k]);
    }
  }

  static double smallest(std::vector<double>& values, size_t place) {
    if (values.size() <= place) return kInfinity;
    std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(place - 1), values.end());
    return values[place - 1];
  }

  // Arcs of the row with C_ij - g_j < limit; returns the least C_ij - g_j.
  double collect(size_t i, const double* g, double limit, std::vector<Found>& found) const {
    double least = kInfinity;
    for (int32_t k = arcs_.start[i]; k < arcs_.start[i + 1]; k++) {
      const double key = arcs_.cost[k] - g[arcs_.column[k]];
      least = std::min(least, key);
      if (key < limit) found.push_back({key, k});
    }
    return least;
  }

  size_t n_, m_;
  ArcList arcs_;
  const Monitor& monitor_;
};

}  // namespace

std::unique_ptr<ArcSource> listedArcs(size_t n, size_t m, const ArcList& arcs, const Monitor& monitor) {
  return std::make_unique<ListedArcs>(n, m, arcs, monitor);
}

}  // namespace extrema::transport
