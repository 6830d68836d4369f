#pragma once

#include <cstddef>
#include <cstdint>

#include "core/monitor.h"

// The passes of Gromov-Wasserstein transport: everything it does with n × m or more numbers, but for its
// linear and entropic subproblems.
namespace extrema::transport {

// What is to be known of a matrix before it is used.
struct MatrixScan {
  size_t rows = 0, columns = 0;
  const double* data = nullptr;
  bool symmetric = false;           // whether to compare with the transpose; square matrices only
  const double* weights = nullptr;  // columns: for squares
  double* squares = nullptr;        // rows: sum_j data_ij² weights_j
  double* rowSums = nullptr;        // null if not wanted
  double* columnSums = nullptr;
  // Results. Indices are those of the first such entry, -1 for none.
  double largest = 0, asymmetry = 0;  // of |data_ij| and |data_ij - data_ji|
  double notFinite = -1, negative = -1, asymmetric = -1;
};
void scanMatrix(MatrixScan& scan, unsigned threads, Monitor& monitor);

// A plan, dense or by rows.
struct PlanRef {
  const double* dense = nullptr;
  const int32_t* indptr = nullptr;
  const int32_t* indices = nullptr;
  const double* data = nullptr;
};

// out = C1 T C2 for symmetric C1 and C2, and inner products with T on the way.
struct GromovProduct {
  size_t n = 0, m = 0;
  const double* source = nullptr;
  const double* target = nullptr;
  PlanRef plan;
  const double* product = nullptr;   // n × m, or null
  const double* features = nullptr;  // n × m, or null
  double* out = nullptr;
  // Results
  double withOut = 0, withProduct = 0, withFeatures = 0;  // <out, T>, <product, T>, <features, T>
};
void gromovProduct(GromovProduct& p, unsigned threads, Monitor& monitor);

// T <- (1 - step) T + step S and X <- (1 - step) X + step C1 S C2, and the gradient there,
// (1 - alpha) M + alpha (2 (u ⊕ v) - 4 X).
struct GromovBlend {
  size_t n = 0, m = 0;
  double step = 0, alpha = 1;
  double* plan = nullptr;
  double* product = nullptr;
  PlanRef direction;
  const double* directionProduct = nullptr;
  const double* u = nullptr;
  const double* v = nullptr;
  const double* features = nullptr;  // null: 0
  double* gradient = nullptr;
};
void gromovBlend(const GromovBlend& blend, unsigned threads, Monitor& monitor);

// sum |S - T|, sum T log T and sum S log S over `size` entries; the latter two with `entropies` only.
struct PlanComparison {
  double distance = 0, entropy = 0, nextEntropy = 0;
};
PlanComparison comparePlans(const double* plan, const double* next, size_t size, bool entropies,
                            unsigned threads, Monitor& monitor);

}  // namespace extrema::transport
