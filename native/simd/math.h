#ifndef EXTREMA_SIMD_MATH_H_
#define EXTREMA_SIMD_MATH_H_

#include <cstddef>

namespace extrema {

/// y[i] = exp(x[i]) for i < n, within 2 ulp. x and y may be the same array, but not overlap otherwise.
/// NaN gives NaN, arguments above log(largest number) give +inf, results under 2^-1021.5 (float: 2^-125.5)
/// are 0.
void expArray(const double* x, double* y, size_t n);
void expArray(const float* x, float* y, size_t n);

/// y[i] = 2^x[i], otherwise as expArray.
void exp2Array(const double* x, double* y, size_t n);
void exp2Array(const float* x, float* y, size_t n);

/// y[i] = log(x[i]) for i < n, within 2 ulp. x and y as in expArray. 0 gives -inf, negative numbers NaN.
void logArray(const double* x, double* y, size_t n);
void logArray(const float* x, float* y, size_t n);

}  // namespace extrema

#endif  // EXTREMA_SIMD_MATH_H_
