#include "descent/forest.h"

#include <algorithm>
#include <cmath>

namespace extrema::descent {

namespace {

// A pivot at most this part of its diagonal entry is a null one.
constexpr double kNullPivot = 1e-13;
// Nodes of a stretch, and between two looks at the monitor.
constexpr size_t kStretch = 1 << 16;
constexpr int32_t kTaken = -1;

// Rows up to this length are searched from one end to the other.
constexpr int32_t kShort = 16;

// Whether A_ji is A_ij.
bool isMirrored(const ForestRows& rows, size_t i, int32_t j, double value) {
  if (rows.symmetric) return true;
  const int32_t *at = rows.indices + rows.indptr[j], *end = rows.indices + rows.indptr[j + 1];
  const int32_t wanted = static_cast<int32_t>(i);
  if (end - at > kShort) at = std::lower_bound(at, end, wanted);
  while (at != end && *at < wanted) at++;
  if (at == end || *at != wanted) return false;
  const double other = rows.values[at - rows.indices];
  return std::fabs(value - other) <= 1e-12 * std::max(std::fabs(value), std::fabs(other));
}

// A_ii, and the entry to p.
struct Entries {
  double diagonal, toParent;
};
Entries entriesOf(const ForestRows& rows, size_t i, int32_t p) {
  Entries entries{rows.diagonal != nullptr ? rows.diagonal[i] : 0, 0};
  for (int32_t k = rows.indptr[i]; k < rows.indptr[i + 1]; k++) {
    const int32_t j = rows.indices[k];
    if (j == p) entries.toParent = rows.values[k];
    if (rows.diagonal == nullptr && j == static_cast<int32_t>(i)) entries.diagonal = rows.values[k];
  }
  return entries;
}

}  // namespace

ForestFault ForestSolver::solve(const ForestRows& rows, size_t size, const double* c, double* x,
                                bool semidefinite, Team& team) {
  const Monitor& monitor = team.monitor();
  forEach(team, size, size * 8, [&](size_t i, unsigned) { load(i, rows, c, x); });
  const uint32_t stretches = static_cast<uint32_t>((size + kStretch - 1) / kStretch);
  std::vector<Part> parts(stretches + 1);
  team.run(stretches, [&](uint32_t s, unsigned) {
    parts[s].order = &order_[s * kStretch];
    parts[s].toParent = &toParent_[s * kStretch];
    peel(parts[s], s * kStretch, std::min(size, (s + 1) * kStretch), rows, x, monitor);
  });
  if (monitor.cancelled()) return ForestFault::none;
  size_t taken = 0;
  for (uint32_t s = 0; s < stretches; s++) taken += parts[s].count;
  const std::unique_ptr<int32_t[]> order(new int32_t[size - taken]);
  const std::unique_ptr<double[]> toParent(new double[size - taken]);
  Part& rest = parts.back();
  rest.order = order.get();
  rest.toParent = toParent.get();
  if (stretches > 1) peel(rest, 0, size, rows, x, monitor);
  if (monitor.cancelled()) return ForestFault::none;
  for (const Part& part : parts) {
    if (part.kind == ForestFault::none) continue;
    fault = part.fault;
    return part.kind;
  }
  trees = size - taken - rest.count;
  for (size_t i = 0; i < size; i++) {
    if (i % kStretch == 0 && monitor.cancelled()) return ForestFault::none;
    if (degree_[i] <= 0) continue;
    fault = nodeOnCycle(size, rows, monitor);
    return ForestFault::cycle;
  }
  if (!solveRoots(size, rows, x, semidefinite, monitor)) return ForestFault::pivot;
  substitute(rest, x, monitor);
  team.run(stretches, [&](uint32_t s, unsigned) { substitute(parts[s], x, monitor); });
  return ForestFault::none;
}

void ForestSolver::load(size_t i, const ForestRows& rows, const double* c, double* x) {
  int32_t degree = 0, link = 0;
  double diagonal = rows.diagonal != nullptr ? rows.diagonal[i] : 0;
  for (int32_t k = rows.indptr[i]; k < rows.indptr[i + 1]; k++) {
    const int32_t j = rows.indices[k];
    if (rows.diagonal == nullptr && j == static_cast<int32_t>(i)) {
      diagonal = rows.values[k];
    } else if (rows.values[k] != 0) {
      degree++;
      link ^= j;
    }
  }
  degree_[i] = degree;
  link_[i] = link;
  pivots_[i] = diagonal;
  x[i] = c[i];
}

// Takes off the leaves first … last - 1 whose parents are among them, and what becomes a leaf by it.
void ForestSolver::peel(Part& part, size_t first, size_t last, const ForestRows& rows, double* x,
                        const Monitor& monitor) {
  for (size_t next = first; next < last; next++) {
    if (next % kStretch == 0 && monitor.cancelled()) return;
    size_t i = next;
    while (degree_[i] == 1) {
      const int32_t p = link_[i];
      if (static_cast<size_t>(p) < first || static_cast<size_t>(p) >= last) break;
      const Entries entries = entriesOf(rows, i, p);
      const bool mirrored = isMirrored(rows, i, p, entries.toParent);
      // A negative or NaN pivot is no rounding error, and a null one is only at a root.
      if (!mirrored || !(pivots_[i] > kNullPivot * entries.diagonal)) {
        part.kind = mirrored ? ForestFault::pivot : ForestFault::asymmetry;
        part.fault = i;
        return;
      }
      const double ratio = entries.toParent / pivots_[i];
      pivots_[p] -= entries.toParent * ratio;
      x[p] -= ratio * x[i];
      part.order[part.count] = static_cast<int32_t>(i);
      part.toParent[part.count++] = entries.toParent;
      if (part.count % kStretch == 0 && monitor.cancelled()) return;
      degree_[i] = kTaken;
      degree_[p]--;
      link_[p] ^= static_cast<int32_t>(i);
      // A later node has its turn still to come.
      if (static_cast<size_t>(p) > next) break;
      i = static_cast<size_t>(p);
    }
  }
}

bool ForestSolver::solveRoots(size_t size, const ForestRows& rows, double* x, bool semidefinite,
                              const Monitor& monitor) {
  for (size_t i = 0; i < size; i++) {
    if (i % kStretch == 0 && monitor.cancelled()) return true;
    if (degree_[i] == kTaken) continue;
    const double diagonal = entriesOf(rows, i, kTaken).diagonal;
    if (pivots_[i] > kNullPivot * diagonal) {
      x[i] /= pivots_[i];
      continue;
    }
    // Rounding leaves a null pivot at the root of a singular tree.
    if (!semidefinite || pivots_[i] < -1e-6 * diagonal || std::isnan(pivots_[i])) {
      fault = i;
      return false;
    }
    x[i] = 0;
  }
  return true;
}

void ForestSolver::substitute(const Part& part, double* x, const Monitor& monitor) const {
  for (size_t at = part.count; at-- > 0;) {
    if (at % kStretch == 0 && monitor.cancelled()) return;
    const int32_t i = part.order[at];
    x[i] = (x[i] - part.toParent[at] * x[link_[i]]) / pivots_[i];
  }
}

// What is left when no leaf is: every node has two neighbours left, so a walk that does not turn back comes
// to where it was.
size_t ForestSolver::nodeOnCycle(size_t size, const ForestRows& rows, const Monitor& monitor) const {
  std::vector<char> seen(size);
  size_t i = 0, last = size, steps = 0;
  while (degree_[i] <= 0) i++;
  while (!seen[i]) {
    seen[i] = 1;
    if (++steps % kStretch == 0 && monitor.cancelled()) break;
    size_t next = i;
    for (int32_t k = rows.indptr[i]; k < rows.indptr[i + 1] && next == i; k++) {
      const size_t j = static_cast<size_t>(rows.indices[k]);
      if (j != last && degree_[j] > 0 && rows.values[k] != 0) next = j;
    }
    last = i;
    if (next == i) break;
    i = next;
  }
  return i;
}

}  // namespace extrema::descent
