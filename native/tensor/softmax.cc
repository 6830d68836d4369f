#include "tensor/softmax.h"

#include <cmath>
#include <limits>

#include "simd/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/softmax.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "simd/math-inl.h"
#include "simd/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace extrema {
namespace tensor {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace ours = extrema::HWY_NAMESPACE;

template <class T>
HWY_INLINE T Greatest(const T* x, size_t n) {
  T most = -std::numeric_limits<T>::infinity();
  for (size_t j = 0; j < n; j++) most = x[j] > most || x[j] != x[j] ? x[j] : most;
  return most;
}

// out_j = scale exp(x_j - shift)
template <class T>
HWY_INLINE void Powers(T* out, const T* x, size_t n, T shift, T scale) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  const auto s = hn::Set(d, shift), c = hn::Set(d, scale);
  size_t j = 0;
  for (; j + lanes <= n; j += lanes) {
    hn::StoreU(hn::Mul(c, ours::Exp(d, hn::Sub(hn::LoadU(d, x + j), s))), d, out + j);
  }
  if (j == n) return;
  const auto v = hn::Sub(ours::LoadN(d, x + j, n - j, shift), s);
  ours::StoreN(hn::Mul(c, ours::Exp(d, v)), d, out + j, n - j);
}

template <class T>
HWY_INLINE double ExpSum(const T* x, size_t n, T most) {
  constexpr size_t kBlock = 128;
  T powers[kBlock];
  double sum = 0;
  for (size_t j = 0; j < n; j += kBlock) {
    const size_t count = n - j < kBlock ? n - j : kBlock;
    Powers(powers, x + j, count, most, T(1));
    for (size_t k = 0; k < count; k++) sum += powers[k];
  }
  return sum;
}

template <class T>
HWY_INLINE void Softmax(T* out, const T* x, size_t rows, size_t columns, bool logarithm) {
  for (size_t i = 0; i < rows; i++, x += columns, out += columns) {
    const T most = Greatest(x, columns);
    if (logarithm) {
      const T shift = static_cast<T>(std::log(ExpSum(x, columns, most)));
      for (size_t j = 0; j < columns; j++) out[j] = x[j] - most - shift;
      continue;
    }
    Powers(out, x, columns, most, T(1));
    double sum = 0;
    for (size_t j = 0; j < columns; j++) sum += out[j];
    const T total = static_cast<T>(sum);
    for (size_t j = 0; j < columns; j++) out[j] /= total;
  }
}

template <class T>
HWY_INLINE void SoftmaxVjp(T* out, const T* g, const T* y, size_t rows, size_t columns, bool logarithm) {
  for (size_t i = 0; i < rows; i++, g += columns, y += columns, out += columns) {
    double sum = 0;
    if (logarithm) {
      for (size_t j = 0; j < columns; j++) sum += g[j];
      Powers(out, y, columns, T(0), static_cast<T>(-sum));
      for (size_t j = 0; j < columns; j++) out[j] += g[j];
      continue;
    }
    for (size_t j = 0; j < columns; j++) sum += static_cast<double>(g[j]) * y[j];
    const T shift = static_cast<T>(sum);
    for (size_t j = 0; j < columns; j++) out[j] = y[j] * (g[j] - shift);
  }
}

template <class T>
HWY_INLINE void CrossEntropy(T* out, const T* x, const int32_t* labels, size_t rows, size_t columns) {
  for (size_t i = 0; i < rows; i++, x += columns) {
    const T most = Greatest(x, columns);
    out[i] = static_cast<T>(most - x[labels[i]] + std::log(ExpSum(x, columns, most)));
  }
}

// The sum of powers is taken anew: beside a large x at the label the loss has no digits left for the others.
template <class T>
HWY_INLINE void CrossEntropyVjp(T* out, const T* g, const T* x, const int32_t* labels, size_t rows,
                                size_t columns) {
  for (size_t i = 0; i < rows; i++, x += columns, out += columns) {
    Powers(out, x, columns, Greatest(x, columns), T(1));
    double sum = 0;
    for (size_t j = 0; j < columns; j++) sum += out[j];
    const T scale = static_cast<T>(g[i] / sum);
    for (size_t j = 0; j < columns; j++) out[j] *= scale;
    out[labels[i]] -= g[i];
  }
}

// Plain loops: the compiler makes vectors of the sums over four points at a time.
template <class T>
HWY_INLINE void SquaredDistances(T* out, const T* x, const T* y, size_t n, size_t m, size_t d) {
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < m; j++) {
      const T *a = x + i * d, *b = y + j * d;
      double sums[4] = {0, 0, 0, 0};
      size_t k = 0;
      for (; k + 4 <= d; k += 4) {
        for (size_t l = 0; l < 4; l++) {
          const double gap = static_cast<double>(a[k + l]) - b[k + l];
          sums[l] += gap * gap;
        }
      }
      for (; k < d; k++) {
        const double gap = static_cast<double>(a[k]) - b[k];
        sums[0] += gap * gap;
      }
      out[i * m + j] = static_cast<T>((sums[0] + sums[1]) + (sums[2] + sums[3]));
    }
  }
}

