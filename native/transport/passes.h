#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "transport/problem.h"

// Passes over the plan P_ij = exp((f_i + g_j - C_ij) / epsilon) or over C, each a single sweep over the rows
// that forms its entries on the fly. Everything a solver does with n × m numbers is one of these.
namespace extrema::transport {

// What multiplies row i once its sum r_i is known.
enum class Scaling {
  none,      // 1
  sinkhorn,  // a_i / r_i: the Sinkhorn update of f, with rows that under- or overflow rescued by their
             // maximum
  relaxed,   // exp(move / epsilon) for f += move to damping (epsilon (logWeight_i - log r_i) + f_i), the
             // same where the marginal is relaxed; a row with logWeight -Infinity is left out
  capped,    // min(1, a_i / r_i): the first half of rounding to the marginals
  given,     // scale_i, from the caller
  normal,    // r_i / a_i: with weights v the column sums are P^T diag(1/a) P v
};

class Penalty;

struct PlanPass {
  double epsilon = 1;
  const double* f = nullptr;
  const double* g = nullptr;
  Scaling scaling = Scaling::none;
  const double* a = nullptr;          // sinkhorn, capped, normal
  const double* logWeight = nullptr;  // n, relaxed
  double damping = 1;                 // relaxed
  const Penalty* penalty = nullptr;   // relaxed: says where f goes, in place of the two above
  double* scale = nullptr;            // n: read when given, written otherwise (may be null when none)
  double* shift =
      nullptr;  // n, sinkhorn, relaxed: what was added to f_i before scaling; f itself is not touched
  const double* columnWeight = nullptr;  // m: v in row sums  sum_j P_ij v_j; null for ones
  double* rowSum = nullptr;              // n: sum_j P_ij v_j before scaling
  double* rowCost = nullptr;             // n: sum_j C_ij P_ij v_j before scaling
  double* columnSum = nullptr;           // m: sum_i scale_i P_ij
  void* store = nullptr;                 // n × storePitch rows P_ij before scaling, of double or float
  size_t storePitch = 0;
  bool storeFloat = false;
  bool rescued = false;  // out: some row needed its maximum
};

// A matrix by rows.
struct Sparse {
  std::vector<size_t> start;  // n + 1
  std::vector<int32_t> column;
  std::vector<double> value;
};

// Memory of the passes, allocated once per solve.
template <class T>
class Workspace {
 public:
  Workspace(const Geometry<T>& geometry, unsigned workers);

  struct Worker {
    Aligned<T> row, extra, block;
  };
  std::vector<Worker> workers;
  std::vector<Aligned<T>> columns;  // a column accumulator per chunk
  std::vector<Sparse> kept;         // what each chunk of a threshold pass keeps
  Aligned<T> g, weight;             // padded copies in the type of the pass
  uint32_t chunks;
};

// What passes over a problem need that is no solve.
struct PlanReader {
  PlanReader(const Problem& problem, unsigned threads, Monitor& monitor)
      : team(std::min(threads, rowChunks(problem.n, problem.m)), monitor),
        geometry(problem),
        workspace(geometry, team.size()) {}
  Team team;
  Geometry<double> geometry;
  Workspace<double> workspace;
};

template <class T>
void planPass(Team& team, const Geometry<T>& geometry, Workspace<T>& workspace, PlanPass& pass);

// rowMin_i = min_j (C_ij - g_j) and columnMin_j = min_i (C_ij - f_i): the c-transforms. Either may be null.
struct TransformPass {
  const double* f = nullptr;
  const double* g = nullptr;
  double* rowMin = nullptr;
  double* columnMin = nullptr;
  const double* columnWeight = nullptr;  // with rowCost: sum_j C_ij w_j over finite C_ij with w_j != 0
  double* rowCost = nullptr;
};
template <class T>
void transformPass(Team& team, const Geometry<T>& geometry, Workspace<T>& workspace, TransformPass& pass);

// Entries of the plan with  log P_ij >= logTheta + min(rowLog_i, columnLog_j).
struct ThresholdPass {
  double epsilon = 1;
  const double* f = nullptr;
  const double* g = nullptr;
  double logTheta = 0;
  const double* rowLog = nullptr;                    // null: 0
  const double* columnLog = nullptr;                 // null: 0
  size_t most = std::numeric_limits<size_t>::max();  // give up beyond this many entries
  bool overflow = false;                             // out: gave up
};
void thresholdPass(Team& team, const Geometry<double>& geometry, Workspace<double>& workspace,
                   ThresholdPass& pass, Sparse& out);

// Range of the finite entries of C, for points a bound of it. Throws ERR_NOT_FINITE at NaN or -Infinity,
// naming the entry.
struct CostRange {
  double least, most;
  bool forbids;  // some entries are +Infinity
};
CostRange costRange(Team& team, const Geometry<double>& geometry, Workspace<double>& workspace);

// One full Sinkhorn iteration on a stored kernel matrix K (n × pitch, zero padded): for each row r_i = K_i v,
// u_i = a_i / r_i, and s += u_i K_i while the row is still in cache. error = sum |u_i r_i - a_i| with the u
// of before.
template <class T>
struct KernelSweep {
  const T* kernel = nullptr;
  size_t n = 0, m = 0, pitch = 0;
  const T* v = nullptr;         // pitch
  const double* a = nullptr;    // n
  T* u = nullptr;               // n, in and out
  bool normal = false;          // u_i = r_i / a_i instead, so that s = K^T diag(1/a) K v
  double* columnSum = nullptr;  // m
  double error = 0;             // out
  bool unsafe = false;          // out: some row sum was zero or not finite; its u is that of before
};
template <class T>
void kernelSweep(Team& team, std::vector<Aligned<T>>& columns, KernelSweep<T>& sweep);

// Milliseconds of a plain streaming read (a sum) of the matrix on the team: what a kernel sweep is measured
// against.
template <class T>
double streamRead(Team& team, const T* data, size_t n, size_t m, int repetitions);

// Nanoseconds of exp2 and 1 + products fused multiplications and additions, per entry and thread, over
// numbers in the first-level cache: no sweep over points of `products` coordinates can be faster.
template <class T>
double exponentialLimit(Team& team, int repetitions, size_t products);

}  // namespace extrema::transport
