#include "constrained/sketch-solve.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "constrained/draws.h"
#include "constrained/gram.h"
#include "core/team.h"

namespace extrema::constrained {

namespace {

// Operations between two looks at the clock, and sketches between two exact residuals.
constexpr double kWork = 1 << 15;
constexpr int kExactInterval = 1000;
constexpr size_t kChunk = 256;  // rows of AᵀS that one thread makes at a time

class Solver {
 public:
  Solver(const System& a, const double* b, const double* descent, const SketchSettings& settings, double* z,
         Monitor& monitor)
      : a_(a),
        b_(b),
        descent_(descent),
        settings_(settings),
        z_(z),
        lazy_(settings.sketch == Sketch::kaczmarz || settings.sketch == Sketch::rows ||
              settings.sketch == Sketch::blocks),
        wide_(settings.sketch == Sketch::gaussianBlock || settings.sketch == Sketch::countSketch),
        size_(wide_ || settings.sketch == Sketch::rows ? settings.blockSize : 0),
        team_(settings.threads, monitor),
        draws_(settings.key, wordsOf(a, settings),
               settings.sketch == Sketch::gaussian || settings.sketch == Sketch::gaussianBlock),
        monitor_(monitor),
        blocks_(a, settings.blocks),
        epoch_(settings.sketch == Sketch::kaczmarz ? a.rows
               : settings.sketch == Sketch::rows   ? (a.rows + size_ - 1) / size_
               : settings.sketch == Sketch::blocks ? settings.blocks.count()
                                                   : 1),
        r_(a.rows),
        norms_(lazy_ && settings.sketch != Sketch::blocks ? a.rows : 0),
        gram_(size_),
        w_(wide_                                 ? a.columns * size_
           : settings.sketch == Sketch::gaussian ? a.columns
                                                 : 0),
        c_(size_),
        y_(size_),
        step_(size_ > 0 ? a.columns : 0),
        change_(lazy_ ? 0 : a.rows),
        chosen_(settings.sketch == Sketch::rows ? size_ : 0),
        places_(settings.sketch == Sketch::rows ? a.rows : 0),
        found_(settings.sketch == Sketch::countSketch ? size_ : 0) {
    for (size_t i = 0; i < norms_.size(); i++) norms_[i] = a.squaredNorm(i);
    if (lazy_ && settings.byNorm) {
      double sum = 0;
      for (const double norm : norms_) sums_.push_back(sum += norm);
    }
    for (size_t i = 0; i < places_.size(); i++) places_[i] = i;
  }

  double sketches = 0, rows = 0, flops = 0;
  bool isExact = true;

  bool isDone(double size) const {
    if (size <= settings_.threshold || size <= settings_.rounding * std::sqrt(dot(z_, z_, a_.columns)))
      return true;
    return descent_ != nullptr && size <= settings_.coarse &&
           dot(descent_, z_, a_.columns) <= settings_.descentBound;
  }

  double exactResidual() {
    a_.residual(z_, b_, r_.data());
    rows += static_cast<double>(a_.rows);
    flops += 2 * entries() + static_cast<double>(a_.rows);
    isExact = true;
    sinceExact_ = 0;
    return std::sqrt(dot(r_.data(), r_.data(), a_.rows));
  }

  // The sketches until the residual is looked at again; returns its norm.
  double advance(double size) {
    if (lazy_) {
      const double count = std::min(static_cast<double>(epoch_), settings_.maxSketches - sketches);
      for (double k = 0; k < count && !monitor_.cancelled(); k++) {
        if (settings_.sketch == Sketch::kaczmarz) {
          kaczmarz();
        } else if (settings_.sketch == Sketch::blocks) {
          givenBlock();
        } else {
          rowBlock();
        }
        sketches++;
      }
      return exactResidual();
    }
    if (settings_.sketch == Sketch::gaussian) {
      gaussian();
    } else if (settings_.sketch == Sketch::gaussianBlock) {
      gaussianBlock();
    } else {
      countSketch();
    }
    sketches++;
    isExact = false;
    if (++sinceExact_ == kExactInterval) return exactResidual();
    const double now = std::sqrt(dot(r_.data(), r_.data(), a_.rows));
    flops += 2 * static_cast<double>(a_.rows);
    return std::isnan(now) ? size : now;
  }

 private:
  static size_t wordsOf(const System& a, const SketchSettings& settings) {
    switch (settings.sketch) {
      case Sketch::kaczmarz:
      case Sketch::blocks:
        return 1;
      case Sketch::gaussianBlock:
        return even(a.rows * settings.blockSize);
      case Sketch::rows:
        return even(settings.blockSize);
      default:
        return even(a.rows);
    }
  }

