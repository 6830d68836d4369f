// Forward and backward substitution on a grid: rows never leave the form of a stencil.

#include <algorithm>
#include <array>
#include <memory>

#include "linear/preconditioner.h"
#include "linear/wavefront.h"

namespace extrema::linear {

namespace {

struct Constant {
  double value = 0;
  double operator()(size_t) const { return value; }
};
struct Variable {
  const double* values = nullptr;
  double operator()(size_t i) const { return values[i]; }
};

// z = (D + omega L^T)^-1 D (D + omega L)^-1 scale r, D being 1 / inverse and L the couplings with their sign.
template <class Coupling>
class StencilSweeps final : public Preconditioner {
 public:
  // Couplings from the slowest axis to the fastest.
  StencilSweeps(const Grid& grid, const Coupling* couplings, double omega, double scale,
                const double* inverse)
      : omega_(omega), scale_(scale), inverse_(inverse) {
    isSpace_ = grid.dimensions == 3;
    depth_ = grid.length[0];
    height_ = isSpace_ ? grid.length[1] : 1;
    width_ = grid.length[grid.dimensions - 1];
    across_ = couplings[0];
    if (isSpace_) up_ = couplings[1];
    along_ = couplings[grid.dimensions - 1];
    // Tiles along the slowest axis and the next.
    const size_t side = Wavefront::side(grid.cells());
    strips_ = std::min(side, depth_);
    waves_ = std::min(side, isSpace_ ? height_ : width_);
    front_ = std::make_unique<Wavefront>(strips_, waves_);
  }

  void apply(const double* r, double* z, Team& team) override {
    front_->run(team, [&](size_t s, size_t w) { forward(tile(s, w), r, z); });
    if (team.monitor().cancelled()) return;
    front_->run(team, [&](size_t s, size_t w) { backward(tile(strips_ - 1 - s, waves_ - 1 - w), z); });
  }

 private:
  struct Tile {
    size_t planes[2], lines[2], cells[2];
  };
  Tile tile(size_t s, size_t w) const {
    Tile t{{depth_ * s / strips_, depth_ * (s + 1) / strips_}, {0, height_}, {0, width_}};
    size_t* cut = isSpace_ ? t.lines : t.cells;
    const size_t length = isSpace_ ? height_ : width_;
    cut[0] = length * w / waves_;
    cut[1] = length * (w + 1) / waves_;
    return t;
  }

  // z_i = (scale r_i - omega sum_{j<i} a_ij z_j) inverse_i
  void forward(const Tile& t, const double* r, double* z) const {
    const size_t plane = height_ * width_;
    for (size_t k = t.planes[0]; k < t.planes[1]; k++) {
      for (size_t l = t.lines[0]; l < t.lines[1]; l++) {
        const size_t line = k * plane + l * width_, from = line + t.cells[0], to = line + t.cells[1];
        for (size_t i = from; i < to; i++) z[i] = scale_ * r[i];
        if (k > 0) {
          for (size_t i = from; i < to; i++) z[i] += omega_ * across_(i - plane) * z[i - plane];
        }
        if (l > 0) {
          for (size_t i = from; i < to; i++) z[i] += omega_ * up_(i - width_) * z[i - width_];
        }
        // One multiplication and addition wait for the neighbour.
        double last = from > line ? z[from - 1] : 0;
        for (size_t i = from; i < to; i++) {
          const double factor = i > line ? omega_ * inverse_[i] * along_(i - 1) : 0;
          last = z[i] * inverse_[i] + factor * last;
          z[i] = last;
        }
      }
    }
  }

  // z_i = z_i - omega inverse_i sum_{j>i} a_ij z_j
  void backward(const Tile& t, double* z) const {
    const size_t plane = height_ * width_;
    for (size_t k = t.planes[1]; k-- > t.planes[0];) {
      for (size_t l = t.lines[1]; l-- > t.lines[0];) {
        const size_t line = k * plane + l * width_, from = line + t.cells[0], to = line + t.cells[1];
        if (k + 1 < depth_) {
          for (size_t i = from; i < to; i++) z[i] += omega_ * inverse_[i] * across_(i) * z[i + plane];
        }
        if (l + 1 < height_) {
          for (size_t i = from; i < to; i++) z[i] += omega_ * inverse_[i] * up_(i) * z[i + width_];
        }
        double last = t.cells[1] < width_ ? z[to] : 0;
        for (size_t i = to; i-- > from;) {
          const double factor = i + 1 < line + width_ ? omega_ * inverse_[i] * along_(i) : 0;
          last = z[i] + factor * last;
          z[i] = last;
        }
      }
    }
  }

  bool isSpace_ = false;
  double omega_, scale_;
  const double* inverse_;
  size_t depth_ = 1, height_ = 1, width_ = 1, strips_ = 1, waves_ = 1;
  Coupling across_, up_, along_;
  std::unique_ptr<Wavefront> front_;
};

template <class Coupling>
std::unique_ptr<Preconditioner> make(const Grid& grid, const Coupling* couplings, double omega, double scale,
                                     const double* inverse) {
  return std::make_unique<StencilSweeps<Coupling>>(grid, couplings, omega, scale, inverse);
}

}  // namespace

std::unique_ptr<Preconditioner> constantStencilSweeps(const Grid& grid, const double* couplings, double omega,
                                                      double scale, const double* inverse) {
  std::array<Constant, 3> each;
  for (size_t k = 0; k < grid.dimensions; k++) each[k].value = couplings[k];
  return make(grid, each.data(), omega, scale, inverse);
}

std::unique_ptr<Preconditioner> stencilSweeps(const Grid& grid, const double* const* couplings, double omega,
                                              double scale, const double* inverse) {
  std::array<Variable, 3> each;
  for (size_t k = 0; k < grid.dimensions; k++) each[k].values = couplings[k];
  return make(grid, each.data(), omega, scale, inverse);
}

}  // namespace extrema::linear
