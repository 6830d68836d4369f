#include "lowrank/completion/rows.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>

#include "hwy/cache_control.h"
#include "simd/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lowrank/completion/rows.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::lowrank {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Eight lanes at most: the pitch is a multiple of 8.
using D = hn::CappedTag<double, 8>;
using V = hn::Vec<D>;

HWY_INLINE double Sum(V v) { return hn::GetLane(hn::SumOfLanes(D(), v)); }

// Rows of factors come in either precision; what is added up over more than a block of them is float64.
template <class T>
using Tag = hn::CappedTag<T, 8>;

HWY_INLINE void AddTo(D d, V s, double* at) { hn::StoreU(hn::Add(hn::LoadU(d, at), s), d, at); }
HWY_INLINE void AddTo(Tag<float> d, hn::Vec<Tag<float>> s, double* at) {
  float lanes[8];
  hn::StoreU(s, d, lanes);
  for (size_t l = 0; l < hn::Lanes(d); l++) at[l] += double{lanes[l]};
}

// Rows i to i + 3, kColumns vectors from column j on, of the Gram matrix of the rows in `a`.
template <int kColumns, class T>
HWY_INLINE void GramTile(const T* HWY_RESTRICT a, size_t count, size_t pitch, size_t i, size_t j,
                         double* HWY_RESTRICT gram) {
  const Tag<T> d;
  const size_t N = hn::Lanes(d);
  auto s00 = hn::Zero(d), s10 = s00, s20 = s00, s30 = s00;
  auto s01 = s00, s11 = s00, s21 = s00, s31 = s00, s02 = s00, s12 = s00, s22 = s00, s32 = s00;
  for (size_t e = 0; e < count; e++, a += pitch) {
    const auto f0 = hn::Set(d, a[i]), f1 = hn::Set(d, a[i + 1]), f2 = hn::Set(d, a[i + 2]),
               f3 = hn::Set(d, a[i + 3]);
    const auto c0 = hn::LoadU(d, a + j);
    s00 = hn::MulAdd(f0, c0, s00);
    s10 = hn::MulAdd(f1, c0, s10);
    s20 = hn::MulAdd(f2, c0, s20);
    s30 = hn::MulAdd(f3, c0, s30);
    if (kColumns > 1) {
      const auto c1 = hn::LoadU(d, a + j + N);
      s01 = hn::MulAdd(f0, c1, s01);
      s11 = hn::MulAdd(f1, c1, s11);
      s21 = hn::MulAdd(f2, c1, s21);
      s31 = hn::MulAdd(f3, c1, s31);
    }
    if (kColumns > 2) {
      const auto c2 = hn::LoadU(d, a + j + 2 * N);
      s02 = hn::MulAdd(f0, c2, s02);
      s12 = hn::MulAdd(f1, c2, s12);
      s22 = hn::MulAdd(f2, c2, s22);
      s32 = hn::MulAdd(f3, c2, s32);
    }
  }
  double* at = gram + i * pitch + j;
  AddTo(d, s00, at);
  AddTo(d, s10, at + pitch);
  AddTo(d, s20, at + 2 * pitch);
  AddTo(d, s30, at + 3 * pitch);
  if (kColumns > 1) {
    AddTo(d, s01, at + N);
    AddTo(d, s11, at + pitch + N);
    AddTo(d, s21, at + 2 * pitch + N);
    AddTo(d, s31, at + 3 * pitch + N);
  }
  if (kColumns > 2) {
    AddTo(d, s02, at + 2 * N);
    AddTo(d, s12, at + pitch + 2 * N);
    AddTo(d, s22, at + 2 * pitch + 2 * N);
    AddTo(d, s32, at + 3 * pitch + 2 * N);
  }
}

