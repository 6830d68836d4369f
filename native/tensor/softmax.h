#pragma once

#include <cstddef>
#include <cstdint>

namespace extrema {
namespace tensor {

// Of each row: exp(x - logSumExp x), or x - logSumExp x.
template <class T>
void softmax(T* out, const T* x, size_t rows, size_t columns, bool logarithm);

// The cotangent of x for g, with y = softmax(x).
template <class T>
void softmaxVjp(T* out, const T* g, const T* y, size_t rows, size_t columns, bool logarithm);

// out_i = logSumExp x_i - x_i,label
template <class T>
void crossEntropy(T* out, const T* x, const int32_t* labels, size_t rows, size_t columns);

// out_ij = g_i (softmax(x_i)_j - [j = label_i])
template <class T>
void crossEntropyVjp(T* out, const T* g, const T* x, const int32_t* labels, size_t rows, size_t columns);

// out_ij = |x_i - y_j|^2 for n x d and m x d points.
template <class T>
void squaredDistances(T* out, const T* x, const T* y, size_t n, size_t m, size_t d);

}  // namespace tensor
}  // namespace extrema
