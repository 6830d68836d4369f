#pragma once

#include "transport/light-bridge/loss.h"

namespace extrema::transport::bridge {

struct FitSettings {
  double learningRate = 0;
  bool cosine = true;     // the learning rate decays to zero over `total` iterations
  double batch = 0;       // rows of a minibatch on each side
  double first = 0;       // number of the first iteration: Adam goes on where an earlier call ended
  double iterations = 0;  // of this call
  double total = 0;       // of all calls
  double tolerance = 0;   // on the largest derivative of the objective by theta
  double checkEvery = 0;  // iterations between two looks at all evaluation rows
  unsigned threads = 1;
};

// Points in random order. Minibatches are windows onto them that go round and round: `rows` different points,
// the first `batch` of them again behind the last one. The first `evaluated` are what the loss is measured
// on.
struct Data {
  const double* points;
  size_t rows, evaluated;
};

enum class FitStatus : int { converged = 0, iterationLimit = 1, timeLimit = 2, stalled = 3, diverged = 4 };

struct FitReport {
  FitStatus status = FitStatus::iterationLimit;
  double iterations = 0;
  double residual = 0;  // the largest derivative in size, as last measured
  double loss = 0;
};

// The loss of each iteration, as many as fit.
class History {
 public:
  History(double* data, size_t capacity) : data_(data), capacity_(capacity) {}
  void set(double iteration, double loss) noexcept {
    if (iteration < static_cast<double>(capacity_)) data_[static_cast<size_t>(iteration)] = loss;
  }

 private:
  double* data_;
  size_t capacity_;
};

// In parts: each call but the first starts from the report of the one before, and only the last of them
// measures at its end; `checkEvery` counts within a call. theta: start and result. moments (2 × size):
// Adam's, zero at the start.
void adam(const Shape& shape, Objective& objective, const FitSettings& settings, const Data& source,
          const Data& target, double* theta, double* moments, History& history, FitReport& report,
          Monitor& monitor);

// On all evaluation rows at once, by L-BFGS. The history is of the losses after each iteration.
void lbfgs(const Shape& shape, Objective& objective, const FitSettings& settings, const Data& source,
           const Data& target, double* theta, History& history, FitReport& report, Monitor& monitor);

}  // namespace extrema::transport::bridge