// Rows `start` to `start + size` of a line, with the target behind each, times the root of its weight.
template <class T>
HWY_INLINE void Gather(const T* rows, size_t pitch, size_t rank, const int32_t* index, size_t count,
                       const double* b, const double* w, size_t start, size_t size, T* to) {
  const Tag<T> d;
  const size_t N = hn::Lanes(d);
  for (size_t k = start; k < start + size; k++, to += pitch) {
    if (k + 8 < count) {
      const T* ahead = rows + static_cast<size_t>(index[k + 8]) * pitch;
      for (size_t c = 0; c < rank; c += 64 / sizeof(T)) hwy::Prefetch(ahead + c);
    }
    const T* row = rows + static_cast<size_t>(index[k]) * pitch;
    if (w == nullptr) {
      for (size_t c = 0; c < pitch; c += N) hn::StoreU(hn::LoadU(d, row + c), d, to + c);
      to[rank] = static_cast<T>(b[k]);
    } else {
      const double root = std::sqrt(w[k]);
      const auto factor = hn::Set(d, static_cast<T>(root));
      for (size_t c = 0; c < pitch; c += N) hn::StoreU(hn::Mul(factor, hn::LoadU(d, row + c)), d, to + c);
      to[rank] = static_cast<T>(root * b[k]);
    }
  }
}

void GatherRows(const double* rows, size_t pitch, size_t rank, const int32_t* index, size_t count,
                const double* b, const double* w, size_t start, size_t size, double* to) {
  Gather(rows, pitch, rank, index, count, b, w, start, size, to);
}
void GatherRows32(const float* rows, size_t pitch, size_t rank, const int32_t* index, size_t count,
                  const double* b, const double* w, size_t start, size_t size, float* to) {
  Gather(rows, pitch, rank, index, count, b, w, start, size, to);
}

template <class T>
HWY_INLINE void Gram(const T* rows, size_t pitch, size_t rank, const int32_t* index, size_t count,
                     const double* b, const double* w, double* gram, T* scratch) {
  const size_t N = hn::Lanes(Tag<T>());
  for (size_t start = 0; start < count; start += kBlock) {
    const size_t size = std::min(kBlock, count - start);
    Gather(rows, pitch, rank, index, count, b, w, start, size, scratch);
    for (size_t i = 0; i < rank; i += 4) {
      size_t j = i / N * N;
      for (; j + 3 * N <= pitch; j += 3 * N) GramTile<3>(scratch, size, pitch, i, j, gram);
      if (j + 2 * N <= pitch) {
        GramTile<2>(scratch, size, pitch, i, j, gram);
      } else if (j < pitch) {
        GramTile<1>(scratch, size, pitch, i, j, gram);
      }
    }
  }
}

void AddGram(const double* rows, size_t pitch, size_t rank, const int32_t* index, size_t count,
             const double* b, const double* w, double* gram, double* scratch) {
  Gram(rows, pitch, rank, index, count, b, w, gram, scratch);
}
void AddGram32(const float* rows, size_t pitch, size_t rank, const int32_t* index, size_t count,
               const double* b, const double* w, double* gram, float* scratch) {
  Gram(rows, pitch, rank, index, count, b, w, gram, scratch);
}

HWY_INLINE void Axpy(double factor, const double* x, double* y, size_t from, size_t to) {
  const D d;
  const size_t N = hn::Lanes(d);
  const V f = hn::Set(d, factor);
  for (size_t c = from / N * N; c < to; c += N)
    hn::StoreU(hn::MulAdd(f, hn::LoadU(d, x + c), hn::LoadU(d, y + c)), d, y + c);
}

bool SolveGram(double* gram, size_t pitch, size_t rank, const double* ridge, double least, double* x) {
  const D d;
  const size_t N = hn::Lanes(d);
  for (size_t j = 0; j < rank; j++) {
    double* row = gram + j * pitch;
    row[j] += ridge[j];
    x[j] = row[j];  // the diagonal, for judging pivots
  }
  for (size_t j = 0; j < rank; j++) {
    double* row = gram + j * pitch;
    if (!(row[j] > least * x[j])) return false;
    const double inverse = 1 / std::sqrt(row[j]);
    const V f = hn::Set(d, inverse);
    for (size_t c = j / N * N; c < pitch; c += N) hn::StoreU(hn::Mul(f, hn::LoadU(d, row + c)), d, row + c);
    x[j] = inverse;
    for (size_t i = j + 1; i < rank; i++) Axpy(-row[i], row, gram + i * pitch, i, pitch);
  }
  for (size_t j = rank; j-- > 0;) {
    const double* row = gram + j * pitch;
    double sum = row[rank];
    for (size_t c = j + 1; c < rank; c++) sum -= row[c] * x[c];
    x[j] = sum * x[j];
  }
  return true;
}