void Softmax64(double* out, const double* x, size_t r, size_t c, bool l) { Softmax(out, x, r, c, l); }
void Softmax32(float* out, const float* x, size_t r, size_t c, bool l) { Softmax(out, x, r, c, l); }
void SoftmaxVjp64(double* out, const double* g, const double* y, size_t r, size_t c, bool l) {
  SoftmaxVjp(out, g, y, r, c, l);
}
void SoftmaxVjp32(float* out, const float* g, const float* y, size_t r, size_t c, bool l) {
  SoftmaxVjp(out, g, y, r, c, l);
}
void CrossEntropy64(double* out, const double* x, const int32_t* labels, size_t r, size_t c) {
  CrossEntropy(out, x, labels, r, c);
}
void CrossEntropy32(float* out, const float* x, const int32_t* labels, size_t r, size_t c) {
  CrossEntropy(out, x, labels, r, c);
}
void CrossEntropyVjp64(double* out, const double* g, const double* x, const int32_t* labels, size_t r,
                       size_t c) {
  CrossEntropyVjp(out, g, x, labels, r, c);
}
void CrossEntropyVjp32(float* out, const float* g, const float* x, const int32_t* labels, size_t r,
                       size_t c) {
  CrossEntropyVjp(out, g, x, labels, r, c);
}
void SquaredDistances64(double* out, const double* x, const double* y, size_t n, size_t m, size_t d) {
  SquaredDistances(out, x, y, n, m, d);
}
void SquaredDistances32(float* out, const float* x, const float* y, size_t n, size_t m, size_t d) {
  SquaredDistances(out, x, y, n, m, d);
}

}  // namespace HWY_NAMESPACE
}  // namespace tensor
}  // namespace extrema
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema {
namespace tensor {

EXTREMA_EXPORT(Softmax64);
EXTREMA_EXPORT(Softmax32);
EXTREMA_EXPORT(SoftmaxVjp64);
EXTREMA_EXPORT(SoftmaxVjp32);
EXTREMA_EXPORT(CrossEntropy64);
EXTREMA_EXPORT(CrossEntropy32);
EXTREMA_EXPORT(CrossEntropyVjp64);
EXTREMA_EXPORT(CrossEntropyVjp32);
EXTREMA_EXPORT(SquaredDistances64);
EXTREMA_EXPORT(SquaredDistances32);

template <>
void softmax(double* out, const double* x, size_t rows, size_t columns, bool logarithm) {
  EXTREMA_DISPATCH(Softmax64)(out, x, rows, columns, logarithm);
}
template <>
void softmax(float* out, const float* x, size_t rows, size_t columns, bool logarithm) {
  EXTREMA_DISPATCH(Softmax32)(out, x, rows, columns, logarithm);
}
template <>
void softmaxVjp(double* out, const double* g, const double* y, size_t rows, size_t columns, bool logarithm) {
  EXTREMA_DISPATCH(SoftmaxVjp64)(out, g, y, rows, columns, logarithm);
}
template <>
void softmaxVjp(float* out, const float* g, const float* y, size_t rows, size_t columns, bool logarithm) {
  EXTREMA_DISPATCH(SoftmaxVjp32)(out, g, y, rows, columns, logarithm);
}
template <>
void crossEntropy(double* out, const double* x, const int32_t* labels, size_t rows, size_t columns) {
  EXTREMA_DISPATCH(CrossEntropy64)(out, x, labels, rows, columns);
}
template <>
void crossEntropy(float* out, const float* x, const int32_t* labels, size_t rows, size_t columns) {
  EXTREMA_DISPATCH(CrossEntropy32)(out, x, labels, rows, columns);
}
template <>
void crossEntropyVjp(double* out, const double* g, const double* x, const int32_t* labels, size_t rows,
                     size_t columns) {
  EXTREMA_DISPATCH(CrossEntropyVjp64)(out, g, x, labels, rows, columns);
}
template <>
void crossEntropyVjp(float* out, const float* g, const float* x, const int32_t* labels, size_t rows,
                     size_t columns) {
  EXTREMA_DISPATCH(CrossEntropyVjp32)(out, g, x, labels, rows, columns);
}
template <>
void squaredDistances(double* out, const double* x, const double* y, size_t n, size_t m, size_t d) {
  EXTREMA_DISPATCH(SquaredDistances64)(out, x, y, n, m, d);
}
template <>
void squaredDistances(float* out, const float* x, const float* y, size_t n, size_t m, size_t d) {
  EXTREMA_DISPATCH(SquaredDistances32)(out, x, y, n, m, d);
}

}  // namespace tensor
}  // namespace extrema
#endif
