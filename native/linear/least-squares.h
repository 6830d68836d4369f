#pragma once

#include <cstddef>
#include <cstdint>

#include "core/aligned.h"
#include "core/monitor.h"
#include "linear/sketch.h"

namespace extrema::dense {

// N with A N near to orthonormal columns and range(N) = range(A^T): R^-1 from the QR factors of S A, or a
// full matrix where S A is rank-deficient.
class SketchFactor {
 public:
  // The QR factors of S A, or of A itself if `sketch` has no rows.
  void build(Team& team, const Sketch& sketch, const MatrixView& a, unsigned threads, Monitor& monitor);
  // The leading `rank` entries of Q^T S b: N times them solves the sketched problem.
  void project(Team& team, const Sketch& sketch, const double* b, double* y, Monitor& monitor) const;
  void apply(const double* y, double* x) const;            // x = N y
  void applyTransposed(const double* x, double* y) const;  // y = N^T x

  size_t n = 0, rank = 0;
  bool triangular = true;
  double spread = 1;       // largest over smallest diagonal entry of R: at most the condition number
  Aligned<double> factor;  // R, n x n, or N, n x rank

 private:
  Aligned<double> reflectors_, tau_;
  size_t rows_ = 0;
};

struct LeastSquaresReport {
  int status = 0;
  double iterations = 0, residual = 0, residualNorm = 0, rank = 0, rounds = 0;
  bool switched = false;
  size_t historyLength = 0;
};

// In the order of lib/backend/linear-dense.ts.
enum class InnerMethod : int { cg, heavyBall, gradient };

struct LeastSquaresJob {
  MatrixView a;
  const double* b = nullptr;
  Sketch sketch;
  InnerMethod method = InnerMethod::cg;
  double tolerance = 1e-10, maxIterations = 500;
  size_t refinements = 1;
  bool warm = false;  // x holds the start
  double* x = nullptr;
  double* history = nullptr;  // |N^T A^T r| / |b| at the start and after each iteration
  size_t historySize = 0;
  unsigned threads = 1;
};

// min |A x - b|, and |x| among its solutions.
LeastSquaresReport leastSquares(const LeastSquaresJob& job, Monitor& monitor);

}  // namespace extrema::dense
