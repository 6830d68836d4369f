#pragma once

#include <cstddef>
#include <vector>

#include "core/aligned.h"
#include "core/team.h"

namespace extrema::transport {

// The cost along one axis: entry (i, j) at cost[i * step + j]. A matrix has step n; the costs of a regular
// grid, which depend on j - i alone, lie in one line of 2n - 1 numbers with step -1.
struct CostAxis {
  size_t n = 0;
  const double* cost = nullptr;
  ptrdiff_t step = 0;
};

// Products with the kernel exp(-C / epsilon) of a cost that is a sum over the axes of an array, from
// logarithms to logarithms:
//   out_i = log sum_j exp(x_j - C_ij / epsilon)
// axis by axis. Along an axis, the numbers of a line are taken relative to their largest, multiplied by the
// kernel of the axis, and the logarithm is taken again; where the product underflows, the sum is formed from
// its exponents. So no epsilon is too small, and no more is stored than the kernels of the axes.
class LogKernel {
 public:
  // `arrays` is the largest number of arrays that `apply` is given at once. Throws ERR_NOT_FINITE, naming the
  // entry, if a cost is not finite.
  LogKernel(std::vector<CostAxis> axes, size_t arrays, Team& team);

  size_t size() const noexcept { return size_; }
  bool symmetric() const noexcept { return !asymmetry_; }
  // An entry that differs from its mirror, unless symmetric.
  void asymmetricEntry(size_t& i, size_t& j) const noexcept;
  // Sum over the axes of the range of the costs.
  double range() const noexcept { return range_; }

  // Forms the kernels of the axes.
  void prepare(double epsilon);
  // Each of `arrays` arrays of size() logarithms, one behind the other, in place. `transposed`: the sum is
  // over i.
  void apply(double* data, size_t arrays, bool transposed);

 private:
  // Fibres, the lines of an array along an axis, that are handled together.
  static constexpr size_t kFibres = 16;

  struct Axis {
    CostAxis cost;
    double least = 0;  // of the costs
    Aligned<double> kernel;
    ptrdiff_t kernelStep = 0;
    const double* firstRow = nullptr;  // of the kernel
  };
  struct Scratch {
    Aligned<double> x, v, z;
    double top[kFibres] = {};
  };
  // Up to kFibres fibres: fibre f starts at data[f * fibreStep], its entries lie entryStep apart.
  struct Tile {
    double* data;
    size_t fibres, fibreStep, entryStep;
  };

  void inspect(Axis& axis);
  void transpose(const Axis& axis);
  void fill(Axis& axis, double epsilon);
  void applyAxis(const Axis& axis, double* data, size_t outer, size_t inner);
  static void load(const Axis& axis, const Tile& tile, Scratch& scratch);
  void multiply(const Axis& axis, size_t fibres, size_t begin, size_t end, Scratch& scratch) const;
  static void store(const Axis& axis, const Tile& tile, const Scratch& scratch);

  Team& team_;
  size_t size_ = 1;
  double range_ = 0;
  double inverse_ = 0;  // 1 / epsilon
  std::vector<Axis> axes_;
  bool asymmetry_ = false;
  size_t asymmetricRow_ = 0, asymmetricColumn_ = 0;
  Axis transposed_;  // of the only axis, unless symmetric
  Aligned<double> transposedCost_;
  std::vector<Scratch> scratch_;  // per worker
};

}  // namespace extrema::transport
