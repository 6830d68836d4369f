#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "core/pause.h"
#include "core/team.h"

namespace extrema::linear {

// Tiles (s, w) of which each needs those at (s - 1, w) and (s, w - 1), and with them all before it. A team
// takes them by diagonals; a tile waits for its two. Tiles are claimed in that order, so the first unfinished
// one never waits, however few threads come.
class Wavefront {
 public:
  Wavefront(size_t strips, size_t waves)
      : strips_(strips), waves_(waves), done_(new std::atomic<uint32_t>[strips * waves]) {
    for (size_t k = 0; k < strips * waves; k++) done_[k].store(0, std::memory_order_relaxed);
    order_.reserve(strips * waves);
    for (size_t d = 0; d + 1 < strips + waves; d++) {
      for (size_t s = d < waves ? 0 : d - waves + 1; s <= d && s < strips; s++)
        order_.push_back(s * waves + d - s);
    }
  }

  // Strips, and waves, for so many rows: some work in a tile, but enough tiles for a team.
  static size_t side(size_t rows) {
    const size_t perTile = std::clamp<size_t>(rows / 64, size_t{1} << 10, size_t{1} << 13);
    return std::max<size_t>(1, static_cast<size_t>(std::sqrt(static_cast<double>(rows / perTile))));
  }

  // fn(s, w) for every tile. One call at a time.
  template <class F>
  void run(Team& team, F&& fn) {
    const uint32_t turn = ++turn_;
    team.run(static_cast<uint32_t>(order_.size()), [&](uint32_t k, unsigned) {
      const size_t tile = order_[k], s = tile / waves_, w = tile % waves_;
      if (s > 0 && !await(tile - waves_, turn, team.monitor())) return;
      if (w > 0 && !await(tile - 1, turn, team.monitor())) return;
      fn(s, w);
      done_[tile].store(turn, std::memory_order_release);
    });
  }

 private:
  // False if the call was cancelled: then tiles are left out.
  bool await(size_t tile, uint32_t turn, const Monitor& monitor) const noexcept {
    for (unsigned spins = 0; done_[tile].load(std::memory_order_acquire) != turn; spins++) {
      if (monitor.cancelled()) return false;
      if (spins < 4096) {
        pause();
      } else {
        std::this_thread::yield();
      }
    }
    return true;
  }

  size_t strips_, waves_;
  std::unique_ptr<std::atomic<uint32_t>[]> done_;
  std::vector<size_t> order_;
  uint32_t turn_ = 0;
};

}  // namespace extrema::linear
