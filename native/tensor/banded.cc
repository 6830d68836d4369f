#include <algorithm>

#include "tensor/factor.h"

namespace extrema {
namespace tensor {

namespace {

// visit(row of the bands, first row of A, one past the last, columns right of the diagonal)
template <class F>
void eachDiagonal(const BandedSizes& s, const F& visit) {
  for (size_t d = 0; d <= s.lower + s.upper; d++) {
    const ptrdiff_t shift = static_cast<ptrdiff_t>(d) - static_cast<ptrdiff_t>(s.lower);
    const auto n = static_cast<ptrdiff_t>(s.n);
    visit(d, std::max<ptrdiff_t>(0, -shift), std::min(n, n - shift), shift);
  }
}

}  // namespace

template <class T>
void bandedProduct(T* out, const T* bands, const T* x, const BandedSizes& s, bool transpose) {
  const auto columns = static_cast<ptrdiff_t>(s.columns);
  std::fill_n(out, s.batch * s.n * s.columns, T(0));
  for (size_t p = 0; p < s.batch; p++) {
    const T* first = bands + p * (s.lower + s.upper + 1) * s.n;
    T* y = out + p * s.n * s.columns;
    const T* z = x + p * s.n * s.columns;
    eachDiagonal(s, [&](size_t d, ptrdiff_t from, ptrdiff_t to, ptrdiff_t shift) {
      const T* entries = first + d * s.n;
      const ptrdiff_t skip = shift * columns;
      for (ptrdiff_t i = from; i < to; i++) {
        const ptrdiff_t row = i * columns;
        T* target = y + (transpose ? row + skip : row);
        const T* source = z + (transpose ? row : row + skip);
        for (ptrdiff_t c = 0; c < columns; c++) target[c] += entries[i] * source[c];
      }
    });
  }
}

template <class T>
void bandedOuter(T* out, const T* g, const T* x, const BandedSizes& s) {
  const auto columns = static_cast<ptrdiff_t>(s.columns);
  std::fill_n(out, s.batch * (s.lower + s.upper + 1) * s.n, T(0));
  for (size_t p = 0; p < s.batch; p++) {
    T* first = out + p * (s.lower + s.upper + 1) * s.n;
    const T* left = g + p * s.n * s.columns;
    const T* right = x + p * s.n * s.columns;
    eachDiagonal(s, [&](size_t d, ptrdiff_t from, ptrdiff_t to, ptrdiff_t shift) {
      for (ptrdiff_t i = from; i < to; i++) {
        double sum = 0;
        for (ptrdiff_t c = 0; c < columns; c++) {
          sum += static_cast<double>(left[i * columns + c]) * right[(i + shift) * columns + c];
        }
        first[d * s.n + static_cast<size_t>(i)] = static_cast<T>(sum);
      }
    });
  }
}

template void bandedProduct(double*, const double*, const double*, const BandedSizes&, bool);
template void bandedProduct(float*, const float*, const float*, const BandedSizes&, bool);
template void bandedOuter(double*, const double*, const double*, const BandedSizes&);
template void bandedOuter(float*, const float*, const float*, const BandedSizes&);

}  // namespace tensor
}  // namespace extrema
