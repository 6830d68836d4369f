#include "descent/partition.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "descent/forest.h"

namespace extrema::descent {

namespace {

using Indices = std::vector<int32_t>;

Blocks withoutEmpty(Blocks blocks) {
  blocks.start.erase(std::unique(blocks.start.begin(), blocks.start.end()), blocks.start.end());
  return blocks;
}

Indices byDecreasing(Indices order, const std::vector<double>& weights) {
  std::sort(order.begin(), order.end(), [&](int32_t i, int32_t j) {
    return weights[i] > weights[j] || (weights[i] == weights[j] && i < j);
  });
  return order;
}

// Largest, smallest, second largest, second smallest, …
Indices paired(const Indices& sorted) {
  Indices out(sorted.size());
  for (size_t k = 0; k < out.size(); k++) out[k] = sorted[k % 2 == 0 ? k / 2 : sorted.size() - (k + 1) / 2];
  return out;
}

// Consecutive pieces; the last may be shorter.
Blocks cut(Indices order, size_t size) {
  Blocks blocks;
  const size_t count = (order.size() + size - 1) / size;
  for (size_t b = 0; b <= count; b++)
    blocks.start.push_back(static_cast<int32_t>(std::min(order.size(), b * size)));
  blocks.indices = std::move(order);
  return blocks;
}

// The blocks of coordinates with the same number, in ascending order within.
Blocks gather(const Indices& numbers, const Indices& live) {
  int32_t count = 0;
  for (const int32_t i : live) count = std::max(count, numbers[i] + 1);
  Blocks blocks;
  blocks.start.resize(static_cast<size_t>(count) + 1);
  for (const int32_t i : live) blocks.start[numbers[i] + 1]++;
  for (int32_t b = 0; b < count; b++) blocks.start[b + 1] += blocks.start[b];
  Indices at(blocks.start.begin(), blocks.start.end() - 1);
  blocks.indices.resize(live.size());
  for (const int32_t i : live) blocks.indices[at[numbers[i]]++] = i;
  return withoutEmpty(std::move(blocks));
}

// The two sides of a bipartite graph.
Indices redBlack(const Graph& graph, const Indices& live, size_t n) {
  Indices colour(n, -1), queue;
  queue.reserve(n);
  for (const int32_t root : live) {
    if (colour[root] >= 0) continue;
    colour[root] = 0;
    queue.assign(1, root);
    for (size_t at = 0; at < queue.size(); at++) {
      const int32_t i = queue[at];
      for (int32_t k = graph.indptr[i]; k < graph.indptr[i + 1]; k++) {
        const int32_t j = graph.indices[k];
        if (colour[j] < 0) {
          colour[j] = 1 - colour[i];
          queue.push_back(j);
        } else if (colour[j] == colour[i]) {
          throw Error("ERR_OPTION",
                      "partition: expected a graph without odd cycles for 'red-black', got one through " +
                          std::to_string(i) + " and " + std::to_string(j) + "; use 'colouring'");
        }
      }
    }
  }
  return colour;
}

// Greedy: each node takes the first colour that no neighbour has.
Indices colouring(const Graph& graph, const Indices& order, size_t n) {
  Indices colour(n, -1), takenBy(n + 1, -1);
  for (const int32_t i : order) {
    for (int32_t k = graph.indptr[i]; k < graph.indptr[i + 1]; k++) {
      if (colour[graph.indices[k]] >= 0) takenBy[colour[graph.indices[k]]] = i;
    }
    int32_t first = 0;
    while (takenBy[first] == i) first++;
    colour[i] = first;
  }
  return colour;
}

// Greedy: each node joins the first forest in which it closes no cycle.
Indices forests(const Graph& graph, const Indices& order, size_t n) {
  Indices forest(n, -1), roots(n, 0), found(n);
  UnionFind sets(n);
  for (const int32_t i : order) {
    for (int32_t t = 0;; t++) {
      // Neighbours in forest t: their trees must differ.
      size_t count = 0;
      bool closes = false;
      for (int32_t k = graph.indptr[i]; k < graph.indptr[i + 1] && !closes; k++) {
        if (forest[graph.indices[k]] != t) continue;
        const int32_t root = sets.find(graph.indices[k]);
        closes = roots[root] != 0;
        if (!closes) found[count++] = root;
        roots[root] = 1;
      }
      for (size_t c = 0; c < count; c++) roots[found[c]] = 0;
      if (closes) continue;
      forest[i] = t;
      for (size_t c = 0; c < count; c++) sets.unite(i, found[c]);
      break;
    }
  }
  return forest;
}

// Two interlocking combs on a lattice: the spine of one is the first column and its teeth are the even rows,
// that of the other the last column with the odd rows.
Indices combs(size_t rows, size_t columns) {
  Indices comb(rows * columns);
  for (size_t r = 0; r < rows; r++) {
    for (size_t c = 0; c < columns; c++)
      comb[r * columns + c] = c == 0 ? 0 : c == columns - 1 ? 1 : static_cast<int32_t>(r % 2);
  }
  return comb;
}

Blocks given(const Rules& rules, const Indices& live, size_t n) {
  std::vector<char> isLive(n);
  for (const int32_t i : live) isLive[i] = 1;
  Blocks blocks;
  blocks.start.push_back(0);
  for (size_t b = 0; b < rules.givenBlocks; b++) {
    for (int32_t k = rules.givenStart[b]; k < rules.givenStart[b + 1]; k++) {
      if (isLive[rules.givenIndices[k]]) blocks.indices.push_back(rules.givenIndices[k]);
    }
    blocks.start.push_back(static_cast<int32_t>(blocks.indices.size()));
  }
  return withoutEmpty(std::move(blocks));
}

std::vector<double> rowSums(Model& model) {
  std::vector<double> sums(model.n);
  model.rowSums(sums.data());
  return sums;
}

}  // namespace

Blocks partition(const Rules& rules, Model& model, const Indices& live) {
  const size_t size = rules.blockSize, n = model.n;
  switch (rules.partition) {
    case Partition::variable:
      return {};
    case Partition::order:
      return cut(live, size);
    case Partition::sort:
      return cut(byDecreasing(live, model.lipschitz), size);
    case Partition::average:
      return cut(paired(byDecreasing(live, model.lipschitz)), size);
    case Partition::sortRowSums:
      return cut(byDecreasing(live, rowSums(model)), size);
    case Partition::averageRowSums:
      return cut(paired(byDecreasing(live, rowSums(model))), size);
    case Partition::redBlack:
      return gather(redBlack(model.graph(), live, n), live);
    case Partition::colouring:
      return gather(colouring(model.graph(), byDecreasing(live, model.lipschitz), n), live);
    case Partition::combs:
      return gather(combs(rules.latticeRows, rules.latticeColumns), live);
    case Partition::forests:
      return gather(forests(model.graph(), byDecreasing(live, model.lipschitz), n), live);
    case Partition::given:
      return given(rules, live, n);
  }
  return {};
}

}  // namespace extrema::descent
