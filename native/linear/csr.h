#pragma once

#include <vector>

#include "linear/operator.h"

namespace extrema::linear {

// Rows cut into ranges of about equal work, by the matrix alone.
std::vector<size_t> balancedRows(const Csr& matrix);

// out_i = (A x)_i for the rows of a range.
void multiplyRows(const Csr& matrix, size_t from, size_t to, const double* x, double* out);
// The same for `count` columns of row-major x and out.
void multiplyRowsBlock(const Csr& matrix, size_t from, size_t to, const double* x, double* out, size_t count);

// Memory for a matrix.
struct CsrMemory {
  std::vector<int32_t> indptr, indices;
  std::vector<double> data;
  Csr view(size_t rows, size_t columns) const {
    return {rows, columns, indptr.data(), indices.data(), data.data()};
  }
};
CsrMemory transposed(const Csr& matrix);

}  // namespace extrema::linear
