// Gu, Song, Yin, Zhang, "Low rank matrix completion via robust alternating minimization in nearly linear
// time" (arXiv 2302.11068), algorithm 3, and what users of alternating least squares expect beside it.

#include "lowrank/completion/complete.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <tuple>
#include <vector>

#include "core/error.h"
#include "core/team.h"
#include "lowrank/completion/dense.h"
#include "lowrank/completion/rows.h"
#include "lowrank/completion/spectral.h"
#include "random/philox.h"
#include "random/random.h"

namespace extrema::lowrank {

namespace {

constexpr double kLargestInner = 0.1;  // the error-tolerant schedule: min(0.1, a tenth of the residual)
constexpr double kInnerShare = 0.1;
constexpr double kLeastScale = 1e-3;  // of the greatest singular value, to scale the start by
constexpr size_t kPairs = 8192;       // products at a time

// The rows or the columns of the matrix. A row of z is (own bias, factor) while it is being solved for, and
// (c, factor) with a constant c while it is held fixed, if there are biases.
struct Side {
  Lines lines;
  size_t count = 0;
  Aligned<double> z, bias;
};

struct HalfResult {
  double change = 0, size = 0, rest = 0;  // squares
  Counts counts;
};

class Completer {
 public:
  Completer(const Completion& p, Monitor& monitor)
      : p_(p),
        monitor_(monitor),
        team_(p.threads, monitor),
        first_(p.biases ? 1 : 0),
        unknowns_(p.rank + first_),
        pitch_(pitchOf(unknowns_)),
        orthonormal_(p.regularization == 0 && !p.nonNegative),
        ridge_(unknowns_),
        scale_(unknowns_),
        metric_(unknowns_ * unknowns_),
        square_(p.rank * p.rank),
        values_(p.rank),
        vectors_(p.rank * p.rank) {}

  void run() {
    read();
    if (monitor_.cancelled()) return;
    start();
    if (monitor_.cancelled()) return;
    iterate();
    if (monitor_.cancelled()) return;
    write();
  }

 private:
  void read() {
    arrange(p_.entries, rows_.lines, columns_.lines, monitor_);
    if (p_.held.count > 0) checkEntries(p_.held, monitor_);
    if (monitor_.cancelled()) return;
    rows_.count = p_.entries.m;
    columns_.count = p_.entries.n;
    for (Side* side : {&rows_, &columns_}) {
      side->z = Aligned<double>(side->count * pitch_);
      side->bias = Aligned<double>(side->count);
    }
    const Lines& lines = rows_.lines;
    for (size_t i = 0; i < rows_.count; i++)
      p_.rowCounts[i] = static_cast<int32_t>(lines.start[i + 1] - lines.start[i]);
    for (size_t j = 0; j < columns_.count; j++)
      p_.columnCounts[j] = static_cast<int32_t>(columns_.lines.start[j + 1] - columns_.lines.start[j]);
    const size_t entries = lines.entries();
    if (p_.biases) {
      double sum = 0, weights = 0;
      for (size_t k = 0; k < entries; k++) {
        sum += lines.weight(k) * lines.value(k);
        weights += lines.weight(k);
      }
      mean_ = weights > 0 ? sum / weights : 0;
    }
    for (size_t k = 0; k < entries; k++) {
      const double weight = lines.weight(k), value = lines.value(k) - mean_;
      if (p_.confidence > 0) {
        const double more = p_.confidence * lines.value(k);
        weight_ += more;
        squares_ += 1 + more;
        constant_ += (1 + more) / more;
      } else {
        weight_ += weight;
        squares_ += weight * value * value;
      }
    }
    if (p_.confidence > 0) weight_ += static_cast<double>(rows_.count) * static_cast<double>(columns_.count);
    checkSize(squares_);
  }

  static void checkSize(double squares) {
    if (!std::isfinite(squares))
      throw Error("ERR_NOT_FINITE",
                  "values: expected numbers whose squares have a finite sum, got larger ones");
  }

