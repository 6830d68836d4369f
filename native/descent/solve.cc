#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <string>

#include "core/error.h"
#include "descent/block-program.h"
#include "descent/dense.h"
#include "descent/forest.h"
#include "descent/line-search.h"
#include "descent/model.h"
#include "descent/partition.h"
#include "descent/stream.h"
#include "descent/terms.h"

namespace extrema::descent {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kRefreshEvery = 1000;
// Steps whose D_i |d_i| is at most this part of the gradient at 0 are rounding errors, and score 0.
constexpr double kNoStep = 1e-14;
// Cached factors of fixed blocks take at most so many numbers.
constexpr size_t kMostCached = size_t{1} << 25;
constexpr int kThresholdRounds = 10;
// A coordinate this near a bound that its gradient points at counts as active (Bertsekas' two-metric
// projection).
constexpr double kNearBound = 1e-10;

double norm(const double* v, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += v[i] * v[i];
  return std::sqrt(sum);
}

// Block coordinate descent: choose a block, step, keep the rest up to date.
class Descent {
 public:
  Descent(Model& model, const Terms& terms, const Rules& rules, const Outputs& out, Report& report,
          Monitor& monitor)
      : model_(model),
        terms_(terms),
        rules_(rules),
        out_(out),
        report_(report),
        monitor_(monitor),
        n_(model.n),
        x_(out.x),
        place_(model.n, -1),
        order_(model.n),
        scores_(model.n),
        stream_(rules.seed) {}

  void run() {
    for (size_t i = 0; i < n_; i++) {
      if (model_.lipschitz[i] > 0) {
        live_.push_back(static_cast<int32_t>(i));
      } else if (terms_.l1[i] > 0) {
        // Nothing depends on the coordinate but its own terms.
        x_[i] = 0;
      }
      x_[i] = terms_.clip(i, x_[i]);
    }
    double value = model_.refresh() + terms_.value(x_, n_);
    const double atZero = model_.gradientScale();
    const double scale = atZero != 0 ? atZero : 1;
    scale_ = scale;
    double residual = this->residual() / scale, touched = 0, largest = 0;
    Ended status = residual <= rules_.tolerance ? Ended::converged : Ended::iterationLimit;
    if (monitor_.cancelled()) return;
    if (status != Ended::converged && rules_.maxIterations > 0) prepare();
    const bool greedy = isGreedy(rules_.selection);
    const size_t epoch = fixed_
                             ? blocks_.count()
                             : (live_.size() + rules_.blockSize - 1) / std::max<size_t>(1, rules_.blockSize);
    const size_t period = rules_.selection == Selection::randomTree ? 2 : std::max<size_t>(1, epoch);
    size_t still = 0, sinceCheck = 0, logged = 0, iteration = 0;
    while (status == Ended::iterationLimit && static_cast<double>(iteration) < rules_.maxIterations) {
      if (monitor_.cancelled()) return;
      monitor_.progress(static_cast<double>(iteration), residual);
      if (monitor_.expired()) {
        status = Ended::timeLimit;
        break;
      }
      value_ = value;
      // Greedy rules see the gradient before every step, the others look when the steps of an epoch have
      // become short.
      const double bound = select();
      if (greedy) residual = bound / scale;
      if (residual <= rules_.tolerance || isFlat_) {
        value = model_.refresh() + terms_.value(x_, n_);
        residual = this->residual() / scale;
        sinceCheck = 0;
        if (isFlat_) select();
        if (residual <= rules_.tolerance || isFlat_) {
          status = residual <= rules_.tolerance ? Ended::converged : Ended::stalled;
          break;
        }
      }
      iteration++;
      model_.blockGradient(block_.data(), size_, g_.data());
      const double change = propose();
      if (monitor_.cancelled()) return;
      if (!(change <=
            1e-6 * std::max(std::fabs(value), std::numeric_limits<double>::denorm_min()) + 1e-12 * scale))
        throw Error("ERR_NOT_POSITIVE", "A: expected an objective that falls, got a rise by " +
                                            std::to_string(change) + " at iteration " +
                                            std::to_string(iteration));
      double moved = 0;
      for (size_t a = 0; a < size_; a++) {
        const size_t i = static_cast<size_t>(block_[a]);
        out_.visits[i]++;
        if (d_[a] == 0) continue;
        const bool was = terms_.isActive(i, x_[i]);
        x_[i] += d_[a];
        if (terms_.composite && was != terms_.isActive(i, x_[i]))
          report_.identified = static_cast<double>(iteration);
        moved = std::max(moved, std::fabs(d_[a]) * model_.lipschitz[i]);
      }
      model_.accept(block_.data(), size_, d_.data());
      touched += static_cast<double>(size_);
      value += change;
      if (out_.values != nullptr) out_.values[iteration - 1] = value;
      if (out_.sizes != nullptr) out_.sizes[iteration - 1] = static_cast<int32_t>(size_);
      if (out_.selected != nullptr) {
        if (fixed_) {
          out_.selected[iteration - 1] = number_;
        } else {
          for (size_t a = 0; a < size_; a++) out_.selected[logged++] = block_[a];
        }
      }
      still = moved > 0 ? 0 : still + 1;
      largest = std::max(largest, moved);
      sinceCheck++;
      const double limit = rules_.tolerance * scale;
      const bool due = greedy ? sinceCheck >= kRefreshEvery || still >= 2
                              : sinceCheck % period == 0 &&
                                    (largest <= 4 * limit || sinceCheck >= 10 * period || still >= period);
      if (!greedy && sinceCheck % period == 0) largest = 0;
      if (!due) continue;
      value = model_.refresh() + terms_.value(x_, n_);
      if (monitor_.cancelled()) return;
      if (out_.values != nullptr) out_.values[iteration - 1] = value;
      residual = this->residual() / scale;
      sinceCheck = 0;
      if (!std::isfinite(value) || !std::isfinite(residual))
        throw Error("ERR_NOT_FINITE",
                    "A: expected numbers within the range of float64, got an overflow at iteration " +
                        std::to_string(iteration));
      if (residual <= rules_.tolerance) {
        status = Ended::converged;
      } else if (greedy ? still >= 2 : still >= 3 * period) {
        status = Ended::stalled;
      }
    }
    if (status != Ended::converged) {
      value = model_.refresh() + terms_.value(x_, n_);
      residual = this->residual() / scale;
      if (residual <= rules_.tolerance) status = Ended::converged;
    }
    report_.complementarity = kInfinity;
    for (const int32_t i : live_) {
      const size_t at = static_cast<size_t>(i);
      if (terms_.isActive(at, x_[at]))
        report_.complementarity =
            std::min(report_.complementarity, terms_.distance(at, x_[at], model_.gradient[at]));
    }
    report_.ended = status;
    report_.iterations = static_cast<double>(iteration);
    report_.residual = residual;
    report_.value = value;
    report_.epochs = live_.empty() ? 0 : touched / static_cast<double>(live_.size());
    report_.blocks = static_cast<double>(blocks_.count());
    report_.scale = scale;
  }

