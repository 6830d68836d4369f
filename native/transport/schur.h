#pragma once

#include "transport/solve.h"

namespace extrema::transport {

// The Newton system of the entropic dual, times epsilon. S is the plan or its large entries, the diagonals
// are those of the whole plan (a and b, plus a shift), so that the matrix is diagonally dominant:
//   [ D_a   S  ] [p]   [x]
//   [ S^T  D_b ] [q] = [y]
struct NewtonSystem {
  const double *diagonalA, *diagonalB;  // n, m
  const double *x, *y;
};

// The products with S that eliminating one of the two blocks of unknowns takes.
class PlanOperator {
 public:
  virtual ~PlanOperator() = default;
  // p is eliminated and q iterated on; else the other way round, and S stands for its transpose.
  bool rowsEliminated = true;
  size_t eliminated = 0, kept = 0;  // sizes of the two blocks
  const double* pivot = nullptr;    // diagonal D of the eliminated block

  virtual void normal(const double* q, double* w) = 0;    // w = S^T D^-1 S q
  virtual void forward(const double* q, double* p) = 0;   // p = S q
  virtual void backward(const double* p, double* w) = 0;  // w = S^T p
  virtual void normalDiagonal(double* diagonal) = 0;      // of S^T D^-1 S; zeros where that takes a pass
};

// S by its kept entries. The longer side is eliminated.
class SparseOperator : public PlanOperator {
 public:
  SparseOperator(Team& team, size_t n, size_t m);
  void reset(const Sparse& rows, const NewtonSystem& system);

  void normal(const double* q, double* w) override;
  void forward(const double* q, double* p) override;
  void backward(const double* p, double* w) override;
  void normalDiagonal(double* diagonal) override;

 private:
  template <class F>
  void scatter(double* w, F line);

  Team& team_;
  const Sparse* lines_ = nullptr;  // by the eliminated side
  Sparse transposed_;
  std::vector<uint32_t> chunkStart_;
  std::vector<Aligned<double>> columns_;  // an accumulator per chunk
};

// S = P, the whole plan: from memory where it was stored, else formed anew by each product.
class DenseOperator : public PlanOperator {
 public:
  DenseOperator(Context& context, Report& report);
  void reset(double epsilon, const double* f, const double* g, const double* stored, size_t pitch,
             const NewtonSystem& system);

  void normal(const double* q, double* w) override;
  void forward(const double* q, double* p) override;
  void backward(const double* p, double* w) override;
  void normalDiagonal(double* diagonal) override;

 private:
  PlanPass planPassAt();

  Context& context_;
  Report& report_;
  double epsilon_ = 0;
  const double *f_ = nullptr, *g_ = nullptr, *stored_ = nullptr;
  size_t pitch_ = 0;
  Aligned<double> scale_, weight_;
};

// Conjugate gradients on the Schur complement  (D_b - S^T D_a^-1 S) q = y - S^T D_a^-1 x,  preconditioned by
// its diagonal; then p = D_a^-1 (x - S q).
class SchurSolver {
 public:
  SchurSolver(size_t n, size_t m);
  // Until the L1 norm of the residual is at most `target`. Returns the number of iterations.
  size_t solve(PlanOperator& plan, const NewtonSystem& system, double target, size_t most,
               const Monitor& monitor, double* p, double* q);

 private:
  Aligned<double> residual_, preconditioned_, search_, product_, diagonal_, pivotRight_;
};

}  // namespace extrema::transport