  // The paper's steps 1 and 2: U from the first part of the observations.
  void start() {
    Lines some[2];
    const Lines *byRow = &rows_.lines, *byColumn = &columns_.lines;
    if (!p_.reuse) {
      part(rows_.lines, false, 0, some[0]);
      part(columns_.lines, true, 0, some[1]);
      byRow = &some[0];
      byColumn = &some[1];
    }
    if (p_.spectral) {
      spectral(*byRow, *byColumn);
    } else {
      random();
    }
    if (p_.nonNegative) {
      for (Side* side : {&rows_, &columns_})
        for (size_t at = 0; at < side->z.size(); at++) side->z[at] = std::fabs(side->z[at]);
    }
  }

  void random() {
    const size_t count = rows_.count * p_.rank;
    Aligned<double> normals(count);
    const uint32_t counter[4] = {0, 0, 1, 0x7ffffff0};
    fillNormal(p_.key, counter, normals.data(), count);
    const double rms = weight_ > 0 ? squares_ / weight_ : 0;
    const double scale = orthonormal_ || rms == 0 ? 1 : std::pow(rms / static_cast<double>(p_.rank), 0.25);
    for (size_t i = 0; i < rows_.count; i++)
      for (size_t k = 0; k < p_.rank; k++)
        rows_.z[i * pitch_ + first_ + k] = scale * normals[i * p_.rank + k];
  }

  void spectral(const Lines& byRow, const Lines& byColumn) {
    Spectral s{&byRow, &byColumn, mean_, p_.confidence > 0, p_.rank, p_.key, {}, {}, {}};
    spectralStart(s, team_);
    if (monitor_.cancelled()) return;
    const size_t rank = p_.rank, m = rows_.count, n = columns_.count;
    // Entries that were not observed count as zeros: all is too small by the share of those that were.
    double seen = 0;
    for (size_t k = 0; k < byRow.entries(); k++) seen += byRow.weight(k);
    const double share =
        p_.confidence > 0 || seen == 0 ? 1 : seen / (static_cast<double>(m) * static_cast<double>(n));
    orthonormalize(team_, {s.left.data(), m, rank, 0, rank}, square_.data(), Missing::refill, p_.key);
    if (p_.incoherence > 0) {
      const double most = 2 * p_.incoherence * std::sqrt(static_cast<double>(rank) / static_cast<double>(m));
      for (size_t at = 0; at < m * rank; at++)
        if (std::fabs(s.left[at]) > most) s.left[at] = 0;
    }
    for (size_t k = 0; k < rank; k++) {
      const double greatest = s.values[0] > 0 ? s.values[0] / share : 1;
      const double sigma = std::max(s.values[k] / share, kLeastScale * greatest);
      const double root = orthonormal_ ? 1 : std::sqrt(sigma);
      for (size_t i = 0; i < m; i++) rows_.z[i * pitch_ + first_ + k] = s.left[i * rank + k] * root;
      for (size_t j = 0; j < n; j++)
        columns_.z[j * pitch_ + first_ + k] = s.product[j * rank + k] / (share * root);
    }
  }

  // The entries of set `number` of the 2T + 1 into which the observations are split at random.
  void part(const Lines& lines, bool turned, uint32_t number, Lines& out) const {
    const auto sets = static_cast<uint64_t>(2 * p_.maxIterations + 1);
    out.count = lines.count;
    out.across = lines.across;
    out.start.assign(lines.count + 1, 0);
    std::vector<size_t> chosen;
    for (size_t i = 0; i < lines.count; i++) {
      if (i % 256 == 0 && monitor_.cancelled()) break;
      for (size_t k = lines.start[i]; k < lines.start[i + 1]; k++) {
        const auto own = static_cast<uint32_t>(i), other = static_cast<uint32_t>(lines.index[k]);
        const uint32_t counter[4] = {turned ? other : own, turned ? own : other, 0, 0x7ffffff1};
        uint32_t block[4];
        philox(p_.key, counter, block);
        if ((block[0] * sets) >> 32 == number) chosen.push_back(k);
      }
      out.start[i + 1] = chosen.size();
    }
    for (size_t i = 0; i < lines.count; i++) out.start[i + 1] = std::max(out.start[i + 1], out.start[i]);
    out.index = Aligned<int32_t>(chosen.size());
    out.values64 = Aligned<double>(chosen.size());
    if (!lines.weights.empty()) out.weights = Aligned<double>(chosen.size());
    for (size_t at = 0; at < chosen.size(); at++) {
      out.index[at] = lines.index[chosen[at]];
      out.values64[at] = lines.value(chosen[at]);
      if (!lines.weights.empty()) out.weights[at] = lines.weights[chosen[at]];
    }
    out.cut();
  }

