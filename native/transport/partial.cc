// Partial transport as a balanced problem with a border: one more row and column take what stays (Caffarelli,
// McCann 2010; Chapel, Alaya, Gasso 2020, arXiv 2002.08276). The arc between both is forbidden, so that
// exactly `mass` moves.

#include "transport/partial.h"

#include <algorithm>
#include <cmath>

#include "transport/newton.h"

namespace extrema::transport {

namespace {

// Less than this part of a side's weights left over counts as nothing: the side has no border.
constexpr double kNothing = 1e-12;

double dot(const double* x, const double* y, size_t count) {
  Aligned<double> products(count);
  for (size_t i = 0; i < count; i++) products[i] = x[i] * y[i];
  return sum(products.data(), count);
}

// The weights of one side and what of them stays.
struct Weights {
  Weights(const double* given, size_t count, double mass) : all(count + 1) {
    const double total = sum(given, count);
    stays = total - mass > kNothing * total ? total - mass : 0;
    const double factor = stays > 0 ? 1 : mass / total;
    for (size_t i = 0; i < count; i++) all[i] = factor * given[i];
  }
  Aligned<double> all;  // room for the other side's rest at the end
  double stays = 0;
};

class Bordered {
 public:
  Bordered(const Problem& core, double mass)
      : mass_(mass),
        a_(core.a, core.n, mass),
        b_(core.b, core.m, mass),
        problem(core),
        f(core.n + 1),
        g(core.m + 1),
        n_(core.n),
        m_(core.m) {
    a_.all[n_] = b_.stays;
    b_.all[m_] = a_.stays;
    problem.borderRow = b_.stays > 0;
    problem.borderColumn = a_.stays > 0;
    problem.n = n_ + (problem.borderRow ? 1 : 0);
    problem.m = m_ + (problem.borderColumn ? 1 : 0);
    problem.a = a_.all.data();
    problem.b = b_.all.data();
  }

  // Potentials with a border from those of the caller, and back.
  void enter(double borderCost, const double* coreF, const double* coreG, double price) {
    std::copy_n(coreF, n_, f.data());
    for (size_t j = 0; j < m_; j++) g[j] = coreG[j] + price;
    f[n_] = borderCost - price;
    g[m_] = borderCost;
  }
  void leave(double borderCost, double* coreF, double* coreG, double* price) {
    // A side that moves altogether has no border; its price is the least that leaves no potential positive.
    if (!problem.borderColumn) g[m_] = borderCost - *std::max_element(f.data(), f.data() + n_);
    if (!problem.borderRow) f[n_] = borderCost - *std::max_element(g.data(), g.data() + m_);
    for (size_t i = 0; i < n_; i++) coreF[i] = f[i] + (g[m_] - borderCost);
    for (size_t j = 0; j < m_; j++) coreG[j] = g[j] + (f[n_] - borderCost);
    *price = (borderCost - f[n_]) + (borderCost - g[m_]);
  }

  void measure(Context& context, const double* coreF, const double* coreG, double price, double* rowSum,
               double* columnSum, PartialReport& report);
  void certify(Context& context, PartialReport& report);

 private:
  double mass_;
  Weights a_, b_;

 public:
  Problem problem;
  Aligned<double> f, g;

