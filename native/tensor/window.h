#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace extrema {
namespace tensor {

// A window that moves over three axes, as lib/tensor/window.ts writes it: output place o sees with tap k the
// input place o stride - padding + k dilation. Channels and filters are those of one group.
struct Window {
  explicit Window(const int32_t* g)
      : batch(static_cast<size_t>(g[0])),
        groups(static_cast<size_t>(g[1])),
        channels(static_cast<size_t>(g[2])),
        filters(static_cast<size_t>(g[3])),
        input(g + 4),
        output(g + 7),
        kernel(g + 10),
        stride(g + 13),
        padding(g + 16),
        dilation(g + 19) {}

  static size_t volume(const int32_t* lengths) {
    return static_cast<size_t>(lengths[0]) * static_cast<size_t>(lengths[1]) *
           static_cast<size_t>(lengths[2]);
  }
  size_t inputs() const { return volume(input); }
  size_t outputs() const { return volume(output); }
  size_t taps() const { return volume(kernel); }

  // The input place that output 0 of an axis sees with tap k.
  ptrdiff_t shift(int axis, ptrdiff_t k) const {
    return k * dilation[axis] - static_cast<ptrdiff_t>(padding[axis]);
  }
  // The outputs from `first` to below `last` see the input.
  ptrdiff_t first(int axis, ptrdiff_t k) const {
    const ptrdiff_t before = -shift(axis, k);
    return before <= 0 ? 0 : (before + stride[axis] - 1) / stride[axis];
  }
  ptrdiff_t last(int axis, ptrdiff_t k) const {
    const ptrdiff_t room = input[axis] - shift(axis, k);
    const ptrdiff_t most = output[axis];
    return room <= 0 ? 0 : std::min(most, (room + stride[axis] - 1) / stride[axis]);
  }
  // Every output sees the input place of its own number, and nothing else.
  bool identity() const {
    for (int axis = 0; axis < 3; axis++) {
      if (kernel[axis] != 1 || stride[axis] != 1 || padding[axis] != 0 || input[axis] != output[axis]) {
        return false;
      }
    }
    return true;
  }

  size_t batch, groups, channels, filters;
  const int32_t *input, *output, *kernel, *stride, *padding, *dilation;
};

// What one row of output places sees with one tap: of `length` places from `at` on, the first `lead` lie
// outside of the input, the next `seen` see it from `input` on, the others lie outside again.
struct SeenRow {
  size_t at, length, lead, seen;
  ptrdiff_t input;
};

}  // namespace tensor
}  // namespace extrema
