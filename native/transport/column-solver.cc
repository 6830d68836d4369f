#include "transport/column-solver.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "simd/math.h"
#include "transport/column-math.h"

namespace extrema::transport {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void exchange(Candidates& c, size_t p, size_t q) {
  std::swap(c.s[p], c.s[q]);
  std::swap(c.index[p], c.index[q]);
}

// The level t with sum [s_i - largest - t]₊ = total. Newton's method from the left on a convex function:
// every step leaves out the values at or below the level, until none is left out.
double simplexLevel(const Candidates& c, double largest, double total) {
  double level = -total;
  size_t left = c.count + 1;
  for (;;) {
    const Above above = sumAbove(c.s, c.count, largest, level);
    if (above.count >= left || above.count == 0) return level;
    left = above.count;
    level = (above.sum - total) / static_cast<double>(above.count);
  }
}

// theta of all candidates at a level, found by Newton's method on nu within a bracket.
class Share {
 public:
  Share(const Candidates& c, double largest, double k, double q, double rho)
      : c_(c), largest_(largest), k_(k), q_(q), rho_(rho) {}

  double nu = 0;
  double whole = 0, parts = 0;  // entries with theta = 1, and with 0 < theta < 1

  void at(double level) {
    double low = 0, high = kInfinity;
    bool newton = false;
    for (int round = 0; round < 100; round++) {
      const double before = whole, beforeParts = parts;
      const Classes found = classify(c_.s, c_.count, largest_, level, (q_ + rho_) / nu, q_ / nu);
      whole = static_cast<double>(found.whole);
      parts = static_cast<double>(found.parts);
      wholeSum_ = found.wholeSum;
      partsSum_ = found.partsSum;
      // A step of Newton's is exact while it meets the same entries.
      if (newton && whole == before && parts == beforeParts) return;
      const double excess = whole + (nu * partsSum_ - q_ * parts) / rho_ - k_;
      if (excess == 0) return;
      (excess > 0 ? high : low) = nu;
      double next = parts > 0 ? (rho_ * (k_ - whole) + q_ * parts) / partsSum_ : -1;
      newton = next > low && next < high;
      if (!newton) next = high < kInfinity ? (low + high) / 2 : 2 * nu;
      nu = next;
    }
  }
  // sum t
  double total() const {
    const double shared = parts > 0 ? (k_ - whole) * partsSum_ / (rho_ * (k_ - whole) + q_ * parts) : 0;
    return wholeSum_ / (q_ + rho_) + shared;
  }
  // How fast sum t falls with the level.
  double slope() const {
    return whole / (q_ + rho_) + (parts > 0 ? (k_ - whole) * parts / (rho_ * (k_ - whole) + q_ * parts) : 0);
  }

 private:
  const Candidates& c_;
  double largest_, k_, q_, rho_;
  double wholeSum_ = 0, partsSum_ = 0;
};

}  // namespace

void selectLargest(Candidates c, size_t k) {
  if (k >= c.count) return;
  const auto before = [](double a, int32_t i, double b, int32_t j) { return a > b || (a == b && i < j); };
  const auto ordered = [&](size_t p, size_t q) { return before(c.s[p], c.index[p], c.s[q], c.index[q]); };
  ptrdiff_t low = 0, high = static_cast<ptrdiff_t>(c.count) - 1;
  const ptrdiff_t last = static_cast<ptrdiff_t>(k);
  while (low < high && low < last) {
    // The median of three goes to the middle; it stops both scans.
    const ptrdiff_t middle = (low + high) / 2;
    if (ordered(middle, low)) exchange(c, middle, low);
    if (ordered(high, low)) exchange(c, high, low);
    if (ordered(high, middle)) exchange(c, high, middle);
    const double pivot = c.s[middle];
    const int32_t place = c.index[middle];
    ptrdiff_t i = low, j = high;
    while (i <= j) {
      while (before(c.s[i], c.index[i], pivot, place)) i++;
      while (before(pivot, place, c.s[j], c.index[j])) j--;
      if (i <= j) exchange(c, i++, j--);
    }
    if (last - 1 <= j) {
      high = j;
    } else if (last - 1 >= i) {
      low = i;
    } else {
      return;
    }
  }
}

void ColumnSolver::solve(Candidates candidates, double columnMass, double columnPotential) {
  count = 0;
  potential = columnPotential;
  if (candidates.count == 0 && !terms.dual) {
    // Nothing is above the threshold, or nothing is a number.
    cut = -kInfinity;
    value = std::numeric_limits<double>::quiet_NaN();
    return;
  }
  if (terms.entropy) {
    entropic(candidates, columnMass);
  } else {
    quadratic(candidates, columnMass);
  }
}