  Tall factorOf(Side& side) const { return {side.z.data(), side.count, pitch_, first_, p_.rank}; }

  // Chooses a basis of the fixed factor in which the regressions are well conditioned, and takes the other
  // factor along, so that it remains the start it was.
  void prepare(Side& fixed, Side& open) {
    double constant = 1;
    if (orthonormal_) {
      // Q R = U, R into the other factor. With biases, Q is orthogonal to the constant too.
      if (p_.biases) {
        centre(fixed, open);
        constant = 1 / std::sqrt(static_cast<double>(fixed.count));
      }
      orthonormalize(team_, factorOf(fixed), square_.data(), Missing::refill, p_.key);
      turned(square_.data());
      timesSquare(team_, factorOf(open), vectors_.data());
      std::fill(scale_.begin(), scale_.end(), 1.0);
    } else if (!p_.nonNegative) {
      // A rotation, which leaves the ridge as it is, makes Uᵀ U diagonal.
      rotate(fixed, open);
      for (size_t k = 0; k < p_.rank; k++) scale_[first_ + k] = std::max(0.0, values_[k]);
    }
    if (p_.biases) {
      for (size_t i = 0; i < fixed.count; i++) fixed.z[i * pitch_] = constant;
      for (size_t j = 0; j < open.count; j++) open.z[j * pitch_] = open.bias[j] / constant;
      if (!orthonormal_) scale_[0] = static_cast<double>(fixed.count);
    }
    constantZ_ = constant;
    full_ = !orthonormal_ && (p_.biases || p_.nonNegative);
    if (full_) gramOf(team_, {fixed.z.data(), fixed.count, pitch_, 0, unknowns_}, metric_.data());
    if (p_.nonNegative)
      for (size_t k = 0; k < unknowns_; k++) scale_[k] = metric_[k * unknowns_ + k];
    for (size_t k = 0; k < unknowns_; k++) {
      ridge_[k] = p_.regularization;
      if (p_.confidence > 0 && !p_.nonNegative) ridge_[k] += scale_[k];
    }
  }

  // vectors_ = transpose of a rank × rank matrix.
  void turned(const double* matrix) {
    for (size_t i = 0; i < p_.rank; i++)
      for (size_t j = 0; j < p_.rank; j++) vectors_[j * p_.rank + i] = matrix[i * p_.rank + j];
  }

  void rotate(Side& by, Side& other) {
    gramOf(team_, factorOf(by), square_.data());
    Aligned<double> rows(p_.rank * p_.rank);
    symmetricEigen(square_.data(), p_.rank, values_.data(), rows.data());
    turned(rows.data());
    timesSquare(team_, factorOf(by), vectors_.data());
    timesSquare(team_, factorOf(other), vectors_.data());
  }

  // The mean of the factor's rows goes into the biases of the other side.
  void centre(Side& side, Side& other) {
    std::vector<double> mean(p_.rank, 0.0);
    for (size_t i = 0; i < side.count; i++)
      for (size_t k = 0; k < p_.rank; k++) mean[k] += side.z[i * pitch_ + 1 + k];
    for (double& value : mean) value /= static_cast<double>(side.count);
    for (size_t i = 0; i < side.count; i++)
      for (size_t k = 0; k < p_.rank; k++) side.z[i * pitch_ + 1 + k] -= mean[k];
    for (size_t j = 0; j < other.count; j++)
      for (size_t k = 0; k < p_.rank; k++) other.bias[j] += other.z[j * pitch_ + 1 + k] * mean[k];
  }

