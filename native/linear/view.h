#pragma once

#include "linear/operator.h"

namespace extrema::dense {

// A borrowed matrix: row-major, or compressed sparse rows whose columns ascend.
struct MatrixView {
  size_t rows = 0, columns = 0;
  const double* data = nullptr;
  const int32_t *indptr = nullptr, *indices = nullptr;
  const double* values = nullptr;

  bool sparse() const { return data == nullptr; }
  linear::Csr csr() const { return {rows, columns, indptr, indices, values}; }
};

}  // namespace extrema::dense
