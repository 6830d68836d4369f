#pragma once

#include <cstddef>

namespace extrema {
namespace tensor {

// Discrete Fourier transforms, real and imaginary parts in arrays of their own. T is double or float.

// Along the middle axis of outer × n × inner: out_k = scale Σ_j x_j exp(-2πi jk / n).
template <class T>
void fft(T* outRe, T* outIm, const T* re, const T* im, size_t outer, size_t n, size_t inner, double scale);

// The first n / 2 + 1 modes of rows of n real numbers, those between the first and the one at n / 2 times
// `interior`.
template <class T>
void rfft(T* outRe, T* outIm, const T* x, size_t rows, size_t n, double scale, double interior);

// x_j = scale Σ_k z_k exp(2πi jk / n) over all n modes of rows, of which the first n / 2 + 1 are given and
// the others are their conjugates; those between the first and the one at n / 2 count `interior` times.
template <class T>
void irfft(T* out, const T* re, const T* im, size_t rows, size_t n, double scale, double interior);

// Products mode by mode: out[p, q, :] = Σ_r A[p, r, :] B[r, q, :], complex. With `transpose` the first two
// axes of a factor lie the other way round in memory.
struct ModeSizes {
  size_t p, q, r, modes;
  bool transposeA, transposeB, conjugateA, conjugateB;
};
template <class T>
void modeProduct(T* outRe, T* outIm, const T* aRe, const T* aIm, const T* bRe, const T* bIm,
                 const ModeSizes& sizes);

}  // namespace tensor
}  // namespace extrema