 private:
  // The largest L_i |step of the proximal gradient with L_i|: |∇_i f| where there are no other terms.
  double residual() const {
    double most = 0;
    for (const int32_t k : live_) {
      const size_t i = static_cast<size_t>(k);
      const double l = model_.lipschitz[i];
      const double r = l * std::fabs(terms_.step(i, x_[i], model_.gradient[i], l));
      // NaN must not pass for small.
      if (!(r <= most)) most = r;
    }
    return most;
  }

  void prepare() {
    blocks_ = partition(rules_, model_, live_);
    fixed_ = rules_.partition != Partition::variable;
    const bool tree = isTree(rules_.selection);
    if (fixed_) {
      for (size_t b = 0; b < blocks_.count(); b++) {
        capacity_ = std::max(capacity_, static_cast<size_t>(blocks_.start[b + 1] - blocks_.start[b]));
        for (int32_t k = blocks_.start[b]; k < blocks_.start[b + 1]; k++)
          out_.blockOf[blocks_.indices[k]] = static_cast<int32_t>(b);
      }
    } else {
      capacity_ = tree ? live_.size() : std::min(rules_.blockSize, live_.size());
    }
    for (std::vector<double>* v : {&g_, &d_, &slopes_, &low_, &high_, &direction_, &freeG_, &freeD_})
      v->resize(capacity_);
    block_.resize(capacity_);
    free_.resize(capacity_);
    freeBlock_.resize(capacity_);
    isFree_.resize(capacity_);
    best_.resize(capacity_);
    scratch_.resize(2 * capacity_);
    usesForest_ = tree || rules_.update == Update::messagePassing ||
                  (rules_.partition >= Partition::redBlack && rules_.partition <= Partition::forests);
    if (usesForest_) {
      sparse_ = SparseBlock(capacity_, model_.graph().indices.size());
      forest_.emplace(capacity_);
    } else {
      h_.resize(capacity_ * capacity_);
      if (terms_.composite) program_.emplace(capacity_, terms_);
    }
    if (rules_.cubic > 0) {
      cubicH_.resize(capacity_ * capacity_);
      shifted_.resize(capacity_ * capacity_);
    }
    if (tree) {
      sets_.emplace(n_);
      roots_.resize(n_);
    }
    memory_.resize(fixed_ ? blocks_.count() : 1);
    cache_.resize(blocks_.count());
    const bool needsNorms =
        fixed_ && (rules_.update == Update::gradient || rules_.selection == Selection::gsl ||
                   rules_.selection == Selection::lipschitz);
    if (needsNorms) {
      norms_.resize(blocks_.count());
      for (size_t b = 0; b < norms_.size() && !monitor_.cancelled(); b++) {
        take(b);
        norms_[b] = blockNorm();
      }
    }
    setWeights();
    std::copy(live_.begin(), live_.end(), order_.begin());
    if (rules_.selection == Selection::lipschitz) urn_.emplace(fixed_ ? norms_ : model_.lipschitz);
    if (rules_.selection == Selection::permutation) {
      at_ = fixed_ ? blocks_.count() : live_.size();
      if (fixed_) std::iota(order_.begin(), order_.begin() + static_cast<ptrdiff_t>(blocks_.count()), 0);
    }
    if (rules_.selection == Selection::iht || (rules_.selection == Selection::gsn && !fixed_)) {
      wide_.resize(n_);
      product_.resize(n_);
      before_.resize(capacity_);
      curvature_ = hessianNorm();
    }
  }

