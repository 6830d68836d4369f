#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/team.h"
#include "descent/selection.h"
#include "descent/working-set.h"

namespace extrema::descent {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr size_t kRefreshEvery = 1000;
// The sweeps over a working set end when their steps are this part of the residual at its choice.
constexpr double kWithin = 0.05;
constexpr size_t kMostSweeps = 100;

// Block coordinate descent: choose a block, step, keep the rest up to date.
class Descent {
 public:
  Descent(Model& model, const Terms& terms, const Rules& rules, const Outputs& out, Report& report,
          Monitor& monitor, Team& team)
      : s_(model, terms, rules, out, monitor, team),
        rules_(rules),
        report_(report),
        greedy_(isGreedy(rules.selection)) {}

  void run() {
    findLive();
    refresh();
    scale();
    double residual = this->residual(), touched = 0;
    if (s_.monitor.cancelled()) return;
    checkFinite(residual, 0);
    Ended status = residual <= rules_.tolerance ? Ended::converged : Ended::iterationLimit;
    if (status != Ended::converged && rules_.maxIterations > 0) prepare();
    size_t logged = 0, iteration = 0;
    while (status == Ended::iterationLimit && static_cast<double>(iteration) < rules_.maxIterations) {
      if (s_.monitor.cancelled()) return;
      s_.monitor.progress(static_cast<double>(iteration), residual);
      if (s_.monitor.expired()) {
        status = Ended::timeLimit;
        break;
      }
      // Greedy rules see the gradient before every step, the others look when the steps of an epoch have
      // become short.
      const double bound = selector_->select();
      if (greedy_) residual = bound / s_.scale;
      if (residual <= rules_.tolerance || selector_->isFlat()) {
        refresh();
        residual = this->residual();
        sinceCheck_ = 0;
        if (selector_->isFlat()) selector_->select();
        if (residual <= rules_.tolerance || selector_->isFlat()) {
          status = residual <= rules_.tolerance ? Ended::converged : Ended::stalled;
          break;
        }
      }
      iteration++;
      step(iteration);
      if (s_.monitor.cancelled()) return;
      touched += static_cast<double>(s_.size);
      log(iteration, logged);
      if (!isDue(residual)) continue;
      refresh();
      if (s_.monitor.cancelled()) return;
      if (s_.out.values != nullptr) s_.out.values[iteration - 1] = s_.value;
      residual = this->residual();
      sinceCheck_ = 0;
      checkFinite(residual, iteration);
      if (residual <= rules_.tolerance) {
        status = Ended::converged;
      } else if (greedy_ ? still_ >= 2 : still_ >= 3 * period_) {
        status = Ended::stalled;
      } else {
        chooseWorkingSet();
      }
    }
    if (status != Ended::converged) {
      refresh();
      residual = this->residual();
      if (residual <= rules_.tolerance) status = Ended::converged;
    }
    report_.ended = status;
    report_.iterations = static_cast<double>(iteration);
    report_.residual = residual;
    report_.value = s_.value;
    report_.complementarity = complementarity();
    report_.epochs = s_.live.empty() ? 0 : touched / static_cast<double>(s_.live.size());
    report_.blocks = static_cast<double>(s_.blocks.count());
    report_.scale = s_.scale;
  }

 private:
  void findLive() {
    for (size_t i = 0; i < s_.n; i++) {
      if (s_.model.lipschitz[i] > 0) {
        s_.live.push_back(static_cast<int32_t>(i));
      } else if (s_.terms.l1[i] > 0) {
        // Nothing depends on the coordinate but its own terms.
        s_.x[i] = 0;
      }
      s_.x[i] = s_.terms.clip(i, s_.x[i]);
    }
    s_.pool = s_.live;
  }

  void refresh() { s_.value = s_.model.refresh() + s_.terms.value(s_.x, s_.n); }

  // Residuals are relative to the gradient at 0.
  void scale() {
    double most = 0;
    if (std::all_of(s_.x, s_.x + s_.n, [](double x) { return x == 0; })) {
      for (const double g : s_.model.gradient) most = std::max(most, std::fabs(g));
    } else {
      most = s_.model.gradientScale();
    }
    if (most != 0) s_.scale = most;
  }

  // The largest L_i |step of the proximal gradient with L_i|: |∇_i f| where there are no other terms.
  double residual() const {
    double most = 0;
    for (const int32_t k : s_.live) {
      const size_t i = static_cast<size_t>(k);
      const double l = s_.model.lipschitz[i];
      const double r = l * std::fabs(s_.terms.step(i, s_.x[i], s_.model.gradient[i], l));
      // NaN must not pass for small.
      if (std::isnan(r)) return r;
      most = std::max(most, r);
    }
    return most / s_.scale;
  }

  void checkFinite(double residual, size_t iteration) const {
    if (std::isfinite(s_.value) && std::isfinite(residual)) return;
    throw Error("ERR_NOT_FINITE",
                "A: expected numbers within the range of float64, got an overflow at iteration " +
                    std::to_string(iteration));
  }