  // xᵀ (Fᵀ F) x for the features F.
  double square(const double* x) const {
    double sum = 0;
    if (!full_) {
      for (size_t k = 0; k < unknowns_; k++) sum += scale_[k] * x[k] * x[k];
      return sum;
    }
    for (size_t k = 0; k < unknowns_; k++) {
      double inner = 0;
      for (size_t l = 0; l < unknowns_; l++) inner += metric_[k * unknowns_ + l] * x[l];
      sum += x[k] * inner;
    }
    return sum;
  }

  HalfStep stepFor(const Lines& lines, const Side& fixed) {
    HalfStep step;
    step.lines = &lines;
    step.features = fixed.z.data();
    if (p_.single) {
      if (fixed32_.empty()) fixed32_ = Aligned<float>(std::max(rows_.z.size(), columns_.z.size()));
      for (size_t at = 0; at < fixed.z.size(); at++) fixed32_[at] = static_cast<float>(fixed.z[at]);
      step.features32 = fixed32_.data();
    }
    step.offset = p_.biases ? fixed.bias.data() : nullptr;
    step.mean = mean_;
    step.confidence = p_.confidence;
    step.rank = unknowns_;
    step.ridge = ridge_.data();
    step.base = p_.confidence > 0 && p_.nonNegative ? metric_.data() : nullptr;
    step.scale = meanScale_.data();
    step.nonNegative = p_.nonNegative;
    step.free = first_;
    step.solver = p_.solver;
    step.inner = p_.inner;
    step.sketch = p_.sketch;
    step.sketchRows = p_.solver == Solver::sketched || p_.solver == Solver::gradient ? p_.sketchRows : 0;
    step.repeats = p_.repeats;
    step.tolerance = inner_;
    step.mostSteps = p_.innerIterations;
    step.key[0] = p_.key[0];
    step.key[1] = p_.key[1];
    step.number = number_;
    return step;
  }

  std::vector<std::unique_ptr<Regression>> workers(const HalfStep& step, size_t longest) {
    std::vector<std::unique_ptr<Regression>> all;
    for (unsigned worker = 0; worker < team_.size(); worker++)
      all.push_back(std::make_unique<Regression>(step, longest, monitor_));
    return all;
  }

  // Solves for `open` with `fixed` as it is: the paper's step 3 or 4.
  HalfResult halfStep(const Lines& lines, Side& fixed, Side& open, bool rest) {
    prepare(fixed, open);
    meanScale_.assign(unknowns_, 0);
    for (size_t k = 0; k < unknowns_; k++) meanScale_[k] = scale_[k] / static_cast<double>(fixed.count);
    number_++;
    const HalfStep step = stepFor(lines, fixed);
    if (regressions_.empty())
      regressions_ = workers(step, std::max(rows_.lines.longest, columns_.lines.longest));
    const uint32_t chunks = lines.chunkCount();
    std::vector<HalfResult> results(chunks);
    std::vector<Aligned<double>> before;
    for (unsigned worker = 0; worker < team_.size(); worker++) before.emplace_back(pitch_);
    team_.run(chunks, [&](uint32_t chunk, unsigned worker) {
      HalfResult result;
      double* old = before[worker].data();
      for (size_t i = lines.chunks[chunk]; i < lines.chunks[chunk + 1] && !monitor_.cancelled(); i++) {
        double* x = &open.z[i * pitch_];
        std::copy_n(x, pitch_, old);
        result.rest += regressions_[worker]->solve(step, i, x, rest, result.counts);
        if (p_.biases) open.bias[i] = x[0] * constantZ_;
        for (size_t k = 0; k < unknowns_; k++) old[k] = x[k] - old[k];
        result.change += square(old);
        result.size += square(x);
      }
      results[chunk] = result;
    });
    HalfResult total;
    for (const HalfResult& result : results) {
      total.change += result.change;
      total.size += result.size;
      total.rest += result.rest;
      total.counts.add(result.counts);
    }
    counts_.add(total.counts);
    regressionCount_ += static_cast<double>(open.count);
    return total;
  }

