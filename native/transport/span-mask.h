#pragma once

#include <cstdint>
#include <vector>

#include "core/team.h"
#include "transport/problem.h"

namespace extrema::transport {

// Which pairs of blocks of points a sweep may leave out. A block is an aligned run of points; where the
// points are in the order of a tree (cloud-order.h) it lies in a small box. All numbers are in the units of
// the exponent: log2 P_ij = F_i + G_j - C_ij.
//
// A pair is left out where no entry can reach delta min(a_I / m, b_J / n), with the least weights of either
// block: then a row whose sum is a_i, and a column whose sum is b_j, lose at most the share delta. Of other
// sums the pass asks afterwards (CloudSweep).
class SpanMask {
 public:
  static constexpr size_t kBlock = 32;
  // Sums of at least this share of their weight keep their digits.
  static constexpr double kMargin = 1e-4;
  struct Span {
    uint32_t begin, end;
  };

  // x: n × d, yT: d × pitch, in the units in which `metric` gives exponents; `unit` is that of a cosine.
  template <class T>
  SpanMask(Metric metric, double unit, size_t n, size_t m, size_t d, size_t pitch, const T* x, const T* yT,
           const double* a, const double* b);

  template <class T>
  void rebuild(Team& team, const T* F, const T* G, double delta);

  // The columns of the rows of block i / kBlock that are to be formed.
  const std::vector<Span>& spans(size_t i) const { return spans_[i / kBlock]; }
  // Entries that the last mask leaves out.
  double skipped() const { return skipped_; }

 private:
  struct Side {
    size_t count = 0, blocks = 0;
    std::vector<double> least, most;  // d × blocks
    std::vector<double> logWeight;    // log2 of the least weight
    std::vector<double> potential;    // the largest
  };
  template <class T>
  static void measure(Side& side, size_t count, size_t d, const T* points, size_t pointStep, size_t coordStep,
                      const double* weights);
  double leastCost(size_t I, size_t J) const;

  Metric metric_;
  double unit_;
  size_t d_, pitch_;
  Side rows_, columns_;
  std::vector<std::vector<Span>> spans_;
  double skipped_ = 0;
};

}  // namespace extrema::transport