  void prepare() {
    const bool tree = isTree(rules_.selection);
    s_.blocks = partition(rules_, s_.model, s_.live);
    s_.fixed = rules_.partition != Partition::variable;
    if (s_.fixed) {
      for (size_t b = 0; b < s_.blocks.count(); b++) {
        s_.capacity = std::max(s_.capacity, static_cast<size_t>(s_.blocks.start[b + 1] - s_.blocks.start[b]));
        for (int32_t k = s_.blocks.start[b]; k < s_.blocks.start[b + 1]; k++)
          s_.out.blockOf[s_.blocks.indices[k]] = static_cast<int32_t>(b);
      }
    } else {
      s_.capacity = tree ? s_.live.size() : std::min(rules_.blockSize, s_.live.size());
    }
    s_.block.resize(s_.capacity);
    s_.g.resize(s_.capacity);
    s_.d.resize(s_.capacity);
    const bool forests = tree || rules_.update == Update::messagePassing ||
                         (rules_.partition >= Partition::redBlack && rules_.partition <= Partition::forests);
    solver_.emplace(s_, forests);
    updates_.emplace(s_, *solver_);
    if (s_.fixed && (rules_.update == Update::gradient || rules_.selection == Selection::gsl ||
                     rules_.selection == Selection::lipschitz)) {
      s_.norms.resize(s_.blocks.count());
      for (size_t b = 0; b < s_.norms.size() && !s_.monitor.cancelled(); b++) {
        s_.take(b);
        s_.norms[b] = solver_->norm();
      }
    }
    selector_.emplace(s_, *solver_, *updates_);
    if (rules_.workingSet) working_.emplace(s_);
    chooseWorkingSet();
  }

  void chooseWorkingSet() {
    if (working_) {
      working_->choose();
      selector_->restart();
      largest_ = 0;
    }
    const size_t epoch =
        s_.fixed ? s_.blocks.count() : (s_.pool.size() + rules_.blockSize - 1) / rules_.blockSize;
    period_ = rules_.selection == Selection::randomTree ? 2 : std::max<size_t>(1, epoch);
  }

  // Moves the block.
  void step(size_t iteration) {
    s_.model.blockGradient(s_.block.data(), s_.size, s_.g.data());
    const double change = updates_->propose();
    if (s_.monitor.cancelled()) return;
    if (!(change <=
          1e-6 * std::max(std::fabs(s_.value), std::numeric_limits<double>::denorm_min()) + 1e-12 * s_.scale))
      throw Error("ERR_NOT_POSITIVE", "A: expected an objective that falls, got a rise by " +
                                          std::to_string(change) + " at iteration " +
                                          std::to_string(iteration));
    double moved = 0;
    for (size_t a = 0; a < s_.size; a++) {
      const size_t i = static_cast<size_t>(s_.block[a]);
      s_.out.visits[i]++;
      if (s_.d[a] == 0) continue;
      const bool was = s_.terms.isActive(i, s_.x[i]);
      s_.x[i] += s_.d[a];
      if (s_.terms.composite && was != s_.terms.isActive(i, s_.x[i]))
        report_.identified = static_cast<double>(iteration);
      moved = std::max(moved, std::fabs(s_.d[a]) * s_.model.lipschitz[i]);
    }
    s_.model.accept(s_.block.data(), s_.size, s_.d.data());
    s_.value += change;
    still_ = moved > 0 ? 0 : still_ + 1;
    largest_ = std::max(largest_, moved);
    sinceCheck_++;
  }

  void log(size_t iteration, size_t& logged) {
    const Outputs& out = s_.out;
    if (out.values != nullptr) out.values[iteration - 1] = s_.value;
    if (out.sizes != nullptr) out.sizes[iteration - 1] = static_cast<int32_t>(s_.size);
    if (out.selected == nullptr) return;
    if (s_.fixed) {
      out.selected[iteration - 1] = s_.number;
    } else {
      for (size_t a = 0; a < s_.size; a++) out.selected[logged++] = s_.block[a];
    }
  }

  // Whether it is time to compute everything anew: to see how far the end is, and against rounding errors.
  bool isDue(double residual) {
    if (greedy_) return sinceCheck_ >= kRefreshEvery || still_ >= 2;
    if (sinceCheck_ % period_ != 0) return false;
    const double limit = 4 * rules_.tolerance * s_.scale;
    const bool due =
        still_ >= period_ || (working_ ? largest_ <= std::max(limit / 8, kWithin * residual * s_.scale) ||
                                             sinceCheck_ >= kMostSweeps * period_
                                       : largest_ <= limit || sinceCheck_ >= 10 * period_);
    largest_ = 0;
    return due;
  }

  double complementarity() const {
    double least = kInfinity;
    for (const int32_t k : s_.live) {
      const size_t i = static_cast<size_t>(k);
      if (s_.terms.isActive(i, s_.x[i]))
        least = std::min(least, s_.terms.distance(i, s_.x[i], s_.model.gradient[i]));
    }
    return least;
  }

  State s_;
  const Rules& rules_;
  Report& report_;
  bool greedy_;
  std::optional<BlockSolver> solver_;
  std::optional<Updates> updates_;
  std::optional<Selector> selector_;
  std::optional<WorkingSet> working_;
  size_t still_ = 0, sinceCheck_ = 0, period_ = 1;
  double largest_ = 0;
};

}  // namespace

void solve(const Problem& problem, const Rules& rules, const Outputs& out, Report& report, Monitor& monitor) {
  Team team(rules.threads, monitor);
  const std::unique_ptr<Model> model = problem.loss == Loss::quadratic
                                           ? quadraticModel(problem, out.x, team)
                                           : rowsModel(problem, out.x, isGreedy(rules.selection), team);
  if (monitor.cancelled()) return;
  const Terms terms(problem, model->n);
  Descent(*model, terms, rules, out, report, monitor, team).run();
}

}  // namespace extrema::descent
