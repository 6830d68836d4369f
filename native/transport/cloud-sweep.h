#pragma once

#include <atomic>
#include <memory>

#include "transport/passes.h"
#include "transport/span-mask.h"

namespace extrema::transport {

// What a chunk of rows of a sweep reads. log2 P_ij = F_i + G_j - C_ij.
template <class T>
struct CloudView {
  Metric metric;
  size_t d, m, pitch;
  T unit;          // of a cosine; x holds it as a factor
  const T* x;      // n × d
  const T* yT;     // d × pitch, zero padded
  const T* F;      // n
  const T* G;      // pitch, padded with what has no mass
  double inverse;  // 1 / unit of the exponent: log2(e) / epsilon
};

// A share of a sweep: rows of one chunk.
template <class T>
struct CloudChunk {
  const CloudView<T>* view;
  const Monitor* monitor;
  const SpanMask* mask;  // may be null
  Range rows;
  T* p;        // 4 × pitch
  T* columns;  // pitch
};

// What it has left out.
struct LeftOut {
  double entries = 0;
  double scale = 0;  // sum of the factors u_i of the rows concerned
};

LeftOut sweepChunk(const CloudChunk<double>& chunk, const PlanPass& pass, std::atomic<bool>& rescued);
LeftOut sweepChunk(const CloudChunk<float>& chunk, const PlanPass& pass, std::atomic<bool>& rescued);

// The pass of Sinkhorn's iteration between points, `Scaling::sinkhorn` of planPass. Points and potentials are
// brought to the units of the exponent once, so that an entry is a difference, a square and a power of two
// per coordinate and entry; four rows are formed side by side. With a mask, pairs of blocks without
// mass are left out:
//
// The mask is that of the potentials before the sweep, so it has a margin of 1e-4: a row whose sum comes out
// below that share of its weight has lost digits and is formed in full, with the three beside it; if a column
// does, the sweep is made again in full, and the next ones too, twice as many after each failure. So no sum
// lacks more than the share 1e-12.
template <class T>
class CloudSweep {
 public:
  // Whether the entries of the problem are formed by coordinates, in numbers that T can hold.
  static bool fits(const Geometry<T>& geometry, double epsilon);

  CloudSweep(const Problem& problem, const Geometry<T>& geometry, const Workspace<T>& workspace,
             bool truncated);

  // As planPass with a, scale, shift, rowSum, columnSum. Returns the number of passes.
  int run(Team& team, Workspace<T>& workspace, PlanPass& pass);

  // Share of the entries of all passes so far that have been left out.
  double skipped() const { return formed_ + left_ > 0 ? left_ / (formed_ + left_) : 0; }

 private:
  void sweep(Team& team, Workspace<T>& workspace, PlanPass& pass, const SpanMask* mask);
  bool sound(const PlanPass& pass) const;

  const Problem& problem_;
  CloudView<T> view_;
  Aligned<T> x_, yT_, F_, G_;
  std::vector<Aligned<T>> rows_;  // four, per worker
  std::unique_ptr<SpanMask> mask_;
  std::vector<LeftOut> leftOut_;  // per chunk
  double formed_ = 0, left_ = 0;
  int pause_ = 0, longest_ = 1;
};

}  // namespace extrema::transport
