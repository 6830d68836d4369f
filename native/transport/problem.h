#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/aligned.h"
#include "core/team.h"

namespace extrema::transport {

enum class Metric : int { dense = 0, sqeuclidean = 1, euclidean = 2, cosine = 3, cityblock = 4 };

// What a marginal that is not met costs: rho KL(P1 | a), rho |P1 - a|_1 or (rho / 2) |P1 - a|².
enum class Divergence : int { kl = 0, tv = 1, l2 = 2 };

// min <C,P> + epsilon sum P (log P - 1)  over P >= 0 with row sums a and column sums b, all of them positive.
// C is a row-major matrix, or a distance between points x (n × d) and y (m × d).
struct Problem {
  size_t n = 0, m = 0;
  Metric metric = Metric::dense;
  const double* cost64 = nullptr;
  const float* cost32 = nullptr;
  size_t d = 0;
  const double *x64 = nullptr, *y64 = nullptr;
  const float *x32 = nullptr, *y32 = nullptr;
  const double* a = nullptr;
  const double* b = nullptr;
  double epsilon = 0;
  // Relaxed marginals: penaltyA KL(P1 | a), or another divergence, instead of P1 = a, and the same for b.
  // Infinity: as above.
  Divergence divergence = Divergence::kl;
  double penaltyA = std::numeric_limits<double>::infinity();
  double penaltyB = std::numeric_limits<double>::infinity();
  bool productReference = false;  // with them: the entropic term is epsilon KL(P | a b^T)
  // Partial transport: the last row (column) takes what stays. Its arcs are not in the cost: they are as
  // cheap as the cheapest, and the one between both is forbidden.
  bool borderRow = false, borderColumn = false;
  size_t coreN() const { return n - (borderRow ? 1 : 0); }
  size_t coreM() const { return m - (borderColumn ? 1 : 0); }
  bool relaxed() const { return std::isfinite(penaltyA) || std::isfinite(penaltyB); }
};

// The cost as the passes read it. A dense matrix is borrowed; points are copied once: y by coordinates (so
// that a vector of targets is one load), both less the common mean (so that distances keep their digits),
// unit length for cosine.
template <class T>
class Geometry {
 public:
  explicit Geometry(const Problem& problem);

  size_t n, m;
  Metric metric;
  const double* cost64;
  const float* cost32;
  size_t d = 0;
  size_t pitch = 0;     // of yT
  Aligned<T> x;         // n × d
  Aligned<T> yT;        // d × pitch
  double diameter = 0;  // no cost is larger
  // Inner products by GEMM where a coordinate loop would cost more.
  bool gemm = false;
  // Rows are formed in blocks of blockRows before they are visited: with GEMM, or with a border.
  bool blocks = false;
  size_t blockRows = 1;
  size_t coreN, coreM;  // less the border
  double borderCost = std::numeric_limits<double>::infinity();
  Aligned<T> xx, yy;  // squared lengths, GEMM only
};

// How many chunks the rows are cut into: by the problem alone, so that sums do not depend on the threads.
uint32_t rowChunks(size_t n, size_t m);
struct Range {
  size_t begin, end;
};
inline Range chunkRange(size_t count, uint32_t chunks, uint32_t chunk) {
  return {count * chunk / chunks, count * (chunk + 1) / chunks};
}

// A total that the last chunk of each pass writes in order.
double sum(const double* values, size_t count);

}  // namespace extrema::transport
