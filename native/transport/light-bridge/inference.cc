#include "transport/light-bridge/inference.h"

#include <cmath>
#include <vector>

namespace extrema::transport::bridge {

namespace {

uint32_t chunksOf(size_t rows) {
  return static_cast<uint32_t>(std::min<size_t>(std::max<size_t>(1, (rows + kBlock - 1) / kBlock), 4096));
}

// Calls fn(first, rows, worker) for blocks that make up all rows. Blocks begin at multiples of kBlock.
template <class F>
void forBlocks(Team& team, size_t n, F&& fn) {
  const size_t blocks = (n + kBlock - 1) / kBlock;
  const uint32_t chunks = chunksOf(n);
  team.run(chunks, [&](uint32_t c, unsigned worker) {
    for (size_t b = blocks * c / chunks; b < blocks * (c + 1) / chunks && !team.monitor().cancelled(); b++) {
      fn(b * kBlock, std::min(kBlock, n - b * kBlock), worker);
    }
  });
}

struct Worker {
  Aligned<double> scratch, weights, logSum, uniform, normal;
};

std::vector<Worker> workersOf(const Team& team, const Shape& shape, size_t scratch) {
  std::vector<Worker> workers(team.size());
  for (Worker& worker : workers) {
    worker.scratch = Aligned<double>(scratch);
    worker.weights = Aligned<double>(shape.components * kBlock);
    worker.logSum = Aligned<double>(kBlock);
  }
  return workers;
}

// The first k whose running sum (a column of a K × kBlock matrix) exceeds `uniform` times the whole.
size_t pick(const double* sums, size_t K, double uniform) {
  const double level = uniform * sums[(K - 1) * kBlock];
  size_t low = 0, high = K - 1;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (sums[middle * kBlock] > level) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

// Draws from N(r_k + S_k x0, epsilon S_k), given standard normals z, which are spent.
class Sampler {
 public:
  explicit Sampler(const Mixture& mixture) : mixture_(mixture), root_(std::sqrt(mixture.epsilon)) {}

  void draw(size_t k, const double* x0, double* z, double* x1) const {
    const size_t D = mixture_.dimension;
    const double *r = mixture_.means + k * D, *s = mixture_.scales + k * mixture_.scaleSize();
    if (!mixture_.full) {
      for (size_t i = 0; i < D; i++) x1[i] = r[i] + s[i] * x0[i] + root_ * std::sqrt(s[i]) * z[i];
      return;
    }
    // r + L (L'x0 + sqrt(epsilon) z)
    for (size_t i = 0; i < D; i++) z[i] *= root_;
    for (size_t i = 0; i < D; i++) {
      for (size_t l = 0; l <= i; l++) z[l] += s[i * D + l] * x0[i];
    }
    for (size_t i = 0; i < D; i++) {
      double sum = r[i];
      for (size_t l = 0; l <= i; l++) sum += s[i * D + l] * z[l];
      x1[i] = sum;
    }
  }

 private:
  const Mixture& mixture_;
  const double root_;
};

}  // namespace

void evaluate(const Mixture& mixture, bool source, unsigned threads, const double* x, size_t n,
              double* logSum, double* weights, Monitor& monitor) {
  Team team(std::min(threads, chunksOf(n)), monitor);
  const auto side = source ? sourceSide(mixture) : targetSide(mixture);
  forComponents(team, mixture, [&](Components range) { side->prepare(mixture, range); });
  std::vector<Worker> workers = workersOf(team, mixture, side->scratchSize());
  const size_t K = mixture.components;
  forBlocks(team, n, [&](size_t first, size_t rows, unsigned w) {
    Worker& worker = workers[w];
    side->logits(x + first * mixture.dimension, rows, worker.scratch.data(), worker.weights.data());
    softmax(worker.weights.data(), K, rows, worker.logSum.data());
    std::copy_n(worker.logSum.data(), rows, logSum + first);
    if (weights == nullptr) return;
    for (size_t b = 0; b < rows; b++) {
      for (size_t k = 0; k < K; k++) weights[(first + b) * K + k] = worker.weights[k * kBlock + b];
    }
  });
}

void drift(const Mixture& mixture, double t, unsigned threads, const double* x, size_t n, double* out,
           Monitor& monitor) {
  Team team(std::min(threads, chunksOf(n)), monitor);
  const auto drift = driftOf(mixture);
  forComponents(team, mixture, [&](Components range) { drift->prepare(mixture, t, range); });
  std::vector<Worker> workers = workersOf(team, mixture, drift->scratchSize());
  const size_t D = mixture.dimension;
  forBlocks(team, n, [&](size_t first, size_t rows, unsigned w) {
    drift->evaluate(x + first * D, rows, workers[w].scratch.data(), out + first * D);
  });
}

void sample(const Mixture& mixture, unsigned threads, const double* x, size_t n, size_t count, Stream picks,
            Stream normals, double* out, Monitor& monitor) {
  Team team(std::min(threads, chunksOf(n * count)), monitor);
  const auto side = sourceSide(mixture);
  forComponents(team, mixture, [&](Components range) { side->prepare(mixture, range); });
  std::vector<Worker> workers = workersOf(team, mixture, side->scratchSize());
  const size_t K = mixture.components, D = mixture.dimension;
  for (Worker& worker : workers) {
    worker.uniform = Aligned<double>(kBlock);
    worker.normal = Aligned<double>(kBlock * D);
  }
  const Sampler sampler(mixture);
  // Blocks of draws; the points they start from are those from `point` on.
  forBlocks(team, n * count, [&](size_t first, size_t draws, unsigned w) {
    Worker& worker = workers[w];
    const size_t point = first / count, points = (first + draws - 1) / count - point + 1;
    double* p = worker.weights.data();
    side->logits(x + point * D, points, worker.scratch.data(), p);
    softmax(p, K, points, worker.logSum.data());
    for (size_t i = kBlock; i < K * kBlock; i++) p[i] += p[i - kBlock];  // running sums, for inversion
    picks.uniform(first, worker.uniform.data(), draws);
    normals.normal(first * D, worker.normal.data(), draws * D);
    for (size_t j = 0; j < draws; j++) {
      const size_t b = (first + j) / count - point, k = pick(p + b, K, worker.uniform[j]);
      sampler.draw(k, x + (point + b) * D, worker.normal.data() + j * D, out + (first + j) * D);
    }
  });
}

void trajectories(const Mixture& mixture, unsigned threads, const double* x, size_t n, const double* grid,
                  const double* keep, size_t gridSize, Stream normals, double* out, Monitor& monitor) {
  Team team(std::min<unsigned>(threads, std::max(chunksOf(n), mixture.full ? 16u : 1u)), monitor);
  const auto drift = driftOf(mixture);
  std::vector<Worker> workers = workersOf(team, mixture, drift->scratchSize());
  const size_t D = mixture.dimension;
  for (Worker& worker : workers) worker.normal = Aligned<double>(2 * kBlock * D);
  Aligned<double> state(n * D);
  std::copy_n(x, n * D, state.data());
  size_t kept = 0, count = 0;
  for (size_t s = 0; s < gridSize; s++) count += keep[s] != 0;
  for (size_t s = 0; s < gridSize && !monitor.cancelled(); s++) {
    if (keep[s] != 0) {
      for (size_t i = 0; i < n; i++) std::copy_n(state.data() + i * D, D, out + (i * count + kept) * D);
      kept++;
    }
    if (s + 1 == gridSize) break;
    const double step = grid[s + 1] - grid[s], noise = std::sqrt(mixture.epsilon * step);
    const uint64_t start = s * ((uint64_t{n} * D + 1) / 2 * 2);
    forComponents(team, mixture, [&](Components range) { drift->prepare(mixture, grid[s], range); });
    forBlocks(team, n, [&](size_t first, size_t rows, unsigned w) {
      Worker& worker = workers[w];
      double *at = state.data() + first * D, *g = worker.normal.data() + kBlock * D;
      drift->evaluate(at, rows, worker.scratch.data(), g);
      normals.normal(start + first * D, worker.normal.data(), rows * D);
      for (size_t i = 0; i < rows * D; i++) at[i] += step * g[i] + noise * worker.normal[i];
    });
    monitor.progress(static_cast<double>(s + 1), static_cast<double>(gridSize - s - 2));
  }
}

}  // namespace extrema::transport::bridge