// Products of `count` <= kBlock rows with x.
template <class T>
HWY_INLINE void Products(const T* rows, size_t pitch, const int32_t* index, size_t count, const T* x,
                         T* out) {
  const Tag<T> d;
  const size_t N = hn::Lanes(d);
  const auto sum = [&](auto v) HWY_ATTR { return hn::GetLane(hn::SumOfLanes(d, v)); };
  size_t e = 0;
  for (; e + 4 <= count; e += 4) {
    const T* r0 = rows + static_cast<size_t>(index[e]) * pitch;
    const T* r1 = rows + static_cast<size_t>(index[e + 1]) * pitch;
    const T* r2 = rows + static_cast<size_t>(index[e + 2]) * pitch;
    const T* r3 = rows + static_cast<size_t>(index[e + 3]) * pitch;
    auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    for (size_t c = 0; c < pitch; c += N) {
      const auto v = hn::LoadU(d, x + c);
      s0 = hn::MulAdd(v, hn::LoadU(d, r0 + c), s0);
      s1 = hn::MulAdd(v, hn::LoadU(d, r1 + c), s1);
      s2 = hn::MulAdd(v, hn::LoadU(d, r2 + c), s2);
      s3 = hn::MulAdd(v, hn::LoadU(d, r3 + c), s3);
    }
    out[e] = sum(s0);
    out[e + 1] = sum(s1);
    out[e + 2] = sum(s2);
    out[e + 3] = sum(s3);
  }
  for (; e < count; e++) {
    const T* row = rows + static_cast<size_t>(index[e]) * pitch;
    auto s = hn::Zero(d);
    for (size_t c = 0; c < pitch; c += N) s = hn::MulAdd(hn::LoadU(d, x + c), hn::LoadU(d, row + c), s);
    out[e] = sum(s);
  }
}

// out += sum coefficients a, for four vectors of columns from c on at most.
template <int kVectors, class T>
HWY_INLINE void CombineTile(const T* rows, size_t pitch, const int32_t* index, size_t count, const T* w,
                            size_t c, double* out) {
  const Tag<T> d;
  const size_t N = hn::Lanes(d);
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  for (size_t e = 0; e < count; e++) {
    const T* row = rows + static_cast<size_t>(index[e]) * pitch + c;
    const auto f = hn::Set(d, w[e]);
    s0 = hn::MulAdd(f, hn::LoadU(d, row), s0);
    if (kVectors > 1) s1 = hn::MulAdd(f, hn::LoadU(d, row + N), s1);
    if (kVectors > 2) s2 = hn::MulAdd(f, hn::LoadU(d, row + 2 * N), s2);
    if (kVectors > 3) s3 = hn::MulAdd(f, hn::LoadU(d, row + 3 * N), s3);
  }
  AddTo(d, s0, out + c);
  if (kVectors > 1) AddTo(d, s1, out + c + N);
  if (kVectors > 2) AddTo(d, s2, out + c + 2 * N);
  if (kVectors > 3) AddTo(d, s3, out + c + 3 * N);
}

template <class T>
HWY_INLINE void Combine(const T* rows, size_t pitch, const int32_t* index, size_t count, const T* w,
                        double* out) {
  const size_t N = hn::Lanes(Tag<T>());
  size_t c = 0;
  for (; c + 4 * N <= pitch; c += 4 * N) CombineTile<4>(rows, pitch, index, count, w, c, out);
  if (c + 3 * N <= pitch) {
    CombineTile<3>(rows, pitch, index, count, w, c, out);
  } else if (c + 2 * N <= pitch) {
    CombineTile<2>(rows, pitch, index, count, w, c, out);
  } else if (c < pitch) {
    CombineTile<1>(rows, pitch, index, count, w, c, out);
  }
}

