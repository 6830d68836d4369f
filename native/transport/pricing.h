#pragma once

#include <memory>
#include <vector>

#include "transport/passes.h"

namespace extrema::transport {

// Stored arcs by rows; all others are forbidden.
struct ArcList {
  const int32_t* start = nullptr;  // n + 1
  const int32_t* column = nullptr;
  const double* cost = nullptr;
};

struct Arcs {
  std::vector<int32_t> row, column;
  std::vector<double> cost;
  size_t size() const { return row.size(); }
  void add(int32_t i, int32_t j, double c) {
    row.push_back(i);
    column.push_back(j);
    cost.push_back(c);
  }
};

// For each row, the `most` arcs of least C_ij - g_j among those below a limit.
struct PricePass {
  size_t most = 0;
  // Row i looks at g[kind_i] (kind null: 0), and first at urgent[kind_i] (may be null), for which there is
  // another limit. -Infinity: no arc to that column.
  const uint8_t* kind = nullptr;  // n, of 0 and 1
  const double* urgent[2] = {nullptr, nullptr};
  const double* g[2] = {nullptr, nullptr};
  const double* limit = nullptr;  // n: f
  double urgentLimit = std::numeric_limits<double>::infinity();
  double* rowMin = nullptr;  // n: min_j (C_ij - g_j), may be null
};

// The arcs of a problem, as the network simplex method asks for them.
class ArcSource {
 public:
  virtual ~ArcSource() = default;
  // Throws ERR_NOT_FINITE at NaN or -Infinity.
  virtual void check() = 0;
  // Arcs, finite or not.
  virtual double count() const = 0;
  // out_j = min_i (C_ij - f_i), out_i = min_j (C_ij - g_j)
  virtual void columnMinima(const double* f, double* out) = 0;
  virtual void rowMinima(const double* g, double* out) = 0;
  // f_i <- min_j (C_ij - g_j). The arcs of least C_ij - g_j of each row and of least C_ij - f_i of each
  // column, by rows and ascending columns. `all`: there are no others.
  virtual void nearest(size_t perRow, size_t perColumn, const double* g, double* f, Arcs& out, bool& all) = 0;
  // Appends what the pass finds, row by row.
  virtual void price(const PricePass& pass, Arcs& out) = 0;
  // C_ij by itself, Infinity if there is no such arc.
  virtual double cost(size_t i, size_t j) const = 0;
};

std::unique_ptr<ArcSource> matrixArcs(const Problem& problem, unsigned threads, const Monitor& monitor);
std::unique_ptr<ArcSource> listedArcs(size_t n, size_t m, const ArcList& arcs, const Monitor& monitor);

}  // namespace extrema::transport
