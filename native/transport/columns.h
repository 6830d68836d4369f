#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "transport/passes.h"

namespace extrema::transport {

// What is left of a column above its threshold: s_i = x_i - C_i and i, by ascending i.
struct Candidates {
  double* s;
  int32_t* index;
  size_t count;
};

// What is done with the columns. Chunks of columns run at the same time.
class ColumnVisitor {
 public:
  virtual ~ColumnVisitor() = default;
  // Before any column of the chunk is read.
  virtual void begin(Range columns, uint32_t chunk, unsigned worker) {
    (void)columns, (void)chunk, (void)worker;
  }
  // False if the candidates may not be all it takes: then it is called again with all of the column, whose
  // threshold is -Infinity then.
  virtual bool visit(size_t column, Candidates candidates, uint32_t chunk, unsigned worker) = 0;
};

// A block of columns for the SIMD kernels of columns.cc.
struct ColumnBlock {
  const Geometry<double>* geometry;
  const Monitor* monitor;
  Range columns;
  const double* x;    // padded
  double* threshold;  // by column (of the block, unless they are rows), padded
  double* s;
  int32_t* index;
  size_t* counts;  // by column of the block
  size_t room;
  Workspace<double>::Worker* worker;
};

// The cost by columns, which may be its columns or its rows.
class Columns {
 public:
  Columns(const Problem& problem, bool byRows, unsigned threads);

  size_t count, length;
  uint32_t chunks;
  unsigned workers;

  // Visits every column with its candidates s_i > threshold. Room is made for `most` of them; a column with
  // more is visited whole, its threshold then -Infinity. x is padded.
  void visit(Team& team, const double* x, double* threshold, size_t most, ColumnVisitor& visitor);
  // Visits one column with all entries, as part of chunk 0.
  void visitWhole(const Monitor& monitor, size_t column, const double* x, unsigned worker,
                  ColumnVisitor& visitor);

  // Range of the finite costs; of points exactly, not a bound.
  CostRange range(Team& team);

 private:
  struct Buffers {
    Aligned<double> s, wholeS, threshold;
    Aligned<int32_t> index, wholeIndex;
    std::vector<size_t> counts;
    Workspace<double>::Worker worker;
  };
  Candidates readWhole(const Monitor& monitor, size_t column, const double* x, Buffers& buffers);

  bool asRows_;
  Problem problem_;  // of which the columns are rows, if `asRows_`
  std::unique_ptr<Geometry<double>> geometry_;
  std::vector<Buffers> buffers_;
  Aligned<double> nothing_;  // thresholds of -Infinity, for whole columns
};

}  // namespace extrema::transport