  // D_i of the score g_i² / (2 D_i).
  void setWeights() {
    const Selection s = rules_.selection;
    weights_.resize(n_);
    if (s == Selection::gsl && fixed_) {
      for (const int32_t i : blocks_.indices) weights_[i] = norms_[out_.blockOf[i]];
    } else if (s == Selection::gs || s == Selection::gsTree) {
      double most = 0;
      for (const int32_t i : live_) most = std::max(most, model_.lipschitz[i]);
      std::fill(weights_.begin(), weights_.end(), most);
    } else if (rules_.rowSums && (s == Selection::gsd || s == Selection::iht || s == Selection::gsn)) {
      model_.rowSums(weights_.data());
    } else {
      const double factor =
          s == Selection::gsl || s == Selection::gslTree ? 1 : static_cast<double>(capacity_);
      for (const int32_t i : live_) weights_[i] = factor * model_.lipschitz[i];
    }
  }

  // Takes fixed block b.
  void take(size_t b) {
    number_ = static_cast<int32_t>(b);
    size_ = static_cast<size_t>(blocks_.start[b + 1] - blocks_.start[b]);
    std::copy_n(blocks_.indices.begin() + blocks_.start[b], size_, block_.begin());
  }

  void sortBlock() { std::sort(block_.begin(), block_.begin() + static_cast<ptrdiff_t>(size_)); }

  // The next coordinates of the order.
  void takeNext(size_t from) {
    size_ = std::min(rules_.blockSize, live_.size() - from);
    std::copy_n(order_.begin() + static_cast<ptrdiff_t>(from), size_, block_.begin());
    sortBlock();
  }

