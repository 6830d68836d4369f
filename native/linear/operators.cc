#include <cblas.h>

#include <algorithm>
#include <utility>

#include "linear/matrix.h"
#include "linear/operator.h"
#include "linear/vectors.h"

namespace extrema::linear {

void Operator::applyBlock(const double* x, double* out, size_t count, bool transpose, Team& team) {
  const size_t in = transpose ? rows : columns, height = transpose ? columns : rows;
  if (from_.size() < in) from_ = Aligned<double>(in);
  if (to_.size() < height) to_ = Aligned<double>(height);
  for (size_t j = 0; j < count && !team.monitor().cancelled(); j++) {
    for (size_t i = 0; i < in; i++) from_[i] = x[i * count + j];
    if (transpose) {
      applyTranspose(from_.data(), to_.data(), team);
    } else {
      apply(from_.data(), to_.data(), team);
    }
    for (size_t i = 0; i < height; i++) out[i * count + j] = to_[i];
  }
}

bool Operator::applyFinite(const double* x, double* out, Team& team) {
  if (!isFinite(team, x, columns)) return false;
  apply(x, out, team);
  return true;
}

double Operator::applyDot(const double* x, double* out, Team& team) {
  apply(x, out, team);
  return Vectors(rows, team).dot(x, out);
}

namespace {

// BLAS cuts rows or columns into chunks of about this many entries.
constexpr size_t kEntries = 1 << 16;
uint32_t chunksFor(size_t entries) {
  return static_cast<uint32_t>(std::clamp<size_t>(entries / kEntries, 1, 64));
}

class Transposed final : public Operator {
 public:
  explicit Transposed(std::unique_ptr<Operator> of) : Operator(of->columns, of->rows), of_(std::move(of)) {}
  void apply(const double* x, double* out, Team& team) override { of_->applyTranspose(x, out, team); }
  void applyTranspose(const double* x, double* out, Team& team) override { of_->apply(x, out, team); }
  void applyBlock(const double* x, double* out, size_t count, bool transpose, Team& team) override {
    of_->applyBlock(x, out, count, !transpose, team);
  }
  void prepare(bool transpose) override { of_->prepare(!transpose); }
  void gather() override { of_->gather(); }

 private:
  std::unique_ptr<Operator> of_;
};

class Dense final : public Operator {
 public:
  Dense(size_t rows, size_t columns, const double* data) : Operator(rows, columns), data_(data) {}

  void apply(const double* x, double* out, Team& team) override {
    const uint32_t chunks = std::min<uint32_t>(chunksFor(rows * columns), static_cast<uint32_t>(rows));
    team.run(chunks, [&](uint32_t c, unsigned) {
      const size_t from = rows * c / chunks, to = rows * (c + 1) / chunks;
      multiply(CblasNoTrans, from, to, 0, columns, x, out + from);
    });
  }
  void applyTranspose(const double* x, double* out, Team& team) override {
    const uint32_t chunks = std::min<uint32_t>(chunksFor(rows * columns), static_cast<uint32_t>(columns));
    team.run(chunks, [&](uint32_t c, unsigned) {
      const size_t from = columns * c / chunks, to = columns * (c + 1) / chunks;
      multiply(CblasTrans, 0, rows, from, to, x, out + from);
    });
  }
  void applyBlock(const double* x, double* out, size_t count, bool transpose, Team& team) override {
    dense::Product product;
    product.m = transpose ? columns : rows;
    product.n = product.pitchB = product.pitchC = count;
    product.k = transpose ? rows : columns;
    product.a = data_;
    product.pitchA = columns;
    product.transposeA = transpose;
    product.b = x;
    product.c = out;
    dense::multiply(team, product);
  }
  void gather() override { gatherPages(data_, rows * columns * sizeof(double)); }

 private:
  void multiply(CBLAS_TRANSPOSE transpose, size_t top, size_t bottom, size_t left, size_t right,
                const double* x, double* out) const {
    cblas_dgemv(CblasRowMajor, transpose, static_cast<int>(bottom - top), static_cast<int>(right - left), 1,
                data_ + top * columns + left, static_cast<int>(columns), x, 1, 0, out, 1);
  }
  const double* data_;
};

// Lines of cells along the fastest axis are the unit of work.
class Stencil : public Operator {
 public:
  explicit Stencil(const Grid& grid) : Operator(grid.cells(), grid.cells()), grid_(grid) {
    const size_t last = grid.dimensions - 1;
    width_ = grid.length[last];
    lines_ = rows / std::max<size_t>(1, width_);
    // Strides of the other axes, the nearer first.
    size_t stride = width_;
    for (size_t k = 0; k < last; k++) {
      stride_[k] = stride;
      length_[k] = grid.length[last - 1 - k];
      stride *= length_[k];
    }
  }
  void applyTranspose(const double* x, double* out, Team& team) override { apply(x, out, team); }

