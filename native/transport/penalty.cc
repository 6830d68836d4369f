#include "transport/penalty.h"

#include <algorithm>
#include <cmath>

#include "simd/math.h"

namespace extrema::transport {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Totals that agree to this part of their sum leave a translation where it is.
constexpr double kEqual = 1e-12;
constexpr double kRounding = 4 * std::numeric_limits<double>::epsilon();
constexpr int kDoublings = 200, kBisections = 64;

}  // namespace

// Fritsch, Shafer, Crowley 1973 (Algorithm 443): of fourth order from any reasonable start.
double wrightOmega(double x) {
  const double exponential = std::exp(x);
  if (x < -37) return exponential;
  if (x > 1e100) return x - std::log(x);
  double w = x < 1 ? exponential / (1 + exponential) : x - std::log(x) * (1 - 1 / x);
  for (int k = 0; k < 3; k++) {
    const double r = x - w - std::log(w), t = 1 + w, s = 2 * t * (t + 2 * r / 3);
    w *= 1 + r / t * (s - r) / (s - 2 * r);
  }
  return w;
}

Penalty::Penalty(Divergence kind, double rho, const double* weight, size_t count, bool productReference)
    : kind_(kind),
      rho_(rho),
      weight_(weight),
      count_(count),
      product_(productReference),
      leftOut_(count, 0),
      logWeight_(count),
      offset_(count) {
  logArray(weight, logWeight_.data(), count);
}

void Penalty::setEpsilon(double epsilon) {
  epsilon_ = epsilon;
  if (!product_) return;
  for (size_t i = 0; i < count_; i++) offset_[i] = epsilon * logWeight_[i];
}

double Penalty::clamped(size_t i, double F) const {
  if (kind_ != Divergence::tv || !relaxed()) return F;
  return std::clamp(F, offset_[i] - rho_, offset_[i] + rho_);
}

double Penalty::nothing(size_t i) const {
  return offset_[i] + (kind_ == Divergence::tv ? rho_ : rho_ * weight_[i]);
}

double Penalty::update(size_t i, double open) const {
  const double kept = epsilon_ * logWeight_[i] + open;
  if (!relaxed()) return kept;
  if (kind_ == Divergence::tv) return clamped(i, kept);
  return offset_[i] + leastSquares(weight_[i], kept - offset_[i]);
}

// The f with exp((f - kept) / epsilon) w = w - f / rho.
double Penalty::leastSquares(double w, double kept) const {
  const double top = rho_ * w;
  double f = top - epsilon_ * wrightOmega(std::log(top / epsilon_) + (top - kept) / epsilon_);
  if (std::fabs(f) > 0.5 * top) return f;
  // f has lost digits to a large penalty: Newton on f = kept + epsilon log(1 - f / top) brings them back.
  for (int k = 0; k < 2; k++) {
    f -= (f - kept - epsilon_ * std::log1p(-f / top)) / (1 + epsilon_ / (top - f));
  }
  return f;
}

double Penalty::demand(size_t i, double F, double total) const {
  const double w = weight_[i];
  if (!relaxed()) return w;
  if (kind_ == Divergence::l2) return std::max(0.0, w - (F - offset_[i]) / rho_);
  if (F >= offset_[i] + rho_) return std::min(total, w);
  if (F <= offset_[i] - rho_) return std::max(total, w);
  return w;
}

double Penalty::rounding(size_t i) const {
  if (!relaxed() || kind_ != Divergence::l2) return 0;
  return kRounding * (weight_[i] + std::fabs(offset_[i]) / rho_);
}

double Penalty::missed(size_t i, double F, double total) const {
  const double distance = std::fabs(total - demand(i, F, total));
  return distance <= rounding(i) ? 0 : distance;
}

double Penalty::bend(size_t i, double F, double total) const {
  if (!relaxed()) return 0;
  if (kind_ == Divergence::l2) return demand(i, F, total) > 0 ? epsilon_ / rho_ : 0;
  const bool above = F >= offset_[i] + rho_ && total <= weight_[i];
  const bool below = F <= offset_[i] - rho_ && total >= weight_[i];
  return above || below ? kInfinity : 0;
}