  // Chooses the block. Greedy rules return the largest D_i |step|, an upper bound of the residual.
  double select() {
    const size_t count = fixed_ ? blocks_.count() : live_.size();
    switch (rules_.selection) {
      case Selection::random:
        if (fixed_) {
          take(stream_.below(count));
        } else {
          stream_.shuffle(order_.data(), std::min(rules_.blockSize, count), count);
          takeNext(0);
        }
        return kInfinity;
      case Selection::cyclic:
        if (fixed_) {
          take(at_);
          at_ = (at_ + 1) % count;
        } else {
          size_ = std::min(rules_.blockSize, count);
          for (size_t a = 0; a < size_; a++) block_[a] = live_[(at_ + a) % count];
          at_ = (at_ + size_) % count;
          sortBlock();
        }
        return kInfinity;
      case Selection::permutation:
        if (at_ >= count) {
          stream_.shuffle(order_.data(), count, count);
          at_ = 0;
        }
        if (fixed_) {
          take(static_cast<size_t>(order_[at_++]));
        } else {
          takeNext(at_);
          at_ += size_;
        }
        return kInfinity;
      case Selection::lipschitz:
        if (fixed_) {
          take(static_cast<size_t>(urn_->draw(stream_.uniform())));
          urn_->putBack(static_cast<size_t>(number_));
          return kInfinity;
        }
        for (size_ = 0; size_ < capacity_; size_++) {
          const int32_t i = urn_->draw(stream_.uniform());
          if (i < 0) break;
          block_[size_] = i;
        }
        for (size_t a = 0; a < size_; a++) urn_->putBack(static_cast<size_t>(block_[a]));
        sortBlock();
        return kInfinity;
      case Selection::randomTree:
        stream_.shuffle(order_.data(), count, count);
        growTree();
        return kInfinity;
      default:
        return selectGreedily();
    }
  }

  double selectGreedily() {
    const double* gradient = model_.gradient.data();
    const double least = kNoStep * scale_;
    double bound = 0;
    for (const int32_t k : live_) {
      const size_t i = static_cast<size_t>(k);
      const double d = terms_.step(i, x_[i], gradient[i], weights_[i]);
      const double size = weights_[i] * std::fabs(d);
      if (!(size <= bound)) bound = size;
      if (size <= least) {
        scores_[i] = 0;
      } else {
        scores_[i] = terms_.composite ? terms_.decrease(i, x_[i], gradient[i], weights_[i], d)
                                      : 0.5 * size * std::fabs(d);
      }
    }
    isFlat_ = bound <= least;
    if (rules_.selection == Selection::mi) {
      selectByTrial();
    } else if (rules_.selection == Selection::gsq || (rules_.selection == Selection::gsn && fixed_)) {
      selectByModel();
    } else if (isTree(rules_.selection)) {
      std::copy(live_.begin(), live_.end(), order_.begin());
      std::sort(order_.begin(), order_.begin() + static_cast<ptrdiff_t>(live_.size()),
                [this](int32_t i, int32_t j) {
                  return scores_[i] > scores_[j] || (scores_[i] == scores_[j] && i < j);
                });
      growTree();
    } else if (fixed_) {
      size_t best = 0;
      double most = -1;
      for (size_t b = 0; b < blocks_.count(); b++) {
        double sum = 0;
        for (int32_t k = blocks_.start[b]; k < blocks_.start[b + 1]; k++) sum += scores_[blocks_.indices[k]];
        if (sum <= most) continue;
        most = sum;
        best = b;
      }
      take(best);
    } else {
      takeLargest();
      if (rules_.selection == Selection::iht || rules_.selection == Selection::gsn) threshold();
    }
    return bound;
  }

  // The block of the largest scores; of equal ones the lower index. A heap with the least of those kept on
  // top.
  void takeLargest() {
    const auto better = [this](int32_t i, int32_t j) {
      return scores_[i] > scores_[j] || (scores_[i] == scores_[j] && i < j);
    };
    size_ = 0;
    const auto begin = block_.begin(), end = begin + static_cast<ptrdiff_t>(capacity_);
    for (const int32_t i : live_) {
      if (size_ < capacity_) {
        block_[size_++] = i;
        if (size_ == capacity_) std::make_heap(begin, end, better);
      } else if (better(i, block_[0])) {
        std::pop_heap(begin, end, better);
        block_[capacity_ - 1] = i;
        std::push_heap(begin, end, better);
      }
    }
    number_ = -1;
    sortBlock();
  }