  void iterate() {
    double ratio = 1, residual = INFINITY, best = INFINITY;
    size_t bestAt = 0, iterations = 0;
    Ended ended = Ended::iterationLimit;
    Aligned<double> kept[4];
    for (size_t t = 0; t < p_.maxIterations; t++) {
      inner_ = p_.innerTolerance >= 0
                   ? p_.innerTolerance
                   : std::min({kLargestInner, kInnerShare * ratio, kInnerShare * std::min(1.0, residual)});
      Lines some[2];
      const Lines *byColumn = &columns_.lines, *byRow = &rows_.lines;
      if (!p_.reuse) {
        part(columns_.lines, true, static_cast<uint32_t>(t + 1), some[0]);
        part(rows_.lines, false, static_cast<uint32_t>(p_.maxIterations + t + 1), some[1]);
        byColumn = &some[0];
        byRow = &some[1];
      }
      // Under a ridge alternation shifts size between the factors very slowly: 4 lambda / sigma an iteration.
      if (t > 0 && !orthonormal_ && !p_.nonNegative) balance();
      const HalfResult first = halfStep(*byColumn, rows_, columns_, false);
      if (monitor_.cancelled()) return;
      const HalfResult second = halfStep(*byRow, columns_, rows_, true);
      if (monitor_.cancelled()) return;
      iterations = t + 1;
      residual = second.size > 0 ? std::sqrt((first.change + second.change) / second.size) : 0;
      const double loss = lossOf(second.rest, second.size);
      if (!std::isfinite(residual) || !std::isfinite(loss))
        throw Error("ERR_NOT_FINITE", "values: expected numbers whose products stay finite, got larger ones");
      ratio = squares_ > 0 ? std::sqrt(std::max(0.0, loss) / squares_) : 0;
      const double held = p_.held.count > 0 ? heldRmse() : 0;
      double* history = p_.history + 4 * t;
      history[0] = residual;
      history[1] = weight_ > 0 ? std::sqrt(std::max(0.0, loss) / weight_) : 0;
      history[2] = held;
      history[3] = loss + penalty();
      monitor_.progress(static_cast<double>(iterations), residual);
      if (p_.held.count > 0 && held < best) {
        best = held;
        bestAt = t;
        keep(kept);
      }
      if (residual <= p_.tolerance) {
        ended = Ended::converged;
        break;
      }
      if (p_.held.count > 0 && t - bestAt >= p_.patience) {
        ended = Ended::stalled;
        break;
      }
      if (monitor_.expired()) {
        ended = Ended::timeLimit;
        break;
      }
    }
    if (p_.held.count > 0 && bestAt + 1 < iterations) restore(kept);
    p_.report[0] = static_cast<double>(static_cast<int>(ended));
    p_.report[1] = static_cast<double>(iterations);
    p_.report[2] = residual;
    p_.report[3] = p_.held.count > 0 ? static_cast<double>(bestAt + 1) : static_cast<double>(iterations);
    p_.report[4] = best;
    p_.report[6] = counts_.steps;
    p_.report[7] = regressionCount_;
    p_.report[8] = counts_.diverged;
    p_.report[9] = counts_.deficient;
    p_.report[11] = static_cast<double>(rows_.lines.entries());
  }

  // With implicit feedback over all entries: sum c (p - x)².
  double lossOf(double rest, double size) const { return p_.confidence > 0 ? rest - constant_ + size : rest; }

  double penalty() const {
    if (p_.regularization == 0) return 0;
    double sum = 0;
    for (const Side* side : {&rows_, &columns_}) {
      for (size_t i = 0; i < side->count; i++) {
        for (size_t k = 0; k < p_.rank; k++) {
          const double value = side->z[i * pitch_ + first_ + k];
          sum += value * value;
        }
        sum += side->bias[i] * side->bias[i];
      }
    }
    return p_.regularization * sum;
  }