template <class T>
HWY_INLINE double Pass(const T* rows, size_t pitch, const int32_t* index, size_t count, const double* b,
                       const double* w, const T* x, double* out) {
  T t[kBlock];
  double total = 0;
  for (size_t start = 0; start < count; start += kBlock) {
    const size_t size = std::min(kBlock, count - start);
    Products(rows, pitch, index + start, size, x, t);
    double sum = 0;
    for (size_t e = 0; e < size; e++) {
      const double rest = (b == nullptr ? 0 : b[start + e]) - double{t[e]};
      const double weighted = w == nullptr ? rest : w[start + e] * rest;
      t[e] = static_cast<T>(weighted);
      sum += weighted * rest;
    }
    total += sum;
    if (out != nullptr) Combine(rows, pitch, index + start, size, t, out);
  }
  return total;
}

double PassRows(const double* rows, size_t pitch, const int32_t* index, size_t count, const double* b,
                const double* w, const double* x, double* out) {
  return Pass(rows, pitch, index, count, b, w, x, out);
}
double PassRows32(const float* rows, size_t pitch, const int32_t* index, size_t count, const double* b,
                  const double* w, const float* x, double* out) {
  return Pass(rows, pitch, index, count, b, w, x, out);
}

void CombineRows(const double* rows, size_t pitch, const int32_t* index, size_t count,
                 const double* coefficients, double* out) {
  for (size_t start = 0; start < count; start += kBlock) {
    const size_t size = std::min(kBlock, count - start);
    Combine(rows, pitch, index + start, size, coefficients + start, out);
  }
}

void PairProducts(const double* left, const double* right, size_t pitch, const int32_t* rowIndex,
                  const int32_t* columnIndex, size_t count, double* out) {
  const D d;
  const size_t N = hn::Lanes(d);
  for (size_t k = 0; k < count; k++) {
    const double* x = left + static_cast<size_t>(rowIndex[k]) * pitch;
    const double* y = right + static_cast<size_t>(columnIndex[k]) * pitch;
    V s = hn::Zero(d);
    for (size_t c = 0; c < pitch; c += N) s = hn::MulAdd(hn::LoadU(d, x + c), hn::LoadU(d, y + c), s);
    out[k] = Sum(s);
  }
}

void AddScaled(double factor, const double* x, double* y, size_t count) {
  const D d;
  const size_t N = hn::Lanes(d);
  const V f = hn::Set(d, factor);
  size_t c = 0;
  for (; c + N <= count; c += N)
    hn::StoreU(hn::MulAdd(f, hn::LoadU(d, x + c), hn::LoadU(d, y + c)), d, y + c);
  for (; c < count; c++) y[c] += factor * x[c];
}

