#pragma once

#include <cmath>
#include <cstddef>

#include "core/monitor.h"
#include "linear/operator.h"
#include "linear/preconditioner.h"
#include "linear/vectors.h"

namespace extrema::linear {

// In the order of `statuses` in lib/core/solution.ts.
enum class Ended : int { converged = 0, iterationLimit = 1, timeLimit = 2, stalled = 3 };

struct IterativeSettings {
  double tolerance = 1e-8;
  double maxIterations = 0;
  unsigned threads = 1;
  double omega = 1;
  size_t restart = 30;
  double damp = 0;
  bool checkSymmetry = true;
};

struct IterativeReport {
  Ended ended = Ended::iterationLimit;
  double iterations = 0;
  double residual = 0;  // ‖b - A x‖ / ‖b‖
  double matvecs = 0;
  double fit = 0, normal = 0;  // lsqr: ‖b - A x‖ / ‖b‖ and ‖Aᵀr‖ / (‖A‖ ‖r‖)
};

// A system of equations on the way to its solution: borrowed memory. b has a norm about 1, or is zero.
struct System {
  size_t n = 0;                  // unknowns
  size_t rows = 0;               // equations
  const double* b = nullptr;     // rows
  double* x = nullptr;           // n: start and result
  const double* null = nullptr;  // n: a unit vector that A maps to zero
  double* history = nullptr;     // relative residuals
  size_t historyLength = 0;
};

// What every iteration does between its steps: keeps the history, and says when to stop.
class Course {
 public:
  Course(const System& system, const IterativeSettings& settings, IterativeReport& report, Monitor& monitor)
      : system_(system), settings_(settings), report_(report), monitor_(monitor) {}

  void record(double residual) {
    const auto at = static_cast<size_t>(report_.iterations);
    if (at < system_.historyLength) system_.history[at] = residual;
    report_.residual = residual;
    monitor_.progress(report_.iterations, residual);
  }
  // x = 0 is the solution where b is zero: that ends it.
  bool endsAtZero(double size, Vectors& unknowns) {
    if (size != 0) return false;
    unknowns.clear(system_.x);
    report_.ended = Ended::converged;
    record(0);
    return true;
  }
  // Throws ERR_NOT_POSITIVE if two random vectors show that A is not symmetric, where that is to be checked;
  // u, v, w are scratch.
  void checkSymmetry(Operator& a, double* u, double* v, double* w, Vectors& vectors, Team& team);
  // Whether another iteration may start. `ended` tells why not.
  bool goesOn() {
    if (monitor_.cancelled()) return false;
    if (report_.iterations >= settings_.maxIterations) {
      report_.ended = Ended::iterationLimit;
      return false;
    }
    if (monitor_.expired()) {
      report_.ended = Ended::timeLimit;
      return false;
    }
    return true;
  }

 private:
  const System& system_;
  const IterativeSettings& settings_;
  IterativeReport& report_;
  Monitor& monitor_;
};

// Throws ERR_NOT_FINITE if a number left the range that numbers have.
void checkRange(double value);
// x -= null (null·x)
void project(const double* null, double* x, Vectors& vectors);

void conjugateGradient(Operator& a, Preconditioner* m, const System& system,
                       const IterativeSettings& settings, IterativeReport& report, Monitor& monitor);

void minres(Operator& a, Preconditioner* m, const System& system, const IterativeSettings& settings,
            IterativeReport& report, Monitor& monitor);
// With the preconditioner on the right.
void gmres(Operator& a, Preconditioner* m, const System& system, const IterativeSettings& settings,
           IterativeReport& report, Monitor& monitor);
void bicgstab(Operator& a, Preconditioner* m, const System& system, const IterativeSettings& settings,
              IterativeReport& report, Monitor& monitor);
// min ‖A x - b‖² + damp² ‖x‖²; m must have halves.
void lsqr(Operator& a, Preconditioner* m, const System& system, const IterativeSettings& settings,
          IterativeReport& report, Monitor& monitor);

enum class Sweep : int { jacobi = 0, sor = 1, ssor = 2 };
void stationary(const Csr& matrix, Sweep sweep, const System& system, const IterativeSettings& settings,
                IterativeReport& report, Monitor& monitor);

}  // namespace extrema::linear
