#pragma once

#include <string>

namespace extrema {

// One BLAS thread: our own pool cuts big problems, and two pools would multiply.
void limitBlasThreads();
const char* blasName();
const char* blasCore();

// Multiplies small matrices of odd sizes, plain and transposed, in both precisions, by BLAS and by plain
// loops. Some OpenBLAS versions choose kernels that compute wrongly on some processors. Empty when all is
// well; a few hundred µs.
std::string checkBlas();

}  // namespace extrema
