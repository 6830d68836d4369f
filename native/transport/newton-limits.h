#pragma once

#include <cstddef>

namespace extrema::transport {

// What sparse Newton steps after sweeps go by, with kept and with penalised marginals.
constexpr double kStageTolerance = 1e-2;  // of all stages but the last
constexpr int kStageIterations = 30;      // at most, of all stages but the last
constexpr int kEntrySweeps = 3;
constexpr int kFallbackSweeps = 5;
constexpr int kDenseSweeps = 2;
constexpr double kWarmError = 0.2;    // at most, of a warm start in the stage that begins with it
constexpr double kMostBlocks = 10;    // of sweeps to wait for: Newton takes about as long
constexpr double kInexactness = 0.1;  // of the Newton direction, at most
constexpr size_t kMostConjugateGradients = 2000;
constexpr int kMostShifts = 6;
constexpr double kLeastStep = 1.0 / 32, kLeastShiftedStep = 1.0 / 8;

}  // namespace extrema::transport
