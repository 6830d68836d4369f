#include "transport/light-bridge/loss.h"

#include <cmath>

#include "simd/math.h"

namespace extrema::transport::bridge {

Coordinates::Coordinates(const Shape& shape, double floor)
    : means_(shape.components * shape.dimension),
      scales_(shape.components * shape.scaleSize()),
      floor_(floor),
      root_(std::sqrt(floor)) {
  static_cast<Shape&>(mixture_) = shape;
  mixture_.means = means_.data();
  mixture_.scales = scales_.data();
}

const Mixture& Coordinates::expand(const double* theta) {
  const size_t K = mixture_.components, D = mixture_.dimension;
  const double unit = std::sqrt(mixture_.epsilon);
  const double *mean = theta + K, *scale = mean + K * D;
  mixture_.logWeights = theta;
  for (size_t i = 0; i < K * D; i++) means_[i] = unit * mean[i];
  if (mixture_.full) {
    std::copy_n(scale, scales_.size(), scales_.data());
    for (size_t k = 0; k < K; k++) {
      for (size_t i = 0; i < D; i++) {
        double& diagonal = scales_[(k * D + i) * D + i];
        diagonal = root_ + std::exp(diagonal);
      }
    }
  } else {
    expArray(scale, scales_.data(), scales_.size());
    for (double& value : scales_) value += floor_;
  }
  return mixture_;
}

void Coordinates::pull(double* gradient) const {
  const size_t K = mixture_.components, D = mixture_.dimension;
  const double unit = std::sqrt(mixture_.epsilon);
  double *mean = gradient + K, *scale = mean + K * D;
  for (size_t i = 0; i < K * D; i++) mean[i] *= unit;
  if (mixture_.full) {
    for (size_t k = 0; k < K; k++) {
      for (size_t i = 0; i < D; i++)
        scale[(k * D + i) * D + i] *= mixture_.scales[(k * D + i) * D + i] - root_;
    }
  } else {
    for (size_t i = 0; i < K * D; i++) scale[i] *= mixture_.scales[i] - floor_;
  }
}

Loss::Loss(const Shape& shape, double floor)
    : shape_(shape), coordinates_(shape, floor), source_(sourceSide(shape)), target_(targetSide(shape)) {}

// By the shape of the problem alone. Sums of full matrices are large: no more than 128 MiB of them.
uint32_t Loss::chunksOf(size_t rows) const {
  const double blocks = std::ceil(static_cast<double>(rows) / kBlock);
  const double memory = static_cast<double>(size_t{1} << 23) / static_cast<double>(source_->sumSize());
  return static_cast<uint32_t>(std::max(1.0, std::min({blocks, memory, 16.0})));
}

void Loss::addChunk(const Monitor& monitor, const Side& side, const Points& points, uint32_t chunks,
                    uint32_t chunk, Worker& worker, Partial& partial) const {
  if (worker.logits.empty()) {
    worker.logits = Aligned<double>((shape_.components + 1) * kBlock);
    worker.scratch = Aligned<double>(std::max(source_->scratchSize(), target_->scratchSize()));
  }
  if (partial.sums.empty()) partial.sums = Aligned<double>(side.sumSize());
  partial.sums.clear();
  partial.value = 0;
  double *logits = worker.logits.data(), *logSum = logits + shape_.components * kBlock;
  const size_t end = points.rows * (chunk + 1) / chunks;
  for (size_t i = points.rows * chunk / chunks; i < end && !monitor.cancelled(); i += kBlock) {
    const size_t rows = std::min(kBlock, end - i);
    const double* x = points.data + i * shape_.dimension;
    side.logits(x, rows, worker.scratch.data(), logits);
    softmax(logits, shape_.components, rows, logSum);
    side.add(x, rows, logits, worker.scratch.data(), partial.sums.data());
    for (size_t b = 0; b < rows; b++) partial.value += logSum[b];
  }
}

double Loss::evaluate(Team& team, const double* theta, Points source, Points target, uint64_t,
                      double* gradient) {
  const Mixture& mixture = coordinates_.expand(theta);
  forComponents(team, shape_, [&](Components range) {
    source_->prepare(mixture, range);
    target_->prepare(mixture, range);
  });
  const uint32_t sourceChunks = chunksOf(source.rows), targetChunks = chunksOf(target.rows);
  const uint32_t chunks = sourceChunks + targetChunks;
  if (partials_.size() < chunks) partials_.resize(chunks);
  if (workers_.size() < team.size()) workers_.resize(team.size());
  team.run(chunks, [&](uint32_t c, unsigned w) {
    if (c < sourceChunks) {
      addChunk(team.monitor(), *source_, source, sourceChunks, c, workers_[w], partials_[c]);
    } else {
      addChunk(team.monitor(), *target_, target, targetChunks, c - sourceChunks, workers_[w], partials_[c]);
    }
  });
  if (team.monitor().cancelled()) return 0;
  const auto total = [&](uint32_t first, uint32_t count) {
    double value = partials_[first].value;
    double* sums = partials_[first].sums.data();
    for (uint32_t c = first + 1; c < first + count; c++) {
      value += partials_[c].value;
      const double* part = partials_[c].sums.data();
      for (size_t i = 0; i < partials_[c].sums.size(); i++) sums[i] += part[i];
    }
    return value;
  };
  const double n = static_cast<double>(source.rows), m = static_cast<double>(target.rows);
  const double logC = total(0, sourceChunks) / n, logV = total(sourceChunks, targetChunks) / m;
  std::fill_n(gradient, shape_.size(), 0.0);
  forComponents(team, shape_, [&](Components range) {
    source_->differentiate(mixture, partials_[0].sums.data(), 1 / n, gradient, range);
    target_->differentiate(mixture, partials_[sourceChunks].sums.data(), -1 / m, gradient, range);
  });
  coordinates_.pull(gradient);
  return logC - logV;
}

double largest(const double* values, size_t count) {
  double most = 0;
  for (size_t i = 0; i < count; i++) {
    const double size = std::fabs(values[i]);
    if (!(size <= most)) most = size;
    if (std::isnan(most)) return most;
  }
  return most;
}

}  // namespace extrema::transport::bridge