void Triangularize(double* a, size_t count, size_t pitch, size_t rank, double* scratch) {
  for (size_t j = 0; j < rank && j < count; j++) {
    double* pivot = a + j * pitch;
    double squares = 0;
    for (size_t i = j; i < count; i++) squares += a[i * pitch + j] * a[i * pitch + j];
    const double first = pivot[j];
    if (squares == first * first) continue;
    const double alpha = first > 0 ? -std::sqrt(squares) : std::sqrt(squares);
    const double beta = 1 / (squares - alpha * first);
    pivot[j] = first - alpha;
    std::fill_n(scratch, pitch, 0.0);
    for (size_t i = j; i < count; i++) Axpy(a[i * pitch + j], a + i * pitch, scratch, j, pitch);
    for (size_t i = j; i < count; i++) {
      double* row = a + i * pitch;
      Axpy(-beta * row[j], scratch, row, j, pitch);
      row[j] = 0;
    }
    pivot[j] = alpha;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::lowrank
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::lowrank {

EXTREMA_EXPORT(GatherRows);
EXTREMA_EXPORT(GatherRows32);
EXTREMA_EXPORT(AddGram);
EXTREMA_EXPORT(AddGram32);
EXTREMA_EXPORT(SolveGram);
EXTREMA_EXPORT(PassRows);
EXTREMA_EXPORT(PassRows32);
EXTREMA_EXPORT(CombineRows);
EXTREMA_EXPORT(PairProducts);
EXTREMA_EXPORT(AddScaled);
EXTREMA_EXPORT(Triangularize);

void addGram(const double* rows, size_t pitch, size_t rank, const int32_t* index, size_t count,
             const double* b, const double* w, double* gram, double* scratch) {
  if (rank < kBlasRank)
    return EXTREMA_DISPATCH(AddGram)(rows, pitch, rank, index, count, b, w, gram, scratch);
  for (size_t start = 0; start < count; start += gatheredRows(rank)) {
    const size_t size = std::min(gatheredRows(rank), count - start);
    EXTREMA_DISPATCH(GatherRows)(rows, pitch, rank, index, count, b, w, start, size, scratch);
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, static_cast<int>(rank + 1), static_cast<int>(size), 1,
                scratch, static_cast<int>(pitch), 1, gram, static_cast<int>(pitch));
  }
}
void addGram(const float* rows, size_t pitch, size_t rank, const int32_t* index, size_t count,
             const double* b, const double* w, double* gram, float* scratch) {
  if (rank < kBlasRank)
    return EXTREMA_DISPATCH(AddGram32)(rows, pitch, rank, index, count, b, w, gram, scratch);
  float* part = scratch + gatheredRows(rank) * pitch;
  for (size_t start = 0; start < count; start += gatheredRows(rank)) {
    const size_t size = std::min(gatheredRows(rank), count - start);
    EXTREMA_DISPATCH(GatherRows32)(rows, pitch, rank, index, count, b, w, start, size, scratch);
    cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, static_cast<int>(rank + 1), static_cast<int>(size), 1,
                scratch, static_cast<int>(pitch), 0, part, static_cast<int>(pitch));
    for (size_t i = 0; i <= rank; i++)
      for (size_t j = i; j <= rank; j++) gram[i * pitch + j] += double{part[i * pitch + j]};
  }
}
bool solveGram(double* gram, size_t pitch, size_t rank, const double* ridge, double least, double* x) {
  return EXTREMA_DISPATCH(SolveGram)(gram, pitch, rank, ridge, least, x);
}
double passRows(const double* rows, size_t pitch, const int32_t* index, size_t count, const double* b,
                const double* w, const double* x, double* out) {
  return EXTREMA_DISPATCH(PassRows)(rows, pitch, index, count, b, w, x, out);
}
double passRows(const float* rows, size_t pitch, const int32_t* index, size_t count, const double* b,
                const double* w, const float* x, double* out) {
  return EXTREMA_DISPATCH(PassRows32)(rows, pitch, index, count, b, w, x, out);
}
void combineRows(const double* rows, size_t pitch, const int32_t* index, size_t count,
                 const double* coefficients, double* out) {
  EXTREMA_DISPATCH(CombineRows)(rows, pitch, index, count, coefficients, out);
}
void pairProducts(const double* left, const double* right, size_t pitch, const int32_t* rowIndex,
                  const int32_t* columnIndex, size_t count, double* out) {
  EXTREMA_DISPATCH(PairProducts)(left, right, pitch, rowIndex, columnIndex, count, out);
}
void addScaled(double factor, const double* x, double* y, size_t count) {
  EXTREMA_DISPATCH(AddScaled)(factor, x, y, count);
}
void triangularize(double* a, size_t count, size_t pitch, size_t rank, double* scratch) {
  EXTREMA_DISPATCH(Triangularize)(a, count, pitch, rank, scratch);
}

}  // namespace extrema::lowrank
#endif