 protected:
  // fn(first cell of a line, whether there is a line before and after it along each of the other axes)
  template <class F>
  void forLines(Team& team, F&& fn) {
    const auto chunks =
        static_cast<uint32_t>(std::clamp<size_t>(rows / (1 << 14), 1, std::min<size_t>(128, lines_)));
    team.run(chunks, [&](uint32_t c, unsigned) {
      for (size_t line = lines_ * c / chunks; line < lines_ * (c + 1) / chunks; line++) {
        bool before[2] = {false, false}, after[2] = {false, false};
        size_t rest = line;
        for (size_t k = 0; k + 1 < grid_.dimensions; k++) {
          const size_t at = rest % length_[k];
          rest /= length_[k];
          before[k] = at > 0;
          after[k] = at + 1 < length_[k];
        }
        fn(line * width_, before, after);
      }
    });
  }
  Grid grid_;
  size_t width_ = 0, lines_ = 0, stride_[2] = {0, 0}, length_[2] = {1, 1};
};

class ConstantStencil final : public Stencil {
 public:
  ConstantStencil(const Grid& grid, double center, const double* couplings) : Stencil(grid), center_(center) {
    for (size_t k = 0; k < grid.dimensions; k++) coupling_[k] = couplings[grid.dimensions - 1 - k];
  }
  void apply(const double* x, double* out, Team& team) override {
    forLines(team, [&](size_t first, const bool* before, const bool* after) {
      const double* u = x + first;
      double* v = out + first;
      const double c = center_, a = coupling_[0];
      if (width_ == 1) {
        v[0] = c * u[0];
      } else {
        v[0] = c * u[0] - a * u[1];
        for (size_t i = 1; i + 1 < width_; i++) v[i] = c * u[i] - a * (u[i - 1] + u[i + 1]);
        v[width_ - 1] = c * u[width_ - 1] - a * u[width_ - 2];
      }
      for (size_t k = 0; k + 1 < grid_.dimensions; k++) {
        const double b = coupling_[k + 1];
        const size_t s = stride_[k];
        if (before[k] && after[k]) {
          for (size_t i = 0; i < width_; i++) v[i] -= b * ((u - s)[i] + (u + s)[i]);
        } else if (before[k]) {
          for (size_t i = 0; i < width_; i++) v[i] -= b * (u - s)[i];
        } else if (after[k]) {
          for (size_t i = 0; i < width_; i++) v[i] -= b * (u + s)[i];
        }
      }
    });
  }

 private:
  double center_, coupling_[3];
};

class VariableStencil final : public Stencil {
 public:
  VariableStencil(const Grid& grid, const double* center, const double* const* couplings)
      : Stencil(grid), center_(center) {
    for (size_t k = 0; k < grid.dimensions; k++) coupling_[k] = couplings[grid.dimensions - 1 - k];
  }
  void apply(const double* x, double* out, Team& team) override {
    forLines(team, [&](size_t first, const bool* before, const bool* after) {
      const double* u = x + first;
      const double* a = coupling_[0] + first;
      double* v = out + first;
      for (size_t i = 0; i < width_; i++) v[i] = center_[first + i] * u[i];
      for (size_t i = 0; i + 1 < width_; i++) {
        v[i] -= a[i] * u[i + 1];
        v[i + 1] -= a[i] * u[i];
      }
      for (size_t k = 0; k + 1 < grid_.dimensions; k++) {
        const double* b = coupling_[k + 1] + first;
        const size_t s = stride_[k];
        if (before[k]) {
          for (size_t i = 0; i < width_; i++) v[i] -= (b - s)[i] * (u - s)[i];
        }
        if (after[k]) {
          for (size_t i = 0; i < width_; i++) v[i] -= b[i] * (u + s)[i];
        }
      }
    });
  }

 private:
  const double *center_, *coupling_[3];
};

class LowRank final : public Operator {
 public:
  LowRank(size_t n, size_t m, double scale, const double* diagonal, const double* factor)
      : Operator(n, n), m_(m), scale_(scale), diagonal_(diagonal), factor_(m, n, factor), inner_(m) {}
  void apply(const double* x, double* out, Team& team) override {
    factor_.apply(x, inner_.data(), team);
    factor_.applyTranspose(inner_.data(), out, team);
    Vectors(rows, team).forEach([&](size_t from, size_t to) {
      for (size_t i = from; i < to; i++) out[i] = diagonal_[i] * x[i] + scale_ * out[i];
    });
  }
  void applyTranspose(const double* x, double* out, Team& team) override { apply(x, out, team); }

