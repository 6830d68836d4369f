#include "linear/reflectors.h"

#include <algorithm>

#include "linear/lapack.h"
#include "linear/panels.h"

namespace extrema::dense {

BlockReflectors::BlockReflectors(const double* v, size_t pitch, size_t m, size_t k, size_t below)
    : v_(v),
      pitch_(pitch),
      m_(m),
      k_(k),
      below_(below),
      size_(kPanel * kPanel),
      triangles_(panelCount(k) * size_) {}

void BlockReflectors::build(Team& team, const double* tau) {
  team.run(static_cast<uint32_t>(panelCount(k_)), [&](uint32_t p, unsigned) {
    const size_t k0 = p * kPanel;
    const int rows = static_cast<int>(m_ - k0 - below_), width = static_cast<int>(panelEnd(p, k_) - k0),
              pitch = static_cast<int>(pitch_), panel = static_cast<int>(kPanel);
    dlarft_("F", "C", &rows, &width, v_ + k0 * pitch_ + k0 + below_, &pitch, tau + k0, triangle(p), &panel, 1,
            1);
  });
}

size_t BlockReflectors::workSize(size_t columns) { return columns * kPanel; }

void BlockReflectors::applyPanel(size_t p, bool transpose, double* c, size_t columns, size_t pitch,
                                 double* work) const {
  const size_t k0 = p * kPanel;
  const int rows = static_cast<int>(m_ - k0 - below_), width = static_cast<int>(panelEnd(p, k_) - k0),
            count = static_cast<int>(columns), pitchV = static_cast<int>(pitch_),
            pitchC = static_cast<int>(pitch), panel = static_cast<int>(kPanel);
  dlarfb_("L", transpose ? "T" : "N", "F", "C", &rows, &count, &width, v_ + k0 * pitch_ + k0 + below_,
          &pitchV, triangles_.data() + p * size_, &panel, c + k0 + below_, &pitchC, work, &count, 1, 1, 1, 1);
}

void BlockReflectors::apply(bool transpose, double* c, size_t columns, size_t pitch, double* work) const {
  const size_t panels = panelCount(k_);
  if (!transpose) {
    applyFrom(panels, c, columns, pitch, work);
  } else {
    for (size_t p = 0; p < panels; p++) applyPanel(p, true, c, columns, pitch, work);
  }
}

void BlockReflectors::applyFrom(size_t panels, double* c, size_t columns, size_t pitch, double* work) const {
  for (size_t p = panels; p-- > 0;) applyPanel(p, false, c, columns, pitch, work);
}

void BlockReflectors::apply(Team& team, bool transpose, double* c, size_t columns, size_t pitch) const {
  const size_t width = std::clamp((columns + 7) / 8, size_t{16}, kTile);
  Aligned<double> work(team.size() * workSize(width));
  team.run(chunkCount(columns, width), [&](uint32_t chunk, unsigned worker) {
    const size_t from = chunk * width;
    apply(transpose, c + from * pitch, std::min(width, columns - from), pitch,
          work.data() + worker * workSize(width));
  });
}

void BlockReflectors::form(Team& team, size_t columns, double* q) const {
  constexpr size_t width = kPanel;
  const size_t room = width * m_ + workSize(width);
  Aligned<double> scratch(team.size() * room);
  team.run(chunkCount(columns, width), [&](uint32_t chunk, unsigned worker) {
    const size_t from = chunk * width, count = std::min(width, columns - from);
    double* c = scratch.data() + worker * room;
    std::fill_n(c, count * m_, 0.0);
    for (size_t j = 0; j < count; j++) c[j * m_ + from + j] = 1;
    // Later panels leave these unit vectors as they are.
    const size_t panels = std::min(panelCount(k_), (from + count + kPanel - 1) / kPanel);
    applyFrom(panels, c, count, m_, c + width * m_);
    for (size_t i = 0; i < m_; i++) {
      for (size_t j = 0; j < count; j++) q[i * columns + from + j] = c[j * m_ + i];
    }
  });
}

}  // namespace extrema::dense