  double heldRmse() {
    const Entries& held = p_.held;
    const auto chunks = static_cast<uint32_t>((held.count + kPairs - 1) / kPairs);
    std::vector<double> sums(chunks);
    std::vector<Aligned<double>> scratch;
    for (unsigned worker = 0; worker < team_.size(); worker++) scratch.emplace_back(kPairs);
    team_.run(chunks, [&](uint32_t chunk, unsigned worker) {
      const size_t from = chunk * kPairs, count = std::min(kPairs, held.count - from);
      double* product = scratch[worker].data();
      pairProducts(rows_.z.data(), columns_.z.data(), pitch_, held.rows + from, held.columns + from, count,
                   product);
      double sum = 0;
      for (size_t e = 0; e < count; e++) {
        const double target =
            p_.confidence > 0 ? (held.values.at(from + e) > 0 ? 1 : 0) : held.values.at(from + e);
        const double bias = p_.biases ? columns_.bias[static_cast<size_t>(held.columns[from + e])] : 0;
        const double rest = target - mean_ - bias - product[e];
        sum += rest * rest;
      }
      sums[chunk] = sum;
    });
    double total = 0;
    for (const double sum : sums) total += sum;
    return std::sqrt(total / static_cast<double>(held.count));
  }

  void keep(Aligned<double>* kept) {
    const Aligned<double>* sources[] = {&rows_.z, &columns_.z, &rows_.bias, &columns_.bias};
    for (int i = 0; i < 4; i++) {
      if (kept[i].empty()) kept[i] = Aligned<double>(sources[i]->size());
      std::copy_n(sources[i]->data(), sources[i]->size(), kept[i].data());
    }
  }
  void restore(const Aligned<double>* kept) {
    Aligned<double>* targets[] = {&rows_.z, &columns_.z, &rows_.bias, &columns_.bias};
    for (int i = 0; i < 4; i++) std::copy_n(kept[i].data(), kept[i].size(), targets[i]->data());
  }

  // The training error of what is returned, over all observations; then a form of the factors that is unique.
  void write() {
    if (!p_.reuse || p_.report[3] < p_.report[1]) {
      const double constant = constantZ_;
      if (p_.biases) {
        for (size_t i = 0; i < rows_.count; i++) rows_.z[i * pitch_] = rows_.bias[i] / constant;
        for (size_t j = 0; j < columns_.count; j++) columns_.z[j * pitch_] = constant;
      }
      p_.report[5] = wholeRmse();
    } else {
      p_.report[5] = p_.history[4 * (static_cast<size_t>(p_.report[1]) - 1) + 1];
    }
    if (orthonormal_) {
      if (p_.biases) gatherMeans();
      balance();
    } else if (!p_.nonNegative) {
      rotate(columns_, rows_);
    }
    if (!p_.nonNegative) fixSigns();
    p_.report[10] = mean_;
    for (const auto& [side, factor, bias] :
         {std::tuple{&rows_, p_.u, p_.rowBias}, std::tuple{&columns_, p_.v, p_.columnBias}}) {
      for (size_t i = 0; i < side->count; i++)
        std::copy_n(&side->z[i * pitch_ + first_], p_.rank, factor + i * p_.rank);
      if (p_.biases) std::copy_n(side->bias.data(), side->count, bias);
    }
  }

  double wholeRmse() {
    const Lines& lines = rows_.lines;
    HalfStep step = stepFor(lines, columns_);
    std::vector<double> rests(lines.chunkCount()), sizes(lines.chunkCount());
    if (p_.confidence > 0) {
      gramOf(team_, {columns_.z.data(), columns_.count, pitch_, 0, unknowns_}, metric_.data());
      full_ = true;
    }
    team_.run(lines.chunkCount(), [&](uint32_t chunk, unsigned worker) {
      double rest = 0, size = 0;
      for (size_t i = lines.chunks[chunk]; i < lines.chunks[chunk + 1]; i++) {
        rest += regressions_[worker]->restOf(step, i, &rows_.z[i * pitch_]);
        if (p_.confidence > 0) size += square(&rows_.z[i * pitch_]);
      }
      rests[chunk] = rest;
      sizes[chunk] = size;
    });
    double rest = 0, size = 0;
    for (const double value : rests) rest += value;
    for (const double value : sizes) size += value;
    return weight_ > 0 ? std::sqrt(std::max(0.0, lossOf(rest, size)) / weight_) : 0;
  }

