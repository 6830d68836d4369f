#pragma once

#include <algorithm>
#include <vector>

#include "descent/model.h"
#include "descent/partition.h"
#include "descent/stream.h"
#include "descent/terms.h"

namespace extrema::descent {

// What the rules of a descent share: the problem, the point, and the block at hand.
struct State {
  State(Model& m, const Terms& t, const Rules& r, const Outputs& o, Monitor& w, Team& helpers)
      : model(m),
        terms(t),
        rules(r),
        out(o),
        monitor(w),
        team(helpers),
        n(m.n),
        x(o.x),
        place(m.n, -1),
        stream(r.seed) {}

  Model& model;
  const Terms& terms;
  const Rules& rules;
  const Outputs& out;
  Monitor& monitor;
  Team& team;
  size_t n;
  double* x;
  // The coordinates that f depends on, and those that blocks are drawn from: all of them, or a working set.
  std::vector<int32_t> live, pool;
  Blocks blocks;
  bool fixed = false;
  size_t capacity = 0;
  // The block, its number if it is a fixed one, its gradient and its step.
  std::vector<int32_t> block;
  size_t size = 0;
  int32_t number = -1;
  std::vector<double> g, d;
  // ‖H_b‖ of fixed blocks, where a rule asks for it.
  std::vector<double> norms;
  // -1 but for short whiles, when it holds the places of coordinates within the block.
  std::vector<int32_t> place;
  double value = 0, scale = 1;
  Stream stream;

  // Takes fixed block b.
  void take(size_t b) {
    number = static_cast<int32_t>(b);
    size = static_cast<size_t>(blocks.start[b + 1] - blocks.start[b]);
    std::copy_n(blocks.indices.begin() + blocks.start[b], size, block.begin());
  }

  void sortBlock() { std::sort(block.begin(), block.begin() + static_cast<ptrdiff_t>(size)); }

  void enter() {
    for (size_t a = 0; a < size; a++) place[block[a]] = static_cast<int32_t>(a);
  }
  void leave() {
    for (size_t a = 0; a < size; a++) place[block[a]] = -1;
  }
};

}  // namespace extrema::descent
