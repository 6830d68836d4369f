#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/team.h"

namespace extrema::dense {

constexpr size_t kPanel = 64;  // columns factored at once
constexpr size_t kTile = 128;  // columns that one chunk updates
// Columns of a reduction to few diagonals between two updates of the rest: what they have done so far is
// applied to each of them on one thread.
constexpr size_t kReduced = 32;

inline size_t panelCount(size_t columns) { return (columns + kPanel - 1) / kPanel; }
inline size_t panelEnd(size_t panel, size_t columns) { return std::min((panel + 1) * kPanel, columns); }
inline uint32_t chunkCount(size_t size, size_t width) {
  return static_cast<uint32_t>((size + width - 1) / width);
}

// Factors the first `columns` of `total` columns panel by panel from the left: factor(panel), then
// update(panel, from, to, worker) of all columns behind it. The next panel is updated and factored by one
// chunk while others update the rest, so that panels, which are slow, cost little time where there are
// threads. Stops when cancelled.
template <class Factor, class Update>
void forPanels(Team& team, size_t columns, size_t total, Factor factor, Update update,
               size_t width = kPanel) {
  const size_t panels = (columns + width - 1) / width;
  factor(size_t{0}, 0u);
  for (size_t p = 0; p < panels && !team.monitor().cancelled(); p++) {
    const size_t end = std::min((p + 1) * width, columns);
    if (end == total) return;
    const size_t ahead = p + 1 < panels ? std::min((p + 2) * width, columns) : end;
    const uint32_t first = ahead > end ? 1 : 0;
    team.run(first + chunkCount(total - ahead, kTile), [&](uint32_t chunk, unsigned worker) {
      if (chunk < first) {
        update(p, end, ahead, worker);
        factor(p + 1, worker);
        return;
      }
      const size_t from = ahead + (chunk - first) * kTile;
      update(p, from, std::min(from + kTile, total), worker);
    });
  }
}

}  // namespace extrema::dense
