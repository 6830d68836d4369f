#include "linear/sweeps.h"

#include <algorithm>

#include "core/error.h"

namespace extrema::linear {

Split::Split(const Csr& matrix, bool positive)
    : matrix(matrix),
      diagonal(matrix.rows),
      inverse(matrix.rows),
      after_(matrix.rows),
      lower_(matrix, matrix.indptr, diagonal.data(), false),
      upper_(matrix, after_.data(), matrix.indptr + 1, true) {
  for (size_t i = 0; i < matrix.rows; i++) {
    const int32_t* begin = matrix.indices + matrix.indptr[i];
    const int32_t* end = matrix.indices + matrix.indptr[i + 1];
    const int32_t* at = std::lower_bound(begin, end, static_cast<int32_t>(i));
    const bool there = at != end && *at == static_cast<int32_t>(i);
    const double value = there ? matrix.data[at - matrix.indices] : 0;
    if (positive ? !(value > 0) : value == 0) {
      const std::string place = "matrix[" + std::to_string(i) + "][" + std::to_string(i) + "]: expected ";
      const std::string came = ", got " + std::to_string(value);
      if (positive) throw Error("ERR_NOT_POSITIVE", place + "a positive diagonal" + came);
      throw Error("ERR_SINGULAR", place + "a diagonal other than 0" + came);
    }
    diagonal[i] = static_cast<int32_t>(at - matrix.indices);
    after_[i] = diagonal[i] + (there ? 1 : 0);
    inverse[i] = 1 / value;
  }
}

}  // namespace extrema::linear
