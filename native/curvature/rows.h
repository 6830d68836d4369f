#pragma once

#include <cstddef>

namespace extrema::curvature {

// Passes over rows of either precision, `pitch` numbers apart, summed in double: products of two float32 are
// exact there.

// p_i += row_i · x
void dotRows(const double* rows, size_t pitch, size_t count, const double* x, size_t n, double* p);
void dotRows(const float* rows, size_t pitch, size_t count, const double* x, size_t n, double* p);

// sum += sum_i w_i row_i
void addRows(const double* rows, size_t pitch, size_t count, const double* w, size_t n, double* sum);
void addRows(const float* rows, size_t pitch, size_t count, const double* w, size_t n, double* sum);

// row = a row + b y; returns the largest |entry|, NaN if one is.
double blendRow(double* row, double a, double b, const double* y, size_t n);
double blendRow(float* row, double a, double b, const double* y, size_t n);

}  // namespace extrema::curvature