  // All means of the factors and biases go into the mean.
  void gatherMeans() {
    centre(columns_, rows_);
    centre(rows_, columns_);
    for (Side* side : {&rows_, &columns_}) {
      double mean = 0;
      for (const double value : side->bias) mean += value;
      mean /= static_cast<double>(side->count);
      for (double& value : side->bias) value -= mean;
      mean_ += mean;
    }
  }

  // U = P √S, V = W √S for the singular value decomposition P S Wᵀ of U Vᵀ: of all factors of that product
  // those for which |U|² + |V|² is least.
  void balance() {
    const size_t k = p_.rank;
    std::vector<double> left(k * k), right(k * k), core(k * k), gram(k * k), basis(k * k), toU(k * k),
        toV(k * k);
    orthonormalize(team_, factorOf(rows_), left.data(), Missing::zero, p_.key);
    orthonormalize(team_, factorOf(columns_), right.data(), Missing::zero, p_.key);
    for (size_t i = 0; i < k; i++)
      for (size_t j = 0; j < k; j++)
        for (size_t l = 0; l < k; l++) core[i * k + j] += left[i * k + l] * right[j * k + l];
    for (size_t i = 0; i < k; i++)
      for (size_t j = 0; j < k; j++)
        for (size_t l = 0; l < k; l++) gram[i * k + j] += core[i * k + l] * core[j * k + l];
    symmetricEigen(gram.data(), k, values_.data(), basis.data());
    for (size_t c = 0; c < k; c++) {
      // Row c of Pᵀ core is the singular value times a row of Wᵀ.
      double squares = 0;
      std::vector<double> row(k, 0.0);
      for (size_t j = 0; j < k; j++) {
        for (size_t l = 0; l < k; l++) row[j] += basis[c * k + l] * core[l * k + j];
        squares += row[j] * row[j];
      }
      const double root = std::pow(squares, 0.25);
      for (size_t l = 0; l < k; l++) {
        toU[l * k + c] = basis[c * k + l] * root;
        toV[l * k + c] = root > 0 ? row[l] / root : 0;
      }
    }
    timesSquare(team_, factorOf(rows_), toU.data());
    timesSquare(team_, factorOf(columns_), toV.data());
  }

  // The entry of greatest size in a column of V is positive.
  void fixSigns() {
    for (size_t k = first_; k < unknowns_; k++) {
      double most = 0;
      for (size_t j = 0; j < columns_.count; j++) {
        const double value = columns_.z[j * pitch_ + k];
        if (std::fabs(value) > std::fabs(most)) most = value;
      }
      if (most >= 0) continue;
      for (Side* side : {&rows_, &columns_})
        for (size_t i = 0; i < side->count; i++) side->z[i * pitch_ + k] = 0 - side->z[i * pitch_ + k];
    }
  }

  const Completion& p_;
  Monitor& monitor_;
  Team team_;
  size_t first_, unknowns_, pitch_;
  bool orthonormal_, full_ = false;
  Side rows_, columns_;
  double mean_ = 0, weight_ = 0, squares_ = 0, constant_ = 0, constantZ_ = 1, inner_ = 0,
         regressionCount_ = 0;
  uint32_t number_ = 0;
  Counts counts_;
  std::vector<std::unique_ptr<Regression>> regressions_;
  std::vector<double> meanScale_;
  Aligned<float> fixed32_;
  // Of the fixed factor in its present basis: regularization, squares of its columns, or its Gram matrix.
  Aligned<double> ridge_, scale_, metric_;
  Aligned<double> square_, values_, vectors_;
};

}  // namespace

void complete(const Completion& problem, Monitor& monitor) { Completer(problem, monitor).run(); }

}  // namespace extrema::lowrank
