#include "lowrank/completion/observations.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>

#include "core/error.h"

namespace extrema::lowrank {

namespace {

constexpr size_t kPoll = size_t{1} << 18;
constexpr size_t kLeastChunk = 8192, kMostChunks = 512;

std::string text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  std::ostringstream out;
  out << value;
  return out.str();
}

std::string place(const Entries& entries, const char* what, size_t k) {
  return std::string(entries.name) + what + "[" + std::to_string(k) + "]";
}

void checkIndex(const Entries& entries, const char* what, size_t k, int32_t index, size_t count) {
  if (index >= 0 && static_cast<size_t>(index) < count) return;
  throw Error("ERR_SHAPE", place(entries, what, k) + ": expected an index from 0 to " +
                               std::to_string(count - 1) + ", got " + std::to_string(index));
}

// Calls fn(k, row) for all entries in the order given.
template <class F>
void each(const Entries& entries, const Monitor& monitor, F&& fn) {
  if (entries.rows != nullptr) {
    for (size_t k = 0; k < entries.count; k++) {
      if (k % kPoll == 0 && monitor.cancelled()) return;
      fn(k, static_cast<size_t>(entries.rows[k]));
    }
    return;
  }
  for (size_t i = 0; i < entries.m; i++) {
    if (i % 1024 == 0 && monitor.cancelled()) return;
    for (size_t k = static_cast<size_t>(entries.indptr[i]); k < static_cast<size_t>(entries.indptr[i + 1]);
         k++)
      fn(k, i);
  }
}

void checkOffsets(const Entries& entries) {
  for (size_t i = 0; i < entries.m; i++) {
    const int32_t from = entries.indptr[i], to = entries.indptr[i + 1];
    if ((i > 0 || from == 0) && from <= to && static_cast<size_t>(to) <= entries.count) continue;
    throw Error("ERR_SHAPE", std::string(entries.name) + "indptr: expected offsets that rise from 0 to " +
                                 std::to_string(entries.count) + ", got " + std::to_string(from) + " and " +
                                 std::to_string(to) + " at [" + std::to_string(i) + "]");
  }
  if (static_cast<size_t>(entries.indptr[entries.m]) != entries.count)
    throw Error("ERR_SHAPE", std::string(entries.name) + "indptr: expected offsets that end at " +
                                 std::to_string(entries.count) + ", got " +
                                 std::to_string(entries.indptr[entries.m]));
}

bool kept(const Entries& entries, size_t k) {
  return (!entries.weights.given() || entries.weights.at(k) > 0) &&
         (!entries.counts || entries.values.at(k) > 0);
}

void allocate(Lines& lines, size_t count, size_t across, size_t entries, bool single, bool weighted) {
  lines.count = count;
  lines.across = across;
  lines.start.assign(count + 1, 0);
  lines.index = Aligned<int32_t>(entries);
  if (single) {
    lines.values32 = Aligned<float>(entries);
  } else {
    lines.values64 = Aligned<double>(entries);
  }
  if (weighted) lines.weights = Aligned<double>(entries);
}

// Counts in start[i + 1] become offsets; the result says where each line is to be filled next.
std::vector<size_t> offsets(std::vector<size_t>& start) {
  for (size_t i = 1; i < start.size(); i++) start[i] += start[i - 1];
  return {start.begin(), start.end() - 1};
}

// The entries by the other index. Indices come out ascending, as the lines are gone through in order.
void turn(const Lines& from, Lines& to, const Monitor& monitor) {
  const size_t entries = from.entries();
  allocate(to, from.across, from.count, entries, !from.values32.empty(), !from.weights.empty());
  for (size_t k = 0; k < entries; k++) to.start[static_cast<size_t>(from.index[k]) + 1]++;
  std::vector<size_t> next = offsets(to.start);
  for (size_t i = 0; i < from.count; i++) {
    if (i % 256 == 0 && monitor.cancelled()) return;
    for (size_t k = from.start[i]; k < from.start[i + 1]; k++) {
      const size_t at = next[static_cast<size_t>(from.index[k])]++;
      to.index[at] = static_cast<int32_t>(i);
      if (!to.values32.empty()) {
        to.values32[at] = from.values32[k];
      } else {
        to.values64[at] = from.values64[k];
      }
      if (!to.weights.empty()) to.weights[at] = from.weights[k];
    }
  }
}

void checkTwice(const Entries& entries, const Lines& rows) {
  for (size_t i = 0; i < rows.count; i++) {
    for (size_t k = rows.start[i] + 1; k < rows.start[i + 1]; k++) {
      if (rows.index[k] != rows.index[k - 1]) continue;
      throw Error("ERR_SHAPE", std::string(entries.name) + "columns: expected every entry once, got row " +
                                   std::to_string(i) + ", column " + std::to_string(rows.index[k]) +
                                   " twice");
    }
  }
}

}  // namespace