double Penalty::value(size_t i, double F) const {
  const double w = weight_[i], f = F - offset_[i];
  if (!relaxed()) return w * f;
  if (kind_ == Divergence::tv) {
    const double rounding = 1e-12 * (rho_ + std::fabs(offset_[i]));
    return f < -rho_ - rounding ? -kInfinity : w * std::clamp(f, -rho_, rho_);
  }
  const double inner = std::min(f, rho_ * w);
  return inner * (w - inner / (2 * rho_));
}

double Penalty::gain(size_t i, double from, double to) const {
  const double w = weight_[i];
  if (!relaxed() || kind_ == Divergence::tv) return w * (to - from);
  const double start = std::min(from - offset_[i], rho_ * w);
  const double change =
      start < rho_ * w ? std::min(to - from, rho_ * w - start) : std::min(0.0, to - offset_[i] - rho_ * w);
  return change * (w - (start + change / 2) / rho_);
}

double Penalty::penalty(size_t i, double total) const {
  if (!relaxed()) return 0;
  const double missing = total - weight_[i];
  return kind_ == Divergence::tv ? rho_ * std::fabs(missing) : rho_ / 2 * missing * missing;
}

double Penalty::gap(size_t i, double F, double total) const {
  const double w = weight_[i], f = F - offset_[i], missing = total - w;
  if (!relaxed()) return f * missing;
  if (kind_ == Divergence::tv) return std::max(0.0, missing > 0 ? rho_ + f : rho_ - f) * std::fabs(missing);
  const double asked = w - f / rho_;
  return asked >= 0 ? rho_ / 2 * (total - asked) * (total - asked)
                    : total * (rho_ / 2 * total + f - rho_ * w);
}

double Penalty::asked(const double* F, double t) const {
  double total = 0;
  for (size_t i = 0; i < count_; i++) {
    if (leftOut_[i]) continue;
    if (!relaxed()) {
      total += weight_[i];
    } else if (kind_ == Divergence::tv) {
      total += F[i] + t < offset_[i] + rho_ ? weight_[i] : 0;
    } else {
      total += std::max(0.0, weight_[i] - (F[i] + t - offset_[i]) / rho_);
    }
  }
  return total;
}

double Penalty::leastTranslation(const double* F) const {
  if (!relaxed() || kind_ != Divergence::tv) return -kInfinity;
  double least = -kInfinity;
  for (size_t i = 0; i < count_; i++) {
    if (!leftOut_[i]) least = std::max(least, offset_[i] - rho_ - F[i]);
  }
  return std::min(least, 0.0);
}

double bestTranslation(const Penalty& a, const double* F, const Penalty& b, const double* G, double epsilon) {
  const auto slope = [&](double t) { return a.asked(F, t) - b.asked(G, -t); };
  const double first = slope(0);
  double equal = kEqual * (a.asked(F, 0) + b.asked(G, 0));
  for (size_t i = 0; i < a.size(); i++) equal += a.rounding(i);
  for (size_t j = 0; j < b.size(); j++) equal += b.rounding(j);
  if (!(std::fabs(first) > equal)) return 0;
  const double sign = first > 0 ? 1 : -1;
  const double bound = first > 0 ? -b.leastTranslation(G) : -a.leastTranslation(F);  // of |t|
  double inner = 0, outer = epsilon;
  for (int k = 0;; k++) {
    outer = std::min(outer, bound);
    if (!(sign * slope(sign * outer) > 0)) break;
    if (outer == bound || k == kDoublings) return sign * outer;
    inner = outer;
    outer *= 2;
  }
  for (int k = 0; k < kBisections; k++) {
    const double middle = inner + (outer - inner) / 2;
    (sign * slope(sign * middle) > 0 ? inner : outer) = middle;
  }
  return sign * inner;
}

}  // namespace extrema::transport