  double entries() const { return static_cast<double>(a_.entries()); }
  const double* seek() { return draws_.seek(settings_.drawn + static_cast<uint64_t>(sketches)); }

  size_t drawRow(double u) const {
    if (sums_.empty()) return static_cast<size_t>(u * static_cast<double>(a_.rows));
    const double target = u * sums_.back();
    size_t low = 0, high = a_.rows - 1;
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (sums_[middle] > target) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  // S = e_i: one row is read.
  void kaczmarz() {
    const size_t i = drawRow(*seek());
    rows++;
    if (norms_[i] == 0) return;
    a_.add(i, (b_[i] - a_.dot(i, z_)) / norms_[i], z_);
    flops += 4 * static_cast<double>(a_.end(i) - a_.begin(i)) + 2;
  }

  void givenBlock() {
    const FactoredBlocks& given = settings_.blocks;
    const auto p = static_cast<size_t>(*seek() * static_cast<double>(given.count()));
    flops += blocks_.project(p, b_, z_, monitor_);
    rows += static_cast<double>(given.sizeOf(p));
  }

  void gaussian() {
    const double* s = seek();
    std::fill(w_.begin(), w_.end(), 0.0);
    double inner = 0;
    for (size_t i = 0; i < a_.rows; i++) {
      a_.add(i, s[i], w_.data());
      inner += s[i] * r_[i];
    }
    const double squares = dot(w_.data(), w_.data(), a_.columns);
    rows += 2 * static_cast<double>(a_.rows);
    flops += 4 * entries() + 4 * static_cast<double>(a_.rows) + 4 * static_cast<double>(a_.columns);
    if (squares == 0) return;
    const double alpha = inner / squares;
    a_.multiply(w_.data(), change_.data());
    for (size_t j = 0; j < a_.columns; j++) z_[j] -= alpha * w_[j];
    for (size_t i = 0; i < a_.rows; i++) r_[i] -= alpha * change_[i];
  }

  void gaussianBlock() {
    const double* s = seek();
    const int count = static_cast<int>(size_), columns = static_cast<int>(a_.columns),
              height = static_cast<int>(a_.rows);
    if (a_.dense()) {
      team_.run(static_cast<uint32_t>((a_.columns + kChunk - 1) / kChunk), [&](uint32_t chunk, unsigned) {
        const size_t from = chunk * kChunk, part = std::min(kChunk, a_.columns - from);
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, static_cast<int>(part), count, height, 1.0,
                    a_.data + from, columns, s, count, 0.0, w_.data() + from * size_, count);
      });
    } else {
      std::fill(w_.begin(), w_.end(), 0.0);
      for (size_t i = 0; i < a_.rows; i++) {
        const double* from = s + i * size_;
        for (size_t k = a_.begin(i); k < a_.end(i); k++) {
          double* to = &w_[static_cast<size_t>(a_.indices[k]) * size_];
          const double value = a_.data[k];
          for (size_t t = 0; t < size_; t++) to[t] += value * from[t];
        }
      }
    }
    cblas_dgemv(CblasRowMajor, CblasTrans, height, count, 1.0, s, count, r_.data(), 1, 0.0, c_.data(), 1);
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, count, columns, 1.0, w_.data(), count, 0.0,
                gram_.matrix.data(), count);
    const double n = static_cast<double>(size_);
    flops += 2 * n * entries() + static_cast<double>(a_.columns) * n * (n + 1) +
             2 * n * static_cast<double>(a_.rows);
    project();
  }

  // S has one ±1 in each row.
  void countSketch() {
    const double* u = seek();
    std::fill(w_.begin(), w_.end(), 0.0);
    std::fill(c_.begin(), c_.end(), 0.0);
    for (size_t i = 0; i < a_.rows; i++) {
      const auto draw = static_cast<size_t>(u[i] * 2 * static_cast<double>(size_));
      const size_t column = draw >> 1, begin = a_.begin(i);
      const double sign = (draw & 1) == 1 ? -1 : 1;
      for (size_t k = begin; k < a_.end(i); k++) {
        const size_t j = a_.dense() ? k - begin : static_cast<size_t>(a_.indices[k]);
        w_[j * size_ + column] += sign * a_.data[k];
      }
      c_[column] += sign * r_[i];
    }
    // A row of AᵀS has few entries: products of those only.
    std::fill(gram_.matrix.begin(), gram_.matrix.end(), 0.0);
    for (size_t j = 0; j < a_.columns; j++) {
      const double* row = &w_[j * size_];
      size_t count = 0;
      for (size_t t = 0; t < size_; t++) {
        if (row[t] != 0) found_[count++] = t;
      }
      for (size_t p = 0; p < count; p++) {
        double* to = &gram_.matrix[found_[p] * size_];
        const double value = row[found_[p]];
        for (size_t q = 0; q <= p; q++) to[found_[q]] += value * row[found_[q]];
      }
      flops += static_cast<double>(count * (count + 1));
    }
    flops += entries() + static_cast<double>(a_.rows);
    project();
  }

