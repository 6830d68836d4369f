#pragma once

#include <algorithm>
#include <vector>

#include "transport/passes.h"

namespace extrema::transport {

// What one chunk of rows of a pass works with.
template <class T>
struct Chunk {
  const Geometry<T>* geometry;
  const Monitor* monitor;
  Range rows;
  typename Workspace<T>::Worker* worker;
  T* columns;       // accumulator of this chunk, may be null
  const T* g;       // padded
  const T* weight;  // padded, may be null
};

template <class T>
inline Chunk<T> makeChunk(Team& team, const Geometry<T>& geometry, Workspace<T>& ws, uint32_t chunk,
                          unsigned worker) {
  return {
      &geometry,   &team.monitor(), chunkRange(geometry.n, ws.chunks, chunk), &ws.workers[worker], nullptr,
      ws.g.data(), nullptr};
}

// out_j = the sum over chunks, in their order.
template <class T>
inline void addColumns(const std::vector<Aligned<T>>& columns, size_t m, double* out) {
  std::copy_n(columns[0].data(), m, out);
  for (size_t c = 1; c < columns.size(); c++) {
    const T* part = columns[c].data();
    for (size_t j = 0; j < m; j++) out[j] += part[j];
  }
}

}  // namespace extrema::transport
