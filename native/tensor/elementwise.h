#pragma once

#include <cstddef>
#include <cstdint>

namespace extrema {
namespace tensor {

// Operations entry by entry. T is double or float; the numbers of the operations are those of
// lib/backend/tensor.ts. `plan` is null where all operands have one shape.

template <class T>
void unary(int op, T* out, const T* x, size_t n, double parameter);

// out = g f'(x), y = f(x)
template <class T>
void derivative(int op, T* out, const T* g, const T* x, const T* y, size_t n, double parameter);

template <class T>
void binary(int op, T* out, const T* x, const T* y, size_t n, const int32_t* plan);

template <class T>
void compare(int op, int32_t* out, const T* x, const T* y, size_t n, const int32_t* plan);

template <class T>
void where(T* out, const int32_t* condition, const T* x, const T* y, size_t n);

}  // namespace tensor
}  // namespace extrema