 private:
  size_t n_, m_;
};

void Bordered::measure(Context& context, const double* coreF, const double* coreG, double price,
                       double* rowSum, double* columnSum, PartialReport& report) {
  const double epsilon = problem.epsilon;
  Aligned<double> rows(n_ + 1), rowCost(n_ + 1), columns(m_ + 1), scale(n_ + 1), weight(m_ + 1);
  std::fill_n(scale.data(), n_, 1.0);
  std::fill_n(weight.data(), m_, 1.0);
  PlanPass pass;
  pass.epsilon = epsilon;
  pass.f = f.data();
  pass.g = g.data();
  pass.scaling = Scaling::given;
  pass.scale = scale.data();
  pass.columnWeight = weight.data();
  pass.rowSum = rows.data();
  pass.rowCost = rowCost.data();
  pass.columnSum = columns.data();
  planPass(context.team, context.geometry, context.workspace, pass);
  report.mass = sum(rows.data(), n_);
  report.value = sum(rowCost.data(), n_);
  std::copy_n(rows.data(), n_, rowSum);
  std::copy_n(columns.data(), m_, columnSum);

  const auto side = [&](size_t count, const double* moved, const double* potential, const Weights& weights) {
    double error = 0, stays = 0;
    for (size_t i = 0; i < count; i++) {
      const double rest = weights.stays > 0 ? std::exp(potential[i] / epsilon) : 0;
      error += std::fabs(moved[i] + rest - weights.all[i]);
      stays += rest;
    }
    report.marginalError += (error + std::fabs(stays - weights.stays)) / mass_;
    report.regularizedValue += dot(weights.all.data(), potential, count) - epsilon * stays;
  };
  report.marginalError = 0;
  report.regularizedValue = mass_ * price - epsilon * report.mass;
  side(n_, rowSum, coreF, a_);
  side(m_, columnSum, coreG, b_);
}

// Bounds of the problem without its entropic terms: of the primal by capping rows and columns and spreading
// what is missing over what they have left (Altschuler, Weed, Rigollet 2017), of the dual by c-transforms.
void Bordered::certify(Context& context, PartialReport& report) {
  Aligned<double> caps(n_ + 1), x(n_ + 1), y(m_ + 1), weight(m_ + 1), columns(m_ + 1), rows(n_ + 1),
      rowCost(n_ + 1);
  std::copy_n(a_.all.data(), n_, caps.data());
  std::fill_n(weight.data(), m_, 1.0);
  PlanPass capRows;
  capRows.epsilon = problem.epsilon;
  capRows.f = f.data();
  capRows.g = g.data();
  capRows.scaling = Scaling::capped;
  capRows.a = caps.data();
  capRows.scale = x.data();
  capRows.columnWeight = weight.data();
  capRows.columnSum = columns.data();
  planPass(context.team, context.geometry, context.workspace, capRows);
  for (size_t j = 0; j < m_; j++) y[j] = columns[j] > b_.all[j] ? b_.all[j] / columns[j] : 1;

  PlanPass capColumns;
  capColumns.epsilon = problem.epsilon;
  capColumns.f = f.data();
  capColumns.g = g.data();
  capColumns.columnWeight = y.data();
  capColumns.rowSum = rows.data();
  capColumns.rowCost = rowCost.data();
  planPass(context.team, context.geometry, context.workspace, capColumns);
  double moved = 0, cost = 0, roomA = 0, roomB = 0;
  for (size_t i = 0; i < n_; i++) {
    moved += x[i] * rows[i];
    cost += x[i] * rowCost[i];
    x[i] = std::max(0.0, a_.all[i] - x[i] * rows[i]);
    roomA += x[i];
  }
  for (size_t j = 0; j < m_; j++) {
    y[j] = std::max(0.0, b_.all[j] - y[j] * columns[j]);
    roomB += y[j];
  }

  TransformPass columnTransform;  // g_j <- min_i (C_ij - f_i)
  Aligned<double> dualG(m_ + 1), dualF(n_ + 1);
  columnTransform.f = f.data();
  columnTransform.columnMin = dualG.data();
  transformPass(context.team, context.geometry, context.workspace, columnTransform);
  TransformPass rowTransform;  // f_i <- min_j (C_ij - g_j), and the cost of the rank-one correction
  rowTransform.g = dualG.data();
  rowTransform.rowMin = dualF.data();
  rowTransform.columnWeight = y.data();
  rowTransform.rowCost = rowCost.data();
  transformPass(context.team, context.geometry, context.workspace, rowTransform);
  const double missing = mass_ - moved;
  if (missing > 0 && roomA > 0 && roomB > 0) {
    for (size_t i = 0; i < n_; i++) cost += x[i] == 0 ? 0 : rowCost[i] * (x[i] / roomA) * (missing / roomB);
  } else if (missing < 0) {
    cost *= mass_ / moved;
  }
  report.primal = cost;
  report.dual = dot(a_.all.data(), dualF.data(), problem.n) + dot(b_.all.data(), dualG.data(), problem.m) -
                context.geometry.borderCost * (a_.stays + b_.stays);
}

}  // namespace

void partial(const Problem& core, double mass, const Options& options, double* f, double* g, double* price,
             double* rowSum, double* columnSum, PartialReport& report, History& history, Monitor& monitor) {
  Bordered bordered(core, mass);
  Context context(bordered.problem, options.threads, monitor);
  const double borderCost = context.geometry.borderCost;
  const auto nonzero = [](double value) { return value != 0; };
  if (*price != 0 || std::any_of(f, f + core.n, nonzero) || std::any_of(g, g + core.m, nonzero)) {
    bordered.enter(borderCost, f, g, *price);
  }
  Options inner = options;
  inner.tolerance *= mass / context.mass;  // the error counts relative to what moves
  sinkhornNewtonAdaptive(context, inner, bordered.f.data(), bordered.g.data(), report, history);
  if (monitor.cancelled()) return;
  bordered.leave(borderCost, f, g, price);
  bordered.enter(borderCost, f, g, *price);  // measured is what is returned, with its rounding
  bordered.measure(context, f, g, *price, rowSum, columnSum, report);
  if (report.marginalError <= options.tolerance) {
    report.status = Status::converged;
  } else if (report.status == Status::converged) {
    report.status = Status::stalled;
  }
  if (options.certificate) bordered.certify(context, report);
}

}  // namespace extrema::transport