void Lines::cut() {
  longest = 0;
  for (size_t i = 0; i < count; i++) longest = std::max(longest, start[i + 1] - start[i]);
  // Lines without entries take time too.
  const size_t total = entries() + 16 * count;
  const size_t wanted = std::max(kLeastChunk, total / kMostChunks + 1);
  chunks.assign(1, 0);
  size_t filled = 0;
  for (size_t i = 0; i < count; i++) {
    filled += start[i + 1] - start[i] + 16;
    if (filled < wanted && i + 1 < count) continue;
    chunks.push_back(i + 1);
    filled = 0;
  }
}

void checkEntries(const Entries& entries, const Monitor& monitor) {
  if (entries.rows == nullptr) checkOffsets(entries);
  each(entries, monitor, [&](size_t k, size_t row) {
    if (entries.rows != nullptr) checkIndex(entries, "rows", k, entries.rows[k], entries.m);
    (void)row;
    checkIndex(entries, entries.rows != nullptr ? "columns" : "indices", k, entries.columns[k], entries.n);
    const double value = entries.values.at(k);
    const char* what = entries.rows != nullptr ? "values" : "data";
    if (!std::isfinite(value))
      throw Error("ERR_NOT_FINITE",
                  place(entries, what, k) + ": expected a finite number, got " + text(value));
    if (entries.counts && value < 0)
      throw Error("ERR_OPTION",
                  place(entries, what, k) + ": expected a count >= 0 with confidence, got " + text(value));
    if (!entries.weights.given()) return;
    const double weight = entries.weights.at(k);
    if (!std::isfinite(weight))
      throw Error("ERR_NOT_FINITE",
                  place(entries, "weights", k) + ": expected a finite number >= 0, got " + text(weight));
    if (weight < 0)
      throw Error("ERR_OPTION",
                  place(entries, "weights", k) + ": expected a finite number >= 0, got " + text(weight));
  });
}

void arrange(const Entries& entries, Lines& rows, Lines& columns, const Monitor& monitor) {
  checkEntries(entries, monitor);
  if (monitor.cancelled()) return;
  size_t count = 0;
  bool ordered = true;
  int64_t lastRow = -1, lastColumn = -1;
  each(entries, monitor, [&](size_t k, size_t row) {
    if (!kept(entries, k)) return;
    count++;
    const auto i = static_cast<int64_t>(row);
    const int64_t j = entries.columns[k];
    if (i < lastRow || (i == lastRow && j < lastColumn)) ordered = false;
    lastRow = i;
    lastColumn = j;
  });
  Lines given;
  allocate(given, entries.m, entries.n, count, entries.values.as32 != nullptr, entries.weights.given());
  each(entries, monitor, [&](size_t k, size_t row) {
    if (kept(entries, k)) given.start[row + 1]++;
  });
  std::vector<size_t> next = offsets(given.start);
  each(entries, monitor, [&](size_t k, size_t row) {
    if (!kept(entries, k)) return;
    const size_t at = next[row]++;
    given.index[at] = entries.columns[k];
    if (entries.values.as32 != nullptr) {
      given.values32[at] = entries.values.as32[k];
    } else {
      given.values64[at] = entries.values.as64[k];
    }
    if (entries.weights.given()) given.weights[at] = entries.weights.at(k);
  });
  if (monitor.cancelled()) return;
  turn(given, columns, monitor);
  if (ordered) {
    rows = std::move(given);
  } else {
    given = Lines();
    turn(columns, rows, monitor);
  }
  if (monitor.cancelled()) return;
  checkTwice(entries, rows);
  rows.cut();
  columns.cut();
}

}  // namespace extrema::lowrank
