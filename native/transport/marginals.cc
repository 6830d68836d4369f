#include "transport/marginals.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "simd/math.h"

namespace extrema::transport {

Marginal::Marginal(const double* weight, size_t count, double penalty, bool productReference)
    : weight_(weight),
      count_(count),
      penalty_(penalty),
      product_(productReference),
      leftOut_(count, 0),
      logWeight_(count),
      work_(count) {}

void Marginal::setEpsilon(double epsilon) {
  epsilon_ = epsilon;
  setLogWeights();
}

void Marginal::setTranslation(double t) {
  translation_ = t;
  if (relaxed()) setLogWeights();
}

void Marginal::setLogWeights() {
  const double power = product_ ? 1 + curvature() : 1;
  const double offset = relaxed() ? translation_ / penalty_ : 0;
  logArray(weight_, logWeight_.data(), count_);
  for (size_t i = 0; i < count_; i++) {
    logWeight_[i] = leftOut_[i] ? -std::numeric_limits<double>::infinity() : power * logWeight_[i] - offset;
  }
}

void Marginal::leaveOut(size_t i) {
  leftOut_[i] = 1;
  logWeight_[i] = -std::numeric_limits<double>::infinity();
}

double Marginal::demand(const double* f, double* out) const {
  if (!relaxed()) {
    std::copy_n(weight_, count_, out);
  } else {
    for (size_t i = 0; i < count_; i++) out[i] = logWeight_[i] - f[i] / penalty_;
    expArray(out, out, count_);
  }
  return sum(out, count_);
}

double Marginal::logTotal(const double* f) const {
  if (!relaxed()) return std::log(sum(weight_, count_));
  double largest = -std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < count_; i++) {
    work_[i] = logWeight_[i] - f[i] / penalty_;
    largest = std::max(largest, work_[i]);
  }
  if (!std::isfinite(largest)) return largest;
  for (size_t i = 0; i < count_; i++) work_[i] -= largest;
  expArray(work_.data(), work_.data(), count_);
  return largest + std::log(sum(work_.data(), count_));
}

double Marginal::gain(const double* demand, const double* p, double alpha) const {
  if (!relaxed()) {
    for (size_t i = 0; i < count_; i++) work_[i] = demand[i] * p[i];
    return alpha * sum(work_.data(), count_);
  }
  const double step = alpha * curvature();
  for (size_t i = 0; i < count_; i++) work_[i] = -demand[i] * std::expm1(-step * p[i]);
  return sum(work_.data(), count_) / curvature();
}

Marginals::Marginals(const Problem& problem)
    : a(problem.a, problem.n, problem.penaltyA, problem.productReference),
      b(problem.b, problem.m, problem.penaltyB, problem.productReference) {
  setEpsilon(problem.epsilon);
}

void Marginals::leaveOutIsolated(Team& team, const Geometry<double>& geometry, Workspace<double>& workspace) {
  Aligned<double> zeros(std::max(geometry.n, geometry.m)), rowMin(geometry.n), columnMin(geometry.m);
  TransformPass pass;
  pass.f = pass.g = zeros.data();
  pass.rowMin = rowMin.data();
  pass.columnMin = columnMin.data();
  transformPass(team, geometry, workspace, pass);
  if (team.monitor().cancelled()) return;
  const auto leaveOut = [](const Aligned<double>& least, Marginal& marginal, const char* name) {
    for (size_t i = 0; i < least.size(); i++) {
      if (std::isfinite(least[i])) continue;
      if (!marginal.relaxed()) {
        throw Error("ERR_INFEASIBLE",
                    "cost: expected allowed (finite) arcs for all mass that has to move, got none in " +
                        std::string(name) + " " + std::to_string(i));
      }
      marginal.leaveOut(i);
    }
  };
  leaveOut(rowMin, a, "row");
  leaveOut(columnMin, b, "column");
}

void Marginals::setEpsilon(double epsilon) {
  epsilon_ = epsilon;
  a.setEpsilon(epsilon);
  b.setEpsilon(epsilon);
}

void Marginals::move(double t) {
  translation_ += t;
  a.setTranslation(translation_);
  b.setTranslation(-translation_);
}

// Both totals are to be the same: A exp(-t / rho_a) = B exp(t / rho_b).
void Marginals::translate(const double* f, const double* g) {
  const double t = (a.logTotal(f) - b.logTotal(g)) / (1 / a.penalty() + 1 / b.penalty());
  if (std::isfinite(t)) move(t);
}

// Translated by t, the update of f is less by t - damping t: the totals agree where
// A exp(-t / (rho_a + epsilon)) = B exp(t / rho_b).
double Marginals::translateUpdated(bool rows, const double* f, const double* g) {
  const Marginal &updated = rows ? a : b, &other = rows ? b : a;
  const double t = (updated.logTotal(rows ? f : g) - other.logTotal(rows ? g : f)) /
                   (1 / (updated.penalty() + epsilon_) + 1 / other.penalty());
  if (!std::isfinite(t)) return 0;
  move(rows ? t : -t);
  return updated.relaxed() ? -t * epsilon_ / (updated.penalty() + epsilon_) : 0;
}

}  // namespace extrema::transport