  // A maximal forest, greedily in the order: a node joins unless two of its neighbours are in one tree.
  void growTree() {
    const Graph& graph = model_.graph();
    sets_->clear();
    size_ = 0;
    for (size_t k = 0; k < live_.size(); k++) {
      const int32_t i = order_[k];
      bool closes = false;
      int32_t end = graph.indptr[i];
      for (; end < graph.indptr[i + 1] && !closes; end++) {
        if (place_[graph.indices[end]] < 0) continue;
        char& mark = roots_[sets_->find(graph.indices[end])];
        closes = mark != 0;
        mark = 1;
      }
      for (int32_t e = graph.indptr[i]; e < end; e++) {
        if (place_[graph.indices[e]] >= 0) roots_[sets_->find(graph.indices[e])] = 0;
      }
      if (closes) continue;
      for (int32_t e = graph.indptr[i]; e < end; e++) {
        if (place_[graph.indices[e]] >= 0) sets_->unite(i, sets_->find(graph.indices[e]));
      }
      place_[i] = static_cast<int32_t>(size_);
      block_[size_++] = i;
    }
    for (size_t a = 0; a < size_; a++) place_[block_[a]] = -1;
  }

  // The block with the largest decrease of the quadratic model, by its exact minimum.
  void selectByModel() {
    const bool current = rules_.selection == Selection::gsn;
    size_t best = 0;
    double most = -1;
    for (size_t b = 0; b < blocks_.count() && !monitor_.cancelled(); b++) {
      take(b);
      model_.blockGradient(block_.data(), size_, g_.data());
      const double decrease = modelDecrease(current);
      if (decrease <= most) continue;
      most = decrease;
      best = b;
    }
    take(best);
  }

  double modelDecrease(bool current) {
    double sum = 0;
    if (rules_.cubic > 0 && current) return cubicDecrease();
    if (program_) {
      model_.hessian(block_.data(), size_, current, h_.data());
      program_->solve(block_.data(), size_, x_, g_.data(), h_.data(), d_.data());
      for (size_t a = 0; a < size_; a++) {
        double row = 0;
        for (size_t b = 0; b < size_; b++) row += h_[a * size_ + b] * d_[b];
        const size_t i = static_cast<size_t>(block_[a]);
        sum -= d_[a] * (g_[a] + 0.5 * row) + terms_.change(i, x_[i], d_[a]);
      }
      return sum;
    }
    solveBlock(current);
    for (size_t a = 0; a < size_; a++) sum -= 0.5 * g_[a] * d_[a];
    return sum;
  }

  // -min of g·d + ½ dᵀH d + cubic/6 |d|³ : the root r = |d(r)| with (H + cubic r / 2 I) d = -g.
  double cubicDecrease() {
    model_.hessian(block_.data(), size_, true, cubicH_.data());
    double low = 0, high = std::sqrt(2 * norm(g_.data(), size_) / rules_.cubic), length = 0;
    for (int k = 0; k < 100 && high - low > 1e-14 * high; k++) {
      const double r = 0.5 * (low + high);
      shifted_ = cubicH_;
      for (size_t a = 0; a < size_; a++) shifted_[a * size_ + a] += 0.5 * rules_.cubic * r;
      if (factorize(shifted_.data(), size_, true) >= 0) {
        low = r;
        continue;
      }
      for (size_t a = 0; a < size_; a++) d_[a] = -g_[a];
      forward(shifted_.data(), size_, d_.data());
      backward(shifted_.data(), size_, d_.data());
      length = norm(d_.data(), size_);
      (length > r ? low : high) = r;
    }
    double sum = rules_.cubic / 6 * length * length * length;
    for (size_t a = 0; a < size_; a++) {
      double row = 0;
      for (size_t b = 0; b < size_; b++) row += cubicH_[a * size_ + b] * d_[b];
      sum += d_[a] * (g_[a] + 0.5 * row);
    }
    return -sum;
  }

  // The block whose own update lowers the objective most: all of the partition, or all there are.
  void selectByTrial() {
    size_t bestSize = 0;
    int32_t bestNumber = -1;
    double least = kInfinity;
    std::vector<size_t>& places = places_;
    places.resize(capacity_);
    std::iota(places.begin(), places.end(), size_t{0});
    for (size_t b = 0; !monitor_.cancelled(); b++) {
      if (fixed_) {
        if (b >= blocks_.count()) break;
        take(b);
      } else {
        size_ = capacity_;
        for (size_t a = 0; a < capacity_; a++) block_[a] = live_[places[a]];
      }
      model_.blockGradient(block_.data(), size_, g_.data());
      const double change = propose();
      if (change < least) {
        least = change;
        bestSize = size_;
        bestNumber = static_cast<int32_t>(b);
        best_ = block_;
      }
      if (fixed_) continue;
      // The next set of places in lexicographic order.
      size_t a = capacity_;
      while (a > 0 && places[a - 1] == live_.size() - capacity_ + a - 1) a--;
      if (a == 0) break;
      places[a - 1]++;
      for (size_t q = a; q < capacity_; q++) places[q] = places[q - 1] + 1;
    }
    size_ = bestSize;
    number_ = fixed_ ? bestNumber : -1;
    block_ = best_;
  }

