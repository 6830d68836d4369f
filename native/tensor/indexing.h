#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace extrema {
namespace tensor {

// Place of the largest (or smallest) entry along the middle axis of outer x length x inner, the first of
// equal ones; NaN wins.
template <class T>
void argReduce(bool largest, int32_t* out, const T* x, size_t outer, size_t length, size_t inner) {
  for (size_t o = 0; o < outer; o++) {
    for (size_t i = 0; i < inner; i++) {
      const T* start = x + o * length * inner + i;
      size_t best = 0;
      T value = *start;
      for (size_t k = 1; k < length; k++) {
        const T entry = start[k * inner];
        const bool better = largest ? entry > value : entry < value;
        if (!better && !(entry != entry && value == value)) continue;
        best = k;
        value = entry;
      }
      out[o * inner + i] = static_cast<int32_t>(best);
    }
  }
}

// Running sums along the middle axis, in float64.
template <class T>
void cumsum(T* out, const T* x, size_t outer, size_t length, size_t inner, bool reverse) {
  const ptrdiff_t step = reverse ? -static_cast<ptrdiff_t>(inner) : static_cast<ptrdiff_t>(inner);
  for (size_t o = 0; o < outer; o++) {
    for (size_t i = 0; i < inner; i++) {
      size_t at = o * length * inner + i + (reverse ? (length - 1) * inner : 0);
      double sum = 0;
      for (size_t k = 0; k < length; k++, at += static_cast<size_t>(step)) {
        sum += x[at];
        out[at] = static_cast<T>(sum);
      }
    }
  }
}

// out[o, i, :] = x[o, indices[i], :] for x of outer x length x inner.
template <class T>
void gather(T* out, const T* x, const int32_t* indices, size_t count, size_t outer, size_t length,
            size_t inner) {
  if (inner == 1) {
    for (size_t o = 0; o < outer; o++, x += length, out += count) {
      for (size_t i = 0; i < count; i++) out[i] = x[indices[i]];
    }
    return;
  }
  for (size_t o = 0; o < outer; o++) {
    for (size_t i = 0; i < count; i++) {
      const T* from = x + (o * length + static_cast<size_t>(indices[i])) * inner;
      std::memcpy(out + (o * count + i) * inner, from, inner * sizeof(T));
    }
  }
}

// out = 0, then out[o, indices[i], :] += x[o, i, :] in the order of i.
template <class T>
void scatterAdd(T* out, const T* x, const int32_t* indices, size_t count, size_t outer, size_t length,
                size_t inner) {
  std::fill(out, out + outer * length * inner, T(0));
  if (inner == 1) {
    for (size_t o = 0; o < outer; o++, x += count, out += length) {
      for (size_t i = 0; i < count; i++) out[indices[i]] += x[i];
    }
    return;
  }
  for (size_t o = 0; o < outer; o++) {
    for (size_t i = 0; i < count; i++) {
      T* to = out + (o * length + static_cast<size_t>(indices[i])) * inner;
      const T* from = x + (o * count + i) * inner;
      for (size_t k = 0; k < inner; k++) to[k] += from[k];
    }
  }
}

// out = A x or Aᵀ x for a CSR matrix and x of `width` columns.
template <class T>
void csrProduct(T* out, size_t size, const T* data, const T* x, const int32_t* indptr, const int32_t* indices,
                size_t rows, size_t width, bool transpose) {
  std::fill(out, out + size, T(0));
  for (size_t i = 0; i < rows; i++) {
    const size_t begin = static_cast<size_t>(indptr[i]), end = static_cast<size_t>(indptr[i + 1]);
    if (width == 1 && !transpose) {
      double sum = 0;
      for (size_t p = begin; p < end; p++) sum += static_cast<double>(data[p]) * x[indices[p]];
      out[i] = static_cast<T>(sum);
      continue;
    }
    for (size_t p = begin; p < end; p++) {
      const size_t column = static_cast<size_t>(indices[p]);
      T* to = out + (transpose ? column : i) * width;
      const T* from = x + (transpose ? i : column) * width;
      const T value = data[p];
      for (size_t k = 0; k < width; k++) to[k] += value * from[k];
    }
  }
}

}  // namespace tensor
}  // namespace extrema
