#pragma once

#include <atomic>

#include "core/monitor.h"
#include "lowrank/completion/observations.h"
#include "lowrank/completion/row-sketch.h"

namespace extrema::lowrank {

enum class Solver { inexact, exact, sketched, gradient };
enum class Inner { cg, heavyBall, gradient };

// The regressions of one half step, a line each:
//   min over x of  sum_e w_e (b_e - a_e · x)² + sum_c ridge_c x_c² (+ xᵀ base x)
struct HalfStep {
  const Lines* lines = nullptr;
  const double* features = nullptr;   // the rows a, of pitch pitchOf(rank)
  const float* features32 = nullptr;  // the same in float32, where sums over them may be
  const double* offset = nullptr;     // bias of each a, taken off the targets; null: 0
  double mean = 0;                    // the same for all
  double confidence = 0;              // > 0: implicit feedback, weights 1 + confidence value and targets 1
  size_t rank = 0;                    // unknowns of a line
  const double* ridge = nullptr;      // rank
  const double* base = nullptr;       // rank × rank, null: 0
  const double* scale = nullptr;      // rank: mean squares of the features, for the diagonal preconditioner
  bool nonNegative = false;
  size_t free = 0;  // unknowns before this one may be negative all the same
  Solver solver = Solver::exact;
  Inner inner = Inner::cg;
  Sketch sketch = Sketch::sparseSign;
  size_t sketchRows = 0, repeats = 1;
  double tolerance = 0;  // of the preconditioned gradient over the norm of the targets
  size_t mostSteps = 3;
  uint32_t key[2] = {0, 0};
  uint32_t number = 0;  // of the half step, for the random sketches
};

struct Counts {
  double steps = 0, diverged = 0, deficient = 0;
  void add(const Counts& other) {
    steps += other.steps;
    diverged += other.diverged;
    deficient += other.deficient;
  }
};

// What one thread needs to solve lines of up to `longest` entries.
class Regression {
 public:
  Regression(const HalfStep& step, size_t longest, const Monitor& monitor);

  // x holds the start and receives the solution. Returns the rest sum w (b - a·x)² if asked for.
  double solve(const HalfStep& step, size_t line, double* x, bool rest, Counts& counts);
  // sum w (b - a·x)² of a line.
  double restOf(const HalfStep& step, size_t line, const double* x);

 private:
  size_t load(size_t line);
  double pass(const double* x, bool targets, double* out);
  void gram();
  void exact(double* x, Counts& counts);
  void nonNegative(double* x, Counts& counts);
  void direct(double* x, Counts& counts);
  bool drawSketch(size_t line, uint32_t repeat);
  void sketched(size_t line, double* x, Counts& counts);
  void descend(double* x, Counts& counts);
  void conjugate(double* x, bool sketched, Counts& counts);
  double gradient(const double* x);
  double penalty(const double* x) const;
  void setRest(double rest, double from);
  double precondition(bool sketched);
  bool reached(double norm) const { return norm <= step_->tolerance * targetNorm_; }

  const Monitor& monitor_;
  const HalfStep* step_ = nullptr;
  size_t pitch_, rank_;
  const int32_t* index_ = nullptr;
  size_t count_ = 0;
  bool weighted_ = false;
  double targetNorm_ = 0, weight_ = 0;
  double rest_ = -1;  // sum w (b - a·x)² where it is a by-product, else -1
  Aligned<float> block32_, x32_;
  Aligned<double> target_, weights_, gram_, block_, s_, z_, p_, y_, last_, diagonal_, work_, sketch_,
      solutions_, row_;
  RowSketch random_;
};

}  // namespace extrema::lowrank
