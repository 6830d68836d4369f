#pragma once

#include "core/aligned.h"

namespace extrema::lowrank {

// a = u diag(s) vt of a column-major n × n matrix, s descending.
class Svd {
 public:
  explicit Svd(size_t n);
  void decompose(const double* a);

  Aligned<double> u, s, vt;

 private:
  size_t n_;
  Aligned<double> copy_, work_;
  Aligned<int> integers_;
};

}  // namespace extrema::lowrank