  // The step of a block from AᵀS, its Gram matrix and Sᵀr.
  void project() {
    flops += gram_.solve(c_.data(), y_.data());
    cblas_dgemv(CblasRowMajor, CblasNoTrans, static_cast<int>(a_.columns), static_cast<int>(size_), 1.0,
                w_.data(), static_cast<int>(size_), y_.data(), 1, 0.0, step_.data(), 1);
    for (size_t j = 0; j < a_.columns; j++) z_[j] -= step_[j];
    a_.multiply(step_.data(), change_.data());
    for (size_t i = 0; i < a_.rows; i++) r_[i] -= change_[i];
    rows += 2 * static_cast<double>(a_.rows);
    flops += 2 * entries() + static_cast<double>(a_.columns * (2 * size_ + 1) + a_.rows);
  }

  void rowBlock() {
    const double* u = seek();
    const auto other = [&](size_t t) {
      return t + static_cast<size_t>(u[t] * static_cast<double>(a_.rows - t));
    };
    for (size_t t = 0; t < size_; t++) {
      if (!sums_.empty()) {
        chosen_[t] = drawRow(u[t]);
        continue;
      }
      // Without replacement: the start of a shuffle, undone below so that sketch k always draws the same.
      std::swap(places_[t], places_[other(t)]);
      chosen_[t] = places_[t];
    }
    for (size_t p = 0; p < size_; p++) {
      const size_t row = chosen_[p];
      double* gram = &gram_.matrix[p * size_];
      a_.add(row, 1, step_.data());
      for (size_t q = 0; q < p; q++) gram[q] = a_.dot(chosen_[q], step_.data());
      gram[p] = norms_[row];
      a_.clear(row, step_.data());
      c_[p] = a_.dot(row, z_) - b_[row];
      flops += static_cast<double>((4 + 2 * (size_ - 1)) * (a_.end(row) - a_.begin(row)));
    }
    flops += gram_.solve(c_.data(), y_.data());
    for (size_t p = 0; p < size_; p++) a_.add(chosen_[p], -y_[p], z_);
    if (sums_.empty()) {
      for (size_t t = size_; t-- > 0;) std::swap(places_[t], places_[other(t)]);
    }
    rows += static_cast<double>(size_);
  }

  const System& a_;
  const double *b_, *descent_;
  const SketchSettings& settings_;
  double* z_;
  bool lazy_;  // r is not kept: each row drawn gives its own entry
  bool wide_;  // AᵀS is formed
  size_t size_;
  Team team_;
  Draws draws_;
  Monitor& monitor_;
  RowBlocks blocks_;
  size_t epoch_;  // sketches from one look at the residual to the next
  std::vector<double> r_, norms_, sums_;
  Gram gram_;
  std::vector<double> w_;  // AᵀS: columns × size, row-major
  std::vector<double> c_, y_, step_, change_;
  std::vector<size_t> chosen_, places_, found_;
  int sinceExact_ = 0;
};

}  // namespace

void sketchSolve(const System& a, const double* b, const double* descent, const SketchSettings& settings,
                 double* z, SketchReport& report, Monitor& monitor) {
  Solver solver(a, b, descent, settings, z, monitor);
  report.ended = Ended::iterationLimit;
  double work = 0, size = solver.exactResidual();
  for (;;) {
    if (solver.isDone(size)) {
      if (solver.isExact) {
        report.ended = Ended::converged;
        break;
      }
      size = solver.exactResidual();
      continue;
    }
    if (solver.sketches >= settings.maxSketches) {
      if (!solver.isExact) size = solver.exactResidual();
      if (solver.isDone(size)) report.ended = Ended::converged;
      break;
    }
    const double before = solver.flops;
    size = solver.advance(size);
    work += solver.flops - before;
    if (work < kWork) continue;
    work = 0;
    monitor.progress(solver.sketches, size);
    if (monitor.cancelled()) return;
    if (monitor.expired()) {
      size = solver.exactResidual();
      report.ended = Ended::timeLimit;
      break;
    }
  }
  report.sketches = solver.sketches;
  report.residual = size;
  report.rows = solver.rows;
  report.flops = solver.flops;
}

}  // namespace extrema::constrained