  // Iterative hard thresholding of the quadratic model, from the diagonal step of the block.
  void threshold() {
    const bool current = rules_.selection == Selection::gsn && !model_.quadratic;
    const double* gradient = model_.gradient.data();
    std::fill(wide_.begin(), wide_.end(), 0.0);
    for (size_t a = 0; a < size_; a++) wide_[block_[a]] = -gradient[block_[a]] / weights_[block_[a]];
    for (int round = 0; round < kThresholdRounds && !monitor_.cancelled(); round++) {
      model_.product(wide_.data(), current, product_.data());
      for (const int32_t i : live_) {
        wide_[i] -= (gradient[i] + product_[i]) / curvature_;
        scores_[i] = std::fabs(wide_[i]);
      }
      before_ = block_;
      takeLargest();
      for (size_t a = 0; a < size_; a++) place_[block_[a]] = static_cast<int32_t>(a);
      for (const int32_t i : live_) {
        if (place_[i] < 0) wide_[i] = 0;
      }
      for (size_t a = 0; a < size_; a++) place_[block_[a]] = -1;
      if (round > 0 && before_ == block_) break;
    }
  }

  // ‖H‖ by the power method, a little enlarged.
  double hessianNorm() {
    for (size_t i = 0; i < n_; i++) wide_[i] = 1 + stream_.uniform();
    double value = 0;
    for (int k = 0; k < 30 && !monitor_.cancelled(); k++) {
      const double length = norm(wide_.data(), n_);
      for (size_t i = 0; i < n_; i++) wide_[i] /= length;
      model_.product(wide_.data(), false, product_.data());
      value = norm(product_.data(), n_);
      wide_ = product_;
      if (value == 0) break;
    }
    return 1.05 * value;
  }

  double blockNorm() {
    if (size_ == 1) return model_.lipschitz[block_[0]];
    if (!usesForest_) {
      model_.hessian(block_.data(), size_, false, h_.data());
      return normAbove(h_.data(), size_, scratch_.data());
    }
    loadSparse(false);
    double rows = 0;
    for (size_t a = 0; a < size_; a++) {
      double sum = sparse_.diagonal[a];
      for (int32_t k = sparse_.indptr[a]; k < sparse_.indptr[a + 1]; k++) sum += std::fabs(sparse_.values[k]);
      rows = std::max(rows, sum);
    }
    return rows;
  }

  void loadSparse(bool current) {
    for (size_t a = 0; a < size_; a++) place_[block_[a]] = static_cast<int32_t>(a);
    model_.sparseBlock(block_.data(), size_, place_.data(), current, sparse_);
    for (size_t a = 0; a < size_; a++) place_[block_[a]] = -1;
    if (!forest_->prepare(sparse_, size_))
      throw Error("ERR_SHAPE",
                  "partition: expected blocks whose graphs are forests, got a cycle through coordinate " +
                      std::to_string(block_[forest_->fault]));
  }

  // d = -H_b⁻¹ g.
  void solveBlock(bool current) {
    for (size_t a = 0; a < size_; a++) d_[a] = -g_[a];
    if (usesForest_) {
      loadSparse(current);
      if (!forest_->solve(sparse_, size_, d_.data(), d_.data(), model_.semidefinite)) refuse(forest_->fault);
      return;
    }
    const double* factor = factorOf(current);
    forward(factor, size_, d_.data());
    backward(factor, size_, d_.data());
  }

  const double* factorOf(bool current) {
    const bool constant = !current || model_.quadratic;
    const bool cached = fixed_ && !isPart_ && constant && blocks_.indices.size() * capacity_ <= kMostCached;
    if (cached && !cache_[number_].empty()) return cache_[number_].data();
    model_.hessian(block_.data(), size_, !constant, h_.data());
    const ptrdiff_t fault = factorize(h_.data(), size_, model_.semidefinite);
    if (fault >= 0) refuse(static_cast<size_t>(fault));
    if (cached) cache_[number_].assign(h_.begin(), h_.begin() + static_cast<ptrdiff_t>(size_ * size_));
    return h_.data();
  }

