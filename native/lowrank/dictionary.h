#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/monitor.h"
#include "core/team.h"
#include "lowrank/polar.h"

namespace extrema::lowrank {

// What is done to the coefficients z = wᵀ y of a sample.
enum class Shaping : int {
  cube = 0,       // sign(z) |z|², from |z|³
  fourth = 1,     // z³, from z⁴
  keep = 2,       // the `keep` largest magnitudes of a sample stay
  threshold = 3,  // magnitudes from `threshold` on stay
};

struct Coding {
  Shaping shaping = Shaping::cube;
  size_t keep = 0;
  double threshold = 0;
  double scale = 1;  // unit of the coefficients in the powers
};

// Rows of n numbers, in one of both precisions, which is that of the products.
struct Samples {
  const double* as64 = nullptr;
  const float* as32 = nullptr;
  size_t n = 0, rows = 0;
};

// Sums over all coefficients.
struct Sums {
  double objective = 0;  // |z / scale|³ or |z / scale|⁴; for codes the squares of what stays
  double second = 0, fourth = 0;
  double largest = 0;  // magnitude of a sample's entry; 0 if all are 0
};

// Yᵀ shaped(Y W) by blocks of samples.
class Gradient {
 public:
  Gradient(const Samples& samples, const Coding& coding, size_t mostRows, Team& team);
  ~Gradient();
  // Of the rows [begin, begin + rows): out (n × n) in the units of the coding, not divided by anything.
  Sums evaluate(size_t begin, size_t rows, const double* w, double* out);
  // The shaped coefficients themselves: out has the samples' precision.
  void codes(const double* w, void* out);
  // Yᵀ Y of the rows.
  void addSquares(size_t begin, size_t rows, double* out);

 private:
  struct Work;
  std::unique_ptr<Work> work_;
};

struct OnlineJob {
  Samples samples;
  size_t batch = 1;
  Coding coding;
  const double *rho = nullptr, *gamma = nullptr;  // for each batch
  double tolerance = -1, patience = 0;
  unsigned threads = 1;
  double* relaxed = nullptr;     // A: n × n, start and result
  double* averaged = nullptr;    // G: the same
  double* covariance = nullptr;  // sum of y yᵀ, or null
  double* whitening = nullptr;   // its inverse root when last computed, or null: samples as they are
  double* gaps = nullptr;        // of each step
};

// Start and result, laid out as lib/backend/lowrank-dictionary.ts names it.
struct OnlineReport {
  double status = 1;  // 0 calm for `patience` steps, 1 all rows used, 2 time limit
  double steps = 0, rows = 0;
  double skipped = 0, degenerate = 0, rankDeficient = 0;
  double calm = 0;  // steps in a row with a relative gap within the tolerance
  double gap = 0, relativeGap = 0;
  double objective = 0, second = 0, fourth = 0;  // sums over the coefficients of all steps
  double coefficients = 0;                       // their number
  double seen = 0, whitenedAt = 0;               // rows in the covariance, now and when last inverted
};

void learnOnline(const OnlineJob& job, OnlineReport& report, Monitor& monitor);

struct OfflineJob {
  Samples samples;
  Coding coding;
  double tolerance = 0, maxIterations = 0;
  unsigned threads = 1;
  double* dictionary = nullptr;  // n × n, orthogonal; start and result
  double* history = nullptr;     // the objective of each iteration
};

struct OfflineReport {
  double status = 1, iterations = 0, residual = 0, objective = 0;
};

void learnOffline(const OfflineJob& job, OfflineReport& report, Monitor& monitor);

// The gap of w on the samples: <g, S - w>, with ‖g‖_F and the sums.
struct GapReport {
  double gap = 0, relativeGap = 0, objective = 0, second = 0, fourth = 0;
};
void measureGap(const Samples& samples, const Coding& coding, const double* w, unsigned threads,
                GapReport& report, Monitor& monitor);

}  // namespace extrema::lowrank
