#include "lowrank/completion/regression.h"

#include <algorithm>
#include <cmath>

#include "lowrank/completion/dense.h"
#include "lowrank/completion/rows.h"

namespace extrema::lowrank {

namespace {

// Below this pivot the normal equations have lost too many digits.
constexpr double kLeastPivot = 1e-9, kLeastPivot32 = 1e-4;
constexpr double kDeficient = 1e-12;
constexpr double kLeastRest = 1e-3;  // of the squares of the targets: below, a rest by subtraction is inexact
constexpr size_t kSlice = size_t{1} << 16;  // rows between two looks at the monitor
constexpr int kNumberBits = 20;             // of the half step's number in a sketch's; the repeat is above
constexpr double kGrowth = 10;              // of the gradient's norm: diverged
constexpr double kRefined = 1e-8;           // below this tolerance the gradient is computed afresh at the end

double dot(const double* x, const double* y, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += x[i] * y[i];
  return sum;
}

// x <- R^-1 x, R upper in rows of `pitch`.
void solveUpper(const double* r, size_t pitch, size_t n, double* x) {
  for (size_t j = n; j-- > 0;) {
    double sum = x[j];
    for (size_t c = j + 1; c < n; c++) sum -= r[j * pitch + c] * x[c];
    x[j] = sum / r[j * pitch + j];
  }
}
// x <- R^-T x
void solveUpperTransposed(const double* r, size_t pitch, size_t n, double* x) {
  for (size_t j = 0; j < n; j++) {
    x[j] /= r[j * pitch + j];
    for (size_t c = j + 1; c < n; c++) x[c] -= r[j * pitch + c] * x[j];
  }
}

}  // namespace

Regression::Regression(const HalfStep& step, size_t longest, const Monitor& monitor)
    : monitor_(monitor),
      pitch_(pitchOf(step.rank)),
      rank_(step.rank),
      block32_(step.features32 == nullptr ? 0 : gramScratch(step.rank)),
      x32_(step.features32 == nullptr ? 0 : pitchOf(step.rank)),
      target_(longest),
      weights_(longest),
      gram_(gramRows(step.rank) * pitchOf(step.rank)),
      block_(std::max(gatheredRows(step.rank), std::max(kBlock, step.rank) + step.rank) * pitchOf(step.rank)),
      s_(pitch_),
      z_(pitch_),
      p_(pitch_),
      y_(pitch_),
      last_(pitch_),
      diagonal_(pitch_),
      work_(std::max(2 * step.rank * step.rank + 5 * step.rank, step.repeats)),
      sketch_((step.sketchRows + step.rank) * pitch_),
      solutions_(step.repeats * pitch_),
      row_(pitch_),
      random_(step.sketch, step.sketchRows, longest, monitor) {}

// Targets and weights of a line; returns its number of entries.
size_t Regression::load(size_t line) {
  const HalfStep& step = *step_;
  const Lines& lines = *step.lines;
  const size_t from = lines.start[line];
  count_ = lines.start[line + 1] - from;
  index_ = lines.index.data() + from;
  weighted_ = step.confidence > 0 || !lines.weights.empty();
  double squares = 0;
  weight_ = 0;
  for (size_t e = 0; e < count_; e++) {
    double target, weight = 1;
    if (step.confidence > 0) {
      // c (1 - x)² and 1 x² of the base make (c - 1)(c / (c - 1) - x)² + x² and a constant.
      weight = step.confidence * lines.value(from + e);
      target = (1 + weight) / weight;
    } else {
      target = lines.value(from + e) - step.mean;
      if (step.offset != nullptr) target -= step.offset[index_[e]];
      weight = lines.weight(from + e);
    }
    target_[e] = target;
    if (weighted_) weights_[e] = weight;
    weight_ += weight;
    squares += weight * target * target;
  }
  targetNorm_ = std::sqrt(squares);
  return count_;
}

double Regression::pass(const double* x, bool targets, double* out) {
  const bool single = step_->features32 != nullptr;
  for (size_t c = 0; single && c < rank_; c++) x32_[c] = static_cast<float>(x[c]);
  double sum = 0;
  for (size_t from = 0; from < count_ && !monitor_.cancelled(); from += kSlice) {
    const int32_t* index = index_ + from;
    const size_t count = std::min(kSlice, count_ - from);
    const double* b = targets ? target_.data() + from : nullptr;
    const double* w = weighted_ ? weights_.data() + from : nullptr;
    sum += single ? passRows(step_->features32, pitch_, index, count, b, w, x32_.data(), out)
                  : passRows(step_->features, pitch_, index, count, b, w, x, out);
  }
  return sum;
}

double Regression::restOf(const HalfStep& step, size_t line, const double* x) {
  step_ = &step;
  load(line);
  return pass(x, true, nullptr);
}

double Regression::solve(const HalfStep& step, size_t line, double* x, bool rest, Counts& counts) {
  step_ = &step;
  if (load(line) == 0 && step.base == nullptr) {
    std::fill_n(x, rank_, 0.0);
    return 0;
  }
  rest_ = -1;
  if (step.nonNegative) {
    nonNegative(x, counts);
  } else if (step.solver == Solver::exact) {
    exact(x, counts);
  } else if (count_ < rank_ && step.ridge[0] == 0) {
    direct(x, counts);
  } else if (step.solver == Solver::inexact) {
    conjugate(x, false, counts);
  } else {
    sketched(line, x, counts);
  }
  if (!rest) return 0;
  return rest_ >= 0 ? rest_ : pass(x, true, nullptr);
}

void Regression::gram() {
  gram_.clear();
  for (size_t from = 0; from < count_ && !monitor_.cancelled(); from += kSlice) {
    const int32_t* index = index_ + from;
    const size_t count = std::min(kSlice, count_ - from);
    const double *b = target_.data() + from, *w = weighted_ ? weights_.data() + from : nullptr;
    if (step_->features32 != nullptr) {
      addGram(step_->features32, pitch_, rank_, index, count, b, w, gram_.data(), block32_.data());
    } else {
      addGram(step_->features, pitch_, rank_, index, count, b, w, gram_.data(), block_.data());
    }
  }
}

// sum ridge x²
double Regression::penalty(const double* x) const {
  double sum = 0;
  for (size_t c = 0; c < rank_; c++) sum += step_->ridge[c] * x[c] * x[c];
  return sum;
}

// A rest that came by subtraction from `from`, unless the digits cancel.
void Regression::setRest(double rest, double from) {
  if (rest > kLeastRest * from) rest_ = rest;
}

void Regression::exact(double* x, Counts& counts) {
  const bool free = step_->ridge[0] == 0;
  if (free && count_ < rank_) return direct(x, counts);
  gram();
  counts.steps++;
  const double least = step_->features32 != nullptr ? kLeastPivot32 : kLeastPivot;
  if (!solveGram(gram_.data(), pitch_, rank_, step_->ridge, free ? least : 0, x)) return direct(x, counts);
  // bᵀ b - hᵀ (G + ridge)⁻¹ h, whose second term is the square of what forward substitution made of h.
  const double whole = targetNorm_ * targetNorm_;
  double rest = whole;
  for (size_t c = 0; c < rank_; c++) rest -= gram_[c * pitch_ + rank_] * gram_[c * pitch_ + rank_];
  setRest(rest - penalty(x), whole);
}

void Regression::nonNegative(double* x, Counts& counts) {
  gram();
  double* g = work_.data();
  double* h = g + rank_ * rank_;
  for (size_t i = 0; i < rank_; i++) {
    h[i] = gram_[i * pitch_ + rank_];
    for (size_t j = i; j < rank_; j++) {
      const double base = step_->base == nullptr ? 0 : step_->base[i * rank_ + j];
      g[i * rank_ + j] = g[j * rank_ + i] = gram_[i * pitch_ + j] + base;
    }
    g[i * rank_ + i] += step_->ridge[i];
  }
  if (step_->solver == Solver::exact) {
    nonNegativeQuadratic(g, h, rank_, step_->free, x, h + rank_);
    counts.steps++;
  } else {
    counts.steps += static_cast<double>(
        coordinateSweeps(g, h, rank_, step_->free, step_->tolerance, step_->mostSteps, x));
  }
}

// Householder's method on blocks of rows: as accurate as the problem allows, and where it leaves x open the
// solution of least norm.
void Regression::direct(double* x, Counts& counts) {
  counts.steps++;
  const size_t block = std::max(kBlock, rank_);
  size_t filled = 0;
  const auto reduce = [&] {
    triangularize(block_.data(), filled, pitch_, rank_, row_.data());
    filled = std::min(filled, rank_);
  };
  for (size_t e = 0; e < count_; e++) {
    if (filled == block + rank_) reduce();
    const double root = weighted_ ? std::sqrt(weights_[e]) : 1;
    const double* row = step_->features + static_cast<size_t>(index_[e]) * pitch_;
    double* to = &block_[filled++ * pitch_];
    for (size_t c = 0; c < pitch_; c++) to[c] = root * row[c];
    to[rank_] = root * target_[e];
    if (e % kSlice == 0 && monitor_.cancelled()) return;
  }
  for (size_t c = 0; c < rank_ && step_->ridge[0] > 0; c++) {
    if (filled == block + rank_) reduce();
    double* to = &block_[filled++ * pitch_];
    std::fill_n(to, pitch_, 0.0);
    to[c] = std::sqrt(step_->ridge[c]);
  }
  reduce();
  for (size_t i = 0; i < filled; i++) s_[i] = block_[i * pitch_ + rank_];
  if (minimumNorm(block_.data(), filled, pitch_, rank_, s_.data(), x, work_.data()) < rank_)
    counts.deficient++;
}

// R of the QR factorization of S A, with the ridge beneath it, in sketch_. False if it is deficient.
bool Regression::drawSketch(size_t line, uint32_t repeat) {
  const HalfStep& step = *step_;
  const size_t rows = step.sketchRows;
  sketch_.clear();
  random_.add({step.features, pitch_, index_, weighted_ ? weights_.data() : nullptr, count_}, step.key,
              static_cast<uint32_t>(line), step.number | repeat << kNumberBits, sketch_.data());
  if (monitor_.cancelled()) return true;
  for (size_t c = 0; c < rank_; c++) sketch_[(rows + c) * pitch_ + c] = std::sqrt(step.ridge[c]);
  triangularize(sketch_.data(), rows + rank_, pitch_, rank_, row_.data());
  double largest = 0, least = INFINITY;
  for (size_t c = 0; c < rank_; c++) {
    const double size = std::fabs(sketch_[c * pitch_ + c]);
    largest = std::max(largest, size);
    least = std::min(least, size);
  }
  return least > kDeficient * largest;
}

void Regression::sketched(size_t line, double* x, Counts& counts) {
  const HalfStep& step = *step_;
  if (count_ <= step.sketchRows) return direct(x, counts);
  std::copy_n(x, pitch_, last_.data());
  for (size_t repeat = 0; repeat < step.repeats; repeat++) {
    double* solution = &solutions_[repeat * pitch_];
    std::copy_n(last_.data(), pitch_, solution);
    if (!drawSketch(line, static_cast<uint32_t>(repeat))) return direct(x, counts);
    if (step.inner == Inner::cg) {
      conjugate(solution, true, counts);
    } else {
      descend(solution, counts);
    }
    if (monitor_.cancelled()) return;
  }
  // Coordinate by coordinate the median.
  for (size_t c = 0; c < rank_; c++) {
    for (size_t repeat = 0; repeat < step.repeats; repeat++) work_[repeat] = solutions_[repeat * pitch_ + c];
    std::sort(work_.data(), work_.data() + step.repeats);
    const size_t middle = step.repeats / 2;
    x[c] = step.repeats % 2 == 1 ? work_[middle] : (work_[middle - 1] + work_[middle]) / 2;
  }
}

// s = Aᵀ W (b - A x) - ridge x
double Regression::gradient(const double* x) {
  s_.clear();
  const double rest = pass(x, true, s_.data());
  for (size_t c = 0; c < rank_; c++) s_[c] -= step_->ridge[c] * x[c];
  return rest;
}

// z = M^-1 s; returns s·z.
double Regression::precondition(bool sketched) {
  if (!sketched) {
    for (size_t c = 0; c < rank_; c++) z_[c] = diagonal_[c] * s_[c];
    return dot(s_.data(), z_.data(), rank_);
  }
  std::copy_n(s_.data(), rank_, z_.data());
  solveUpperTransposed(sketch_.data(), pitch_, rank_, z_.data());
  const double squares = dot(z_.data(), z_.data(), rank_);
  solveUpper(sketch_.data(), pitch_, rank_, z_.data());
  return squares;
}

// x <- x + R^-1 R^-T Aᵀ (b - A x), plain or with a heavy ball.
void Regression::descend(double* x, Counts& counts) {
  const HalfStep& step = *step_;
  const double ratio = static_cast<double>(rank_) / static_cast<double>(step.sketchRows);
  const bool ball = step.inner == Inner::heavyBall;
  const double length = ball ? (1 - ratio) * (1 - ratio) : 1, momentum = ball ? ratio : 0;
  double first = 0;
  p_.clear();
  std::copy_n(x, pitch_, y_.data());
  for (size_t count = 0;; count++) {
    gradient(x);
    const double norm = std::sqrt(precondition(true));
    if (count == 0) first = norm;
    if (count > 0 && reached(norm)) return;
    if (norm == 0 || monitor_.cancelled()) return;
    const bool last = count >= step.mostSteps;
    if (!(norm <= (last ? 1 : kGrowth) * first)) {
      counts.diverged++;
      std::copy_n(y_.data(), pitch_, x);
      return conjugate(x, true, counts);
    }
    if (last) return;
    counts.steps++;
    for (size_t c = 0; c < rank_; c++) {
      p_[c] = length * z_[c] + momentum * p_[c];
      x[c] += p_[c];
    }
  }
}

// Conjugate gradients on the normal equations, preconditioned by R of the sketch or by the diagonal.
void Regression::conjugate(double* x, bool sketched, Counts& counts) {
  const HalfStep& step = *step_;
  if (!sketched) {
    for (size_t c = 0; c < rank_; c++) {
      const double own = step.ridge[c] + weight_ * step.scale[c];
      diagonal_[c] = own > 0 ? 1 / own : 0;
    }
  }
  const int rounds = sketched && step.tolerance <= kRefined ? 2 : 1;
  size_t count = 0;
  for (int round = 0; round < rounds; round++) {
    const double start = gradient(x) + penalty(x);
    double fallen = 0;
    double squares = precondition(sketched);
    std::copy_n(z_.data(), pitch_, p_.data());
    while (count < step.mostSteps) {
      if (squares == 0 || (count > 0 && reached(std::sqrt(squares))) || monitor_.cancelled()) break;
      y_.clear();
      const double curvature = pass(p_.data(), false, y_.data()) + penalty(p_.data());  // y = -Aᵀ W A p
      if (!(curvature > 0)) break;
      count++;
      const double alpha = squares / curvature;
      fallen += alpha * squares;
      for (size_t c = 0; c < rank_; c++) {
        x[c] += alpha * p_[c];
        s_[c] += alpha * (y_[c] - step.ridge[c] * p_[c]);
      }
      const double next = precondition(sketched);
      const double beta = next / squares;
      squares = next;
      for (size_t c = 0; c < rank_; c++) p_[c] = z_[c] + beta * p_[c];
    }
    if (!sketched) setRest(start - fallen - penalty(x), start);
  }
  counts.steps += static_cast<double>(count);
}

}  // namespace extrema::lowrank
