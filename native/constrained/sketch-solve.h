#pragma once

#include <cstdint>

#include "constrained/row-blocks.h"
#include "constrained/system.h"
#include "core/monitor.h"

namespace extrema::constrained {

// In the order of `sketchKinds` in lib/backend/constrained.ts.
enum class Sketch : int {
  kaczmarz = 0,
  gaussian = 1,
  gaussianBlock = 2,
  countSketch = 3,
  rows = 4,
  blocks = 5
};

struct SketchSettings {
  Sketch sketch = Sketch::kaczmarz;
  size_t blockSize = 1;
  bool byNorm = false;
  double maxSketches = 0;
  double threshold = 0;  // ends when |A z - b| is at most this
  double rounding = 0;   // or this times |z|: no sketch gets below that
  double coarse = 0;     // or this, and descent·z <= descentBound
  double descentBound = 0;
  uint64_t drawn = 0;  // sketches that the stream has given before
  unsigned threads = 1;
  const uint32_t* key = nullptr;
  FactoredBlocks blocks;
};

struct SketchReport {
  Ended ended = Ended::converged;
  double sketches = 0;
  double residual = 0;
  double rows = 0;   // of A, read
  double flops = 0;  // floating-point operations
};

// Sketch-and-project (Gower, Richtárik 2015) for a consistent system, from z on:
//   z <- z - AᵀS (Sᵀ A Aᵀ S)† Sᵀ (A z - b),
// which is step 4 of AdaSketch-Newton with the symmetric A = Γ. `descent` may be null.
void sketchSolve(const System& a, const double* b, const double* descent, const SketchSettings& settings,
                 double* z, SketchReport& report, Monitor& monitor);

}  // namespace extrema::constrained