  [[noreturn]] void refuse(size_t place) const {
    throw Error("ERR_NOT_POSITIVE", "A: expected a positive definite block around coordinate " +
                                        std::to_string(block_[place]) + ", got one that is not");
  }

  double tryStep() {
    double change = model_.trial(block_.data(), size_, d_.data());
    if (!terms_.composite) return change;
    for (size_t a = 0; a < size_; a++) {
      const size_t i = static_cast<size_t>(block_[a]);
      change += terms_.change(i, x_[i], d_[a]);
    }
    return change;
  }

  // Writes the step of the block to d; returns what it changes the objective by.
  double propose() {
    switch (rules_.update) {
      case Update::gradient: {
        const double bound = !norms_.empty() && number_ >= 0 ? norms_[number_] : blockNorm();
        for (size_t a = 0; a < size_; a++) {
          const size_t i = static_cast<size_t>(block_[a]);
          d_[a] = terms_.step(i, x_[i], g_[a], bound);
        }
        return tryStep();
      }
      case Update::lipschitzApproximation:
        return approximate();
      case Update::twoMetric:
        return twoMetric();
      case Update::newton:
        return newton();
      case Update::messagePassing:
        if (!model_.quadratic) return newton();
        break;
      default:
        break;
    }
    if (terms_.composite) {
      model_.hessian(block_.data(), size_, false, h_.data());
      program_->solve(block_.data(), size_, x_, g_.data(), h_.data(), d_.data());
    } else {
      solveBlock(false);
    }
    return tryStep();
  }

  // From the last bound, doubled until f(x + d) <= f + g·d + ½ L |d|².
  double approximate() {
    double& bound = memory_[fixed_ ? static_cast<size_t>(number_) : 0];
    for (size_t a = 0; a < size_; a++) bound = std::max(bound, model_.lipschitz[block_[a]]);
    for (;;) {
      double promised = 0, rest = 0;
      for (size_t a = 0; a < size_; a++) {
        const size_t i = static_cast<size_t>(block_[a]);
        d_[a] = terms_.step(i, x_[i], g_[a], bound);
        promised += d_[a] * (g_[a] + 0.5 * bound * d_[a]);
        rest += terms_.change(i, x_[i], d_[a]);
      }
      const double change = model_.trial(block_.data(), size_, d_.data());
      if (change <= promised + 1e-12 * std::fabs(promised) + noise()) return change + rest;
      bound *= 2;
      if (!std::isfinite(bound)) refuse(0);
    }
  }

  // What rounding may make of a change of the objective.
  double noise() const { return model_.quadratic ? 0 : 1e-14 * std::max(1.0, std::fabs(value_)); }

  // Newton's step with back-tracking; with other terms the minimum of its model in place of the step.
  double newton() {
    if (program_) {
      model_.hessian(block_.data(), size_, true, h_.data());
      program_->solve(block_.data(), size_, x_, g_.data(), h_.data(), d_.data());
    } else {
      solveBlock(true);
    }
    double slope = 0;
    for (size_t a = 0; a < size_; a++) {
      const size_t i = static_cast<size_t>(block_[a]);
      slope += g_[a] * d_[a] + terms_.change(i, x_[i], d_[a]);
    }
    if (slope == 0) return tryStep();
    direction_ = d_;
    BackTracking search(slope);
    for (;;) {
      const double change = tryStep();
      if (change <= kArmijo * search.step * slope + noise()) return change;
      const bool goesOn = search.shorten(change);
      for (size_t a = 0; a < size_; a++) d_[a] = goesOn ? search.step * direction_[a] : 0;
      if (!goesOn) return tryStep();
    }
  }

