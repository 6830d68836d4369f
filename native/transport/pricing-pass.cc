#include <algorithm>
#include <atomic>
#include <cmath>
#include <new>

#include "simd/dispatch.h"
#include "transport/chunk.h"
#include "transport/pricing.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/pricing-pass.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "transport/rows-inl.h"

namespace extrema::transport {
#ifndef EXTREMA_TRANSPORT_LEAST
#define EXTREMA_TRANSPORT_LEAST

// Ascending keys of the arcs found so far, `most` at most; of equal ones the first that came.
struct LeastArcs {
  double* key;
  double* cost;
  int32_t* index;
  size_t most, count = 0;

  // The limit from now on.
  double insert(double newKey, double newCost, int32_t newIndex, double limit) {
    size_t at = count < most ? count++ : most - 1;
    for (; at > 0 && key[at - 1] > newKey; at--) {
      key[at] = key[at - 1];
      cost[at] = cost[at - 1];
      index[at] = index[at - 1];
    }
    key[at] = newKey;
    cost[at] = newCost;
    index[at] = newIndex;
    return count < most ? limit : key[most - 1];
  }
};

// Those of all columns, one list behind the other, of one chunk of rows.
struct ColumnLists {
  size_t most = 0;
  Aligned<double> limit;  // a key must be below
  std::vector<double> key, cost;
  std::vector<int32_t> row, count;
};

#endif
}  // namespace extrema::transport

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {

// The arcs of a row with C_ij - g_j < limit, the least of them. Returns min_j (C_ij - g_j).
template <class Row>
HWY_INLINE double LeastOfRow(const Row& cost, const double* HWY_RESTRICT g, size_t m, double limit,
                             LeastArcs& found) {
  const hn::ScalableTag<double> d;
  const size_t N = hn::Lanes(d);
  auto bound = hn::Set(d, limit);
  auto least = hn::Set(d, std::numeric_limits<double>::infinity());
  HWY_ALIGN double keys[HWY_MAX_BYTES / sizeof(double)], costs[HWY_MAX_BYTES / sizeof(double)];
  ForColumns(d, cost, m, [&](size_t j, auto c) HWY_ATTR {
    const auto key = hn::Sub(c, hn::LoadU(d, g + j));
    least = hn::Min(least, key);
    if (HWY_LIKELY(hn::AllFalse(d, hn::Lt(key, bound)))) return;
    hn::Store(key, d, keys);
    hn::Store(c, d, costs);
    for (size_t k = 0; k < std::min(N, m - j); k++) {
      if (keys[k] < limit) limit = found.insert(keys[k], costs[k], static_cast<int32_t>(j + k), limit);
    }
    bound = hn::Set(d, limit);
  });
  return hn::GetLane(hn::MinOfLanes(d, least));
}

// Enters the arcs of row i into the lists of the columns, where C_ij - f_i is among the least.
template <class Row>
HWY_INLINE void LeastOfColumns(const Row& cost, size_t i, double f, size_t m, ColumnLists& lists) {
  const hn::ScalableTag<double> d;
  const size_t N = hn::Lanes(d);
  const auto shift = hn::Set(d, f);
  double* limit = lists.limit.data();
  HWY_ALIGN double keys[HWY_MAX_BYTES / sizeof(double)], costs[HWY_MAX_BYTES / sizeof(double)];
  ForColumns(d, cost, m, [&](size_t j, auto c) HWY_ATTR {
    const auto key = hn::Sub(c, shift);
    if (HWY_LIKELY(hn::AllFalse(d, hn::Lt(key, hn::LoadU(d, limit + j))))) return;
    hn::Store(key, d, keys);
    hn::Store(c, d, costs);
    for (size_t k = 0; k < std::min(N, m - j); k++) {
      if (!(keys[k] < limit[j + k])) continue;
      const size_t at = (j + k) * lists.most;
      LeastArcs list{&lists.key[at], &lists.cost[at], &lists.row[at], lists.most,
                     static_cast<size_t>(lists.count[j + k])};
      limit[j + k] = list.insert(keys[k], costs[k], static_cast<int32_t>(i), limit[j + k]);
      lists.count[j + k] = static_cast<int32_t>(list.count);
    }
  });
}

// Calls visit(i, row) with rows that can be read twice at the price of once.
template <class F>
HWY_INLINE void ForStoredRows(const Chunk<double>& chunk, F visit) {
  const hn::ScalableTag<double> d;
  const size_t m = chunk.geometry->m;
  if (chunk.geometry->metric == Metric::dense) {
    ForRows(chunk, visit);
    return;
  }
  double* buffer = chunk.worker->row.data();
  ForRows(chunk, [&](size_t i, const auto& cost) HWY_ATTR {
    ForColumns(d, cost, m, [&](size_t j, auto c) HWY_ATTR { hn::StoreU(c, d, buffer + j); });
    visit(i, MatrixRow<double>{buffer, m});
  });
}

void NearestChunk64(const Chunk<double>& chunk, double* f, size_t most, double* key, double* kept,
                    int32_t* column, int32_t* count, ColumnLists& lists) {
  const size_t m = chunk.geometry->m;
  ForStoredRows(chunk, [&](size_t i, const auto& cost) HWY_ATTR {
    LeastArcs found{key, kept + i * most, column + i * most, most};
    f[i] = LeastOfRow(cost, chunk.g, m, std::numeric_limits<double>::infinity(), found);
    count[i] = static_cast<int32_t>(found.count);
    if (lists.most > 0) LeastOfColumns(cost, i, f[i], m, lists);
  });
}

void PriceChunk64(const Chunk<double>& chunk, const PricePass& pass, double* key, double* kept,
                  int32_t* column, Arcs& out) {
  const size_t m = chunk.geometry->m;
  ForRows(chunk, [&](size_t i, const auto& cost) HWY_ATTR {
    const int kind = pass.kind != nullptr ? pass.kind[i] : 0;
    LeastArcs found{key, kept, column, pass.most};
    if (pass.urgent[kind] != nullptr) {
      LeastOfRow(cost, pass.urgent[kind], m, pass.urgentLimit, found);
    }
    if (found.count == 0) {
      const double least = LeastOfRow(cost, pass.g[kind], m, pass.limit[i], found);
      if (pass.rowMin != nullptr) pass.rowMin[i] = least;
    }
    for (size_t k = 0; k < found.count; k++) out.add(static_cast<int32_t>(i), column[k], kept[k]);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport {

EXTREMA_EXPORT(NearestChunk64);
EXTREMA_EXPORT(PriceChunk64);

namespace {

// Chunks have lists of all columns: few are enough.
constexpr uint32_t kListChunks = 8;

class MatrixArcs final : public ArcSource {
 public:
  MatrixArcs(const Problem& problem, unsigned threads, const Monitor& monitor)
      : problem_(problem),
        n_(problem.n),
        m_(problem.m),
        team_(std::min(threads, rowChunks(n_, m_)), monitor),
        geometry_(problem),
        workspace_(geometry_, team_.size()),
        padded_{Aligned<double>(m_), Aligned<double>(m_), Aligned<double>(m_), Aligned<double>(m_)} {}

  void check() override {
    costRange(team_, geometry_, workspace_);
    geometry_.borderCost = 0;
  }
  double count() const override { return static_cast<double>(n_) * static_cast<double>(m_); }

  void columnMinima(const double* f, double* out) override {
    TransformPass pass;
    pass.f = f;
    pass.columnMin = out;
    transformPass(team_, geometry_, workspace_, pass);
  }
  void rowMinima(const double* g, double* out) override {
    TransformPass pass;
    pass.g = g;
    pass.rowMin = out;
    transformPass(team_, geometry_, workspace_, pass);
  }

  void nearest(size_t perRow, size_t perColumn, const double* g, double* f, Arcs& out, bool& all) override {
    const uint32_t chunks = std::min(kListChunks, workspace_.chunks);
    const size_t most = std::min(perRow, m_);
    std::copy_n(g, m_, workspace_.g.data());
    std::vector<double> keys(most * chunks), cost(most * n_);
    std::vector<int32_t> column(most * n_), count(n_);
    std::vector<ColumnLists> lists(chunks);
    all = most == m_;
    for (ColumnLists& list : lists) {
      list.most = all ? 0 : std::min(perColumn, n_);
      if (list.most == 0) continue;
      list.limit = Aligned<double>(m_);
      std::fill(list.limit.begin(), list.limit.end(), std::numeric_limits<double>::infinity());
      list.key.resize(m_ * list.most);
      list.cost.resize(m_ * list.most);
      list.row.resize(m_ * list.most);
      list.count.resize(m_);
    }
    team_.run(chunks, [&](uint32_t c, unsigned worker) {
      EXTREMA_DISPATCH(NearestChunk64)
      (chunkOf(c, chunks, worker), f, most, &keys[c * most], cost.data(), column.data(), count.data(),
       lists[c]);
    });
    if (team_.monitor().cancelled()) return;
    Arcs extra;
    if (lists[0].most > 0) addColumnLists(lists, extra);
    merge(most, column, cost, count, extra, out);
  }

  void price(const PricePass& pass, Arcs& out) override {
    PricePass local = pass;
    for (int kind = 0; kind < 2; kind++) {
      local.urgent[kind] = pad(pass.urgent[kind], padded_[2 * kind]);
      local.g[kind] = pad(pass.g[kind], padded_[2 * kind + 1]);
    }
    const uint32_t chunks = workspace_.chunks;
    const size_t most = pass.most;
    found_.resize(chunks);
    std::vector<double> keys(most * chunks), cost(most * chunks);
    std::vector<int32_t> column(most * chunks);
    std::atomic<bool> memory{false};
    team_.run(chunks, [&](uint32_t c, unsigned worker) {
      Arcs& found = found_[c];
      found.row.clear();
      found.column.clear();
      found.cost.clear();
      try {
        EXTREMA_DISPATCH(PriceChunk64)
        (chunkOf(c, chunks, worker), local, &keys[c * most], &cost[c * most], &column[c * most], found);
      } catch (const std::bad_alloc&) {
        memory.store(true);
      }
    });
    if (memory.load()) throw std::bad_alloc();
    for (const Arcs& found : found_) {
      out.row.insert(out.row.end(), found.row.begin(), found.row.end());
      out.column.insert(out.column.end(), found.column.begin(), found.column.end());
      out.cost.insert(out.cost.end(), found.cost.begin(), found.cost.end());
    }
  }

  double cost(size_t i, size_t j) const override {
    const bool row = i >= problem_.coreN(), column = j >= problem_.coreM();
    if (row || column) return row && column ? std::numeric_limits<double>::infinity() : 0;
    if (problem_.metric == Metric::dense)
      return at(problem_.cost64, problem_.cost32, i * problem_.coreM() + j);
    return distance(i, j);
  }

 private:
  struct Entry {
    int32_t column;
    double cost;
  };

  static double at(const double* p64, const float* p32, size_t k) { return p64 != nullptr ? p64[k] : p32[k]; }

  // From the coordinates as they are given: what the passes compute is checked against it.
  double distance(size_t i, size_t j) const {
    double total = 0, xx = 0, yy = 0;
    for (size_t k = 0; k < problem_.d; k++) {
      const double x = at(problem_.x64, problem_.x32, i * problem_.d + k);
      const double y = at(problem_.y64, problem_.y32, j * problem_.d + k);
      if (problem_.metric == Metric::cosine) {
        total += x * y;
        xx += x * x;
        yy += y * y;
      } else {
        total += problem_.metric == Metric::cityblock ? std::fabs(x - y) : (x - y) * (x - y);
      }
    }
    if (problem_.metric == Metric::euclidean) return std::sqrt(total);
    if (problem_.metric == Metric::cosine) return std::max(0.0, 1 - total / (std::sqrt(xx) * std::sqrt(yy)));
    return total;
  }

  Chunk<double> chunkOf(uint32_t c, uint32_t chunks, unsigned worker) {
    return {&geometry_,
            &team_.monitor(),
            chunkRange(n_, chunks, c),
            &workspace_.workers[worker],
            nullptr,
            workspace_.g.data(),
            nullptr};
  }

  const double* pad(const double* values, Aligned<double>& space) {
    if (values == nullptr) return nullptr;
    std::copy_n(values, m_, space.data());
    return space.data();
  }

  // The least of what the chunks have found for each column, in the order of rows where they are equal.
  static void addColumnLists(const std::vector<ColumnLists>& lists, Arcs& out) {
    const size_t most = lists[0].most, m = lists[0].count.size();
    std::vector<double> key(most), cost(most);
    std::vector<int32_t> row(most);
    for (size_t j = 0; j < m; j++) {
      LeastArcs least{key.data(), cost.data(), row.data(), most};
      double limit = std::numeric_limits<double>::infinity();
      for (const ColumnLists& list : lists) {
        for (size_t k = j * most; k < j * most + list.count[j] && list.key[k] < limit; k++) {
          limit = least.insert(list.key[k], list.cost[k], list.row[k], limit);
        }
      }
      for (size_t k = 0; k < least.count; k++) out.add(row[k], static_cast<int32_t>(j), cost[k]);
    }
  }

  // Both lists, row by row, columns ascending, each arc once.
  void merge(size_t most, const std::vector<int32_t>& column, const std::vector<double>& cost,
             const std::vector<int32_t>& count, const Arcs& extra, Arcs& out) const {
    std::vector<size_t> start(n_ + 1, 0);
    for (size_t i = 0; i < n_; i++) start[i + 1] = count[i];
    for (const int32_t i : extra.row) start[i + 1]++;
    for (size_t i = 0; i < n_; i++) start[i + 1] += start[i];
    std::vector<Entry> entries(start[n_]);
    std::vector<size_t> next(start.begin(), start.end() - 1);
    for (size_t i = 0; i < n_; i++) {
      for (int32_t k = 0; k < count[i]; k++) entries[next[i]++] = {column[i * most + k], cost[i * most + k]};
    }
    for (size_t k = 0; k < extra.size(); k++)
      entries[next[extra.row[k]]++] = {extra.column[k], extra.cost[k]};
    out.row.reserve(entries.size());
    out.column.reserve(entries.size());
    out.cost.reserve(entries.size());
    for (size_t i = 0; i < n_; i++) {
      const auto begin = entries.begin() + static_cast<ptrdiff_t>(start[i]);
      const auto end = entries.begin() + static_cast<ptrdiff_t>(start[i + 1]);
      std::sort(begin, end, [](const Entry& x, const Entry& y) { return x.column < y.column; });
      for (auto entry = begin; entry != end; ++entry) {
        if (entry == begin || entry->column != (entry - 1)->column) {
          out.add(static_cast<int32_t>(i), entry->column, entry->cost);
        }
      }
    }
  }

  Problem problem_;
  size_t n_, m_;
  Team team_;
  Geometry<double> geometry_;
  Workspace<double> workspace_;
  Aligned<double> padded_[4];
  std::vector<Arcs> found_;
};

}  // namespace

std::unique_ptr<ArcSource> matrixArcs(const Problem& problem, unsigned threads, const Monitor& monitor) {
  return std::make_unique<MatrixArcs>(problem, threads, monitor);
}

}  // namespace extrema::transport
#endif