 private:
  size_t m_;
  double scale_;
  const double* diagonal_;
  Dense factor_;
  Aligned<double> inner_;
};

// (L ⊗ R) x is L X Rᵀ of x as a row-major matrix X. Rᵀ comes first for all rows of X, then L for all columns.
class Kronecker final : public Operator {
 public:
  Kronecker(std::unique_ptr<Operator> left, std::unique_ptr<Operator> right)
      : Operator(left->rows * right->rows, left->columns * right->columns),
        left_(std::move(left)),
        right_(std::move(right)) {
    inner_ = Aligned<double>(std::max(left_->columns * right_->rows, left_->rows * right_->columns));
  }
  void apply(const double* x, double* out, Team& team) override { both(x, out, false, team); }
  void applyTranspose(const double* x, double* out, Team& team) override { both(x, out, true, team); }
  void prepare(bool transpose) override { right_->prepare(transpose); }
  void gather() override {
    left_->gather();
    right_->gather();
  }

 private:
  void both(const double* x, double* out, bool transpose, Team& team) {
    const size_t lines = transpose ? left_->rows : left_->columns;
    const size_t in = transpose ? right_->rows : right_->columns;
    const size_t width = transpose ? right_->columns : right_->rows;
    for (size_t i = 0; i < lines && !team.monitor().cancelled(); i++) {
      if (transpose) {
        right_->applyTranspose(x + i * in, inner_.data() + i * width, team);
      } else {
        right_->apply(x + i * in, inner_.data() + i * width, team);
      }
    }
    left_->applyBlock(inner_.data(), out, width, transpose, team);
  }
  std::unique_ptr<Operator> left_, right_;
  Aligned<double> inner_;
};

class Block final : public Operator {
 public:
  Block(const size_t rows[2], const size_t columns[2], std::unique_ptr<Operator> blocks[4])
      : Operator(rows[0] + rows[1], columns[0] + columns[1]),
        height_{rows[0], rows[1]},
        width_{columns[0], columns[1]},
        part_(std::max(std::max(rows[0], rows[1]), std::max(columns[0], columns[1]))) {
    for (int k = 0; k < 4; k++) blocks_[k] = std::move(blocks[k]);
  }
  void apply(const double* x, double* out, Team& team) override { all(x, out, false, team); }
  void applyTranspose(const double* x, double* out, Team& team) override { all(x, out, true, team); }
  void prepare(bool transpose) override {
    for (auto& block : blocks_) {
      if (block) block->prepare(transpose);
    }
  }
  void gather() override {
    for (auto& block : blocks_) {
      if (block) block->gather();
    }
  }

 private:
  void all(const double* x, double* out, bool transpose, Team& team) {
    const size_t* to = transpose ? width_ : height_;
    const size_t* from = transpose ? height_ : width_;
    for (size_t p = 0; p < 2; p++) {
      double* target = out + (p == 0 ? 0 : to[0]);
      bool filled = false;
      for (size_t q = 0; q < 2; q++) {
        Operator* block = blocks_[transpose ? 2 * q + p : 2 * p + q].get();
        if (block == nullptr) continue;
        const double* source = x + (q == 0 ? 0 : from[0]);
        double* result = filled ? part_.data() : target;
        if (transpose) {
          block->applyTranspose(source, result, team);
        } else {
          block->apply(source, result, team);
        }
        if (filled) Vectors(to[p], team).axpy(1, part_.data(), target);
        filled = true;
      }
      if (!filled) std::fill_n(target, to[p], 0.0);
    }
  }
  size_t height_[2], width_[2];
  std::unique_ptr<Operator> blocks_[4];
  Aligned<double> part_;
};

}  // namespace

std::unique_ptr<Operator> transposedOperator(std::unique_ptr<Operator> of) {
  return std::make_unique<Transposed>(std::move(of));
}
std::unique_ptr<Operator> denseOperator(size_t rows, size_t columns, const double* data) {
  return std::make_unique<Dense>(rows, columns, data);
}
std::unique_ptr<Operator> constantStencil(const Grid& grid, double center, const double* couplings) {
  return std::make_unique<ConstantStencil>(grid, center, couplings);
}
std::unique_ptr<Operator> stencilOperator(const Grid& grid, const double* center,
                                          const double* const* couplings) {
  return std::make_unique<VariableStencil>(grid, center, couplings);
}
std::unique_ptr<Operator> lowRankOperator(size_t n, size_t m, double scale, const double* diagonal,
                                          const double* factor) {
  return std::make_unique<LowRank>(n, m, scale, diagonal, factor);
}
std::unique_ptr<Operator> kroneckerOperator(std::unique_ptr<Operator> left, std::unique_ptr<Operator> right) {
  return std::make_unique<Kronecker>(std::move(left), std::move(right));
}
std::unique_ptr<Operator> blockOperator(const size_t rows[2], const size_t columns[2],
                                        std::unique_ptr<Operator> blocks[4]) {
  return std::make_unique<Block>(rows, columns, blocks);
}

}  // namespace extrema::linear