  // Two-metric projection (Bertsekas 1982, Gafni and Bertsekas 1984): a Newton step for the free coordinates,
  // a diagonal one for those at a bound that -∇ points out of, projected. Under an L1 term x stays in its
  // orthant, or the one that descent leads to from 0.
  double twoMetric() {
    size_t count = 0;
    for (size_t a = 0; a < size_; a++) {
      const size_t i = static_cast<size_t>(block_[a]);
      const double l1 = terms_.l1[i], x = x_[i];
      low_[a] = terms_.lower[i];
      high_[a] = terms_.upper[i];
      slopes_[a] = g_[a];
      bool active = false;
      if (l1 > 0) {
        const int sign = x > 0 ? 1 : x < 0 ? -1 : g_[a] < -l1 ? 1 : g_[a] > l1 ? -1 : 0;
        if (sign == 0) {
          active = true;
        } else if (sign > 0) {
          low_[a] = std::max(0.0, low_[a]);
        } else {
          high_[a] = std::min(0.0, high_[a]);
        }
        slopes_[a] = sign == 0 ? 0 : g_[a] + sign * l1;
      }
      if (x - low_[a] <= kNearBound && slopes_[a] > 0) active = true;
      if (high_[a] - x <= kNearBound && slopes_[a] < 0) active = true;
      isFree_[a] = !active;
      if (!active) free_[count++] = a;
    }
    for (size_t a = 0; a < size_; a++) direction_[a] = -slopes_[a] / model_.lipschitz[block_[a]];
    if (count > 0) solveFree(count);
    double slope = 0;
    for (size_t c = 0; c < count; c++) slope += slopes_[free_[c]] * direction_[free_[c]];
    BackTracking search(slope);
    for (;;) {
      double promised = search.step * slope;
      for (size_t a = 0; a < size_; a++) {
        const double at = x_[block_[a]];
        d_[a] = std::min(high_[a], std::max(low_[a], at + search.step * direction_[a])) - at;
        if (!isFree_[a]) promised += slopes_[a] * d_[a];
      }
      const double change = tryStep();
      if (change <= kArmijo * promised + noise()) return change;
      if (search.shorten(change)) continue;
      // No step along the projected path helps: a proximal gradient step does.
      return approximate();
    }
  }

  // direction_F = -H_FF⁻¹ slopes_F: the free part is a block of its own for the time of the solve.
  void solveFree(size_t count) {
    for (size_t c = 0; c < count; c++) {
      freeBlock_[c] = block_[free_[c]];
      freeG_[c] = slopes_[free_[c]];
    }
    const auto exchange = [&] {
      block_.swap(freeBlock_);
      g_.swap(freeG_);
      d_.swap(freeD_);
      std::swap(size_, count);
      isPart_ = !isPart_;
    };
    exchange();
    solveBlock(true);
    exchange();
    for (size_t c = 0; c < count; c++) direction_[free_[c]] = freeD_[c];
  }

  Model& model_;
  const Terms& terms_;
  const Rules& rules_;
  const Outputs& out_;
  Report& report_;
  Monitor& monitor_;
  size_t n_;
  double* x_;
  std::vector<int32_t> live_, place_, order_;
  std::vector<double> scores_, weights_, norms_, memory_;
  Blocks blocks_;
  bool fixed_ = false, usesForest_ = false;
  bool isPart_ = false;  // the block is part of a fixed one, whose factor is not cached
  size_t capacity_ = 0, size_ = 0, at_ = 0;
  int32_t number_ = -1;
  std::vector<int32_t> block_, freeBlock_, best_, before_;
  std::vector<double> g_, d_, h_, slopes_, low_, high_, direction_, freeG_, freeD_, scratch_;
  std::vector<double> wide_, product_, cubicH_, shifted_;
  std::vector<size_t> free_, places_;
  std::vector<char> isFree_, roots_;
  std::vector<std::vector<double>> cache_;
  double curvature_ = 0, value_ = 0, scale_ = 1;
  bool isFlat_ = false;  // no coordinate has a score
  SparseBlock sparse_;
  std::optional<ForestSolver> forest_;
  std::optional<BlockProgram> program_;
  std::optional<UnionFind> sets_;
  std::optional<Urn> urn_;
  Stream stream_;
};

}  // namespace

void solve(const Problem& problem, const Rules& rules, const Outputs& out, Report& report, Monitor& monitor) {
  const std::unique_ptr<Model> model = problem.loss == Loss::quadratic
                                           ? quadraticModel(problem, out.x, monitor)
                                           : rowsModel(problem, out.x, isGreedy(rules.selection), monitor);
  if (monitor.cancelled()) return;
  const Terms terms(problem, model->n);
  Descent(*model, terms, rules, out, report, monitor).run();
}

}  // namespace extrema::descent