void ColumnSolver::quadratic(Candidates c, double columnMass) {
  const size_t k = terms.maxNonzeros;
  const double gamma = terms.gamma;
  const bool dual = terms.dual;
  const double largest = dual ? -potential : largestOf(c.s, c.count);
  double level = dual ? 0 : simplexLevel(c, largest, gamma * columnMass);
  const size_t above = c.count > k ? sumAbove(c.s, c.count, largest, level).count : 0;
  if (above > k && terms.rho > 0) return shared(c, largest, level, columnMass);
  size_t end = c.count;
  if (above > k) {
    selectLargest(c, k);
    end = k;
    if (!dual) {
      double sum = 0;
      for (size_t i = 0; i < end; i++) sum += c.s[i] - largest;
      level = (sum - gamma * columnMass) / static_cast<double>(k);
    }
  }
  double least = kInfinity;
  value = 0;
  mass = 0;
  for (size_t i = 0; i < end; i++) {
    const double excess = c.s[i] - largest - level;
    if (!(excess > 0)) continue;
    exchange(c, i, count);
    least = std::min(least, excess);
    const double t = excess / gamma;
    value += t * (dual ? 0.5 * excess : c.s[count] - 0.5 * excess);
    mass += t;
    plan[count++] = t;
  }
  if (!dual) potential = -(largest + level);
  // With k entries, whatever is below them all (smoothed: well below) is out; with fewer, what is below the
  // level.
  cut = largest + level + (count == k ? (gamma - terms.rho) / gamma * least : 0);
}

// More than k entries would like to be in the plan. With w = s - level the relaxation gives them
// theta = clip((nu w - q)/rho, 0, 1), q = gamma - rho, and t = w theta / (q + rho theta); nu and the level
// make sum theta = k and sum t the mass of the column. Newton's method within brackets for either.
void ColumnSolver::shared(Candidates c, double largest, double highest, double columnMass) {
  const size_t k = terms.maxNonzeros;
  const double gamma = terms.gamma, rho = terms.rho, q = gamma - rho;
  const bool dual = terms.dual;
  selectLargest(c, k);
  double smallest = kInfinity, sum = 0;
  for (size_t i = 0; i < k; i++) {
    const double s = c.s[i] - largest;
    sum += s;
    smallest = std::min(smallest, s);
  }
  Share share(c, largest, static_cast<double>(k), q, rho);
  double level = dual ? highest : (sum - gamma * columnMass) / static_cast<double>(k);
  share.nu = gamma / (smallest - level);
  share.at(level);
  if (!dual) {
    double low = -kInfinity, high = highest;
    for (int round = 0; round < 100; round++) {
      const double error = share.total() - columnMass;
      if (error == 0) break;
      (error > 0 ? low : high) = level;
      double next = level + error / share.slope();
      const bool newton = next > low && next < high;
      if (!newton) next = low > -kInfinity ? (low + high) / 2 : level - gamma * columnMass;
      level = next;
      const double whole = share.whole, parts = share.parts;
      share.at(level);
      // A step of Newton's is exact while it meets the same entries.
      if (newton && share.whole == whole && share.parts == parts) break;
    }
  }
  const double nu = share.nu;
  value = 0;
  mass = 0;
  for (size_t i = 0; i < c.count; i++) {
    const double w = c.s[i] - largest - level, theta = std::min(1.0, (nu * w - q) / rho);
    if (!(theta > 0)) continue;
    exchange(c, i, count);
    const double t = theta < 1 ? theta / nu : w / gamma;
    value += t * ((dual ? w : c.s[count]) - 0.5 * t * (q / theta + rho));
    mass += t;
    plan[count++] = t;
  }
  if (!dual) {
    // Its digits count more than those of the shares.
    const double scale = columnMass / mass;
    for (size_t r = 0; r < count; r++) plan[r] *= scale;
    mass = columnMass;
    potential = -(largest + level);
  }
  cut = largest + level + q / nu;
}

void ColumnSolver::entropic(Candidates c, double columnMass) {
  const size_t k = terms.maxNonzeros;
  const double gamma = terms.gamma;
  selectLargest(c, k);
  count = std::min(k, c.count);
  const double largest = terms.dual ? -potential : largestOf(c.s, count);
  double least = kInfinity, total = 0;
  for (size_t i = 0; i < count; i++) {
    least = std::min(least, c.s[i]);
    plan[i] = (c.s[i] - largest) / gamma;
  }
  expArray(plan.data(), plan.data(), count);
  for (size_t i = 0; i < count; i++) total += plan[i];
  cut = count == k ? least : -kInfinity;
  if (terms.dual) {
    mass = total;
    value = gamma * total;
    return;
  }
  for (size_t i = 0; i < count; i++) plan[i] *= columnMass / total;
  mass = columnMass;
  potential = gamma * std::log(columnMass / total) - largest;
  value = gamma * columnMass - columnMass * potential;
}

}  // namespace extrema::transport
