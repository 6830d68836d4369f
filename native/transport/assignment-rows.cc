#include "transport/assignment-rows.h"

#include <cmath>
#include <limits>

#include "simd/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "transport/assignment-rows.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::transport {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE hn::Vec<D> LoadCost(D d, const double* c) {
  return hn::LoadU(d, c);
}
template <class D>
HWY_INLINE hn::Vec<D> LoadCost(D d, const float* c) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<float, D>(), c));
}

template <class T>
HWY_INLINE void TwoLeastRow(const T* c, double sign, const double* v, size_t m, double* out) {
  const hn::ScalableTag<double> d;
  const size_t N = hn::Lanes(d);
  const auto s = hn::Set(d, sign);
  auto first = hn::Set(d, std::numeric_limits<double>::infinity()), second = first;
  size_t j = 0;
  for (; j + N <= m; j += N) {
    const auto x = hn::Sub(hn::Mul(s, LoadCost(d, c + j)), hn::LoadU(d, v + j));
    second = hn::Min(second, hn::Max(first, x));
    first = hn::Min(first, x);
  }
  HWY_ALIGN double firsts[HWY_MAX_BYTES / sizeof(double)], seconds[HWY_MAX_BYTES / sizeof(double)];
  hn::Store(first, d, firsts);
  hn::Store(second, d, seconds);
  double one = std::numeric_limits<double>::infinity(), two = one;
  const auto take = [&](double x) {
    if (x < one) {
      two = one;
      one = x;
    } else if (x < two) {
      two = x;
    }
  };
  for (size_t k = 0; k < N; k++) {
    take(firsts[k]);
    take(seconds[k]);
  }
  for (; j < m; j++) take(sign * c[j] - v[j]);
  out[0] = one;
  out[1] = two;
}

template <class T>
HWY_INLINE size_t FindReduced(const T* c, double sign, const double* v, double value, size_t from, size_t m) {
  const hn::ScalableTag<double> d;
  const size_t N = hn::Lanes(d);
  const auto s = hn::Set(d, sign), wanted = hn::Set(d, value);
  size_t j = from;
  for (; j + N <= m; j += N) {
    const auto x = hn::Sub(hn::Mul(s, LoadCost(d, c + j)), hn::LoadU(d, v + j));
    const intptr_t found = hn::FindFirstTrue(d, hn::Eq(x, wanted));
    if (found >= 0) return j + static_cast<size_t>(found);
  }
  for (; j < m; j++) {
    if (sign * c[j] - v[j] == value) return j;
  }
  return m;
}

template <class T>
HWY_INLINE bool BadRow(const T* c, double sign, size_t m) {
  const hn::ScalableTag<T> d;
  const size_t N = hn::Lanes(d);
  const auto worst = hn::Set(d, static_cast<T>(-sign * std::numeric_limits<double>::infinity()));
  auto bad = hn::FirstN(d, 0);
  size_t j = 0;
  for (; j + N <= m; j += N) {
    const auto x = hn::LoadU(d, c + j);
    bad = hn::Or(bad, hn::Or(hn::IsNaN(x), hn::Eq(x, worst)));
  }
  if (!hn::AllFalse(d, bad)) return true;
  for (; j < m; j++) {
    if (!(sign * c[j] > -std::numeric_limits<double>::infinity())) return true;
  }
  return false;
}

template <class T>
HWY_INLINE void ColumnMinimaRow(const T* c, double sign, int64_t i, double* least, int64_t* row, size_t m) {
  const hn::ScalableTag<double> d;
  const hn::ScalableTag<int64_t> di;
  const size_t N = hn::Lanes(d);
  const auto s = hn::Set(d, sign);
  const auto index = hn::Set(di, i);
  size_t j = 0;
  for (; j + N <= m; j += N) {
    const auto x = hn::Mul(s, LoadCost(d, c + j)), old = hn::LoadU(d, least + j);
    const auto lower = hn::Lt(x, old);
    if (hn::AllFalse(d, lower)) continue;
    hn::StoreU(hn::Min(x, old), d, least + j);
    hn::BlendedStore(index, hn::RebindMask(di, lower), di, row + j);
  }
  for (; j < m; j++) {
    if (sign * c[j] >= least[j]) continue;
    least[j] = sign * c[j];
    row[j] = i;
  }
}

template <class T>
HWY_INLINE double RelaxRow(const T* c, double sign, const double* v, double h, int64_t i, double* key,
                           int64_t* parent, size_t m) {
  const hn::ScalableTag<double> d;
  const hn::ScalableTag<int64_t> di;
  const size_t N = hn::Lanes(d);
  const double infinity = std::numeric_limits<double>::infinity();
  const auto s = hn::Set(d, sign), step = hn::Set(d, h), done = hn::Set(d, -infinity);
  const auto index = hn::Set(di, i);
  auto least = hn::Set(d, infinity);
  size_t j = 0;
  for (; j + N <= m; j += N) {
    const auto x = hn::Sub(hn::Sub(hn::Mul(s, LoadCost(d, c + j)), hn::LoadU(d, v + j)), step);
    auto k = hn::LoadU(d, key + j);
    const auto lower = hn::Lt(x, k);
    if (!hn::AllFalse(d, lower)) {
      k = hn::Min(x, k);
      hn::StoreU(k, d, key + j);
      hn::BlendedStore(index, hn::RebindMask(di, lower), di, parent + j);
    }
    least = hn::Min(least, hn::IfThenElse(hn::Eq(k, done), least, k));
  }
  double smallest = hn::GetLane(hn::MinOfLanes(d, least));
  for (; j < m; j++) {
    const double x = sign * c[j] - v[j] - h;
    if (x < key[j]) {
      key[j] = x;
      parent[j] = i;
    }
    if (key[j] > -infinity && key[j] < smallest) smallest = key[j];
  }
  return smallest;
}

void TwoLeast64(const double* c, double sign, const double* v, size_t m, double* out) {
  TwoLeastRow(c, sign, v, m, out);
}
void TwoLeast32(const float* c, double sign, const double* v, size_t m, double* out) {
  TwoLeastRow(c, sign, v, m, out);
}
size_t FindReduced64(const double* c, double sign, const double* v, double value, size_t from, size_t m) {
  return FindReduced(c, sign, v, value, from, m);
}
size_t FindReduced32(const float* c, double sign, const double* v, double value, size_t from, size_t m) {
  return FindReduced(c, sign, v, value, from, m);
}
bool BadRow64(const double* c, double sign, size_t m) { return BadRow(c, sign, m); }
bool BadRow32(const float* c, double sign, size_t m) { return BadRow(c, sign, m); }
void ColumnMinima64(const double* c, double sign, int64_t i, double* least, int64_t* row, size_t m) {
  ColumnMinimaRow(c, sign, i, least, row, m);
}
void ColumnMinima32(const float* c, double sign, int64_t i, double* least, int64_t* row, size_t m) {
  ColumnMinimaRow(c, sign, i, least, row, m);
}
double Relax64(const double* c, double sign, const double* v, double h, int64_t i, double* key,
               int64_t* parent, size_t m) {
  return RelaxRow(c, sign, v, h, i, key, parent, m);
}
double Relax32(const float* c, double sign, const double* v, double h, int64_t i, double* key,
               int64_t* parent, size_t m) {
  return RelaxRow(c, sign, v, h, i, key, parent, m);
}

size_t FindKey(const double* key, const int64_t* row, double value, size_t m) {
  const hn::ScalableTag<double> d;
  const hn::ScalableTag<int64_t> di;
  const size_t N = hn::Lanes(d);
  const auto wanted = hn::Set(d, value);
  size_t first = m, j = 0;
  for (; j + N <= m; j += N) {
    const auto equal = hn::Eq(hn::LoadU(d, key + j), wanted);
    if (hn::AllFalse(d, equal)) continue;
    const auto free = hn::And(equal, hn::RebindMask(d, hn::Lt(hn::LoadU(di, row + j), hn::Zero(di))));
    const intptr_t found = hn::FindFirstTrue(d, free);
    if (found >= 0) return j + static_cast<size_t>(found);
    if (first == m) first = j + hn::FindKnownFirstTrue(d, equal);
  }
  for (; j < m; j++) {
    if (key[j] != value) continue;
    if (row[j] < 0) return j;
    if (first == m) first = j;
  }
  return first;
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::transport
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::transport {

EXTREMA_EXPORT(TwoLeast64);
EXTREMA_EXPORT(TwoLeast32);
EXTREMA_EXPORT(FindReduced64);
EXTREMA_EXPORT(FindReduced32);
EXTREMA_EXPORT(BadRow64);
EXTREMA_EXPORT(BadRow32);
EXTREMA_EXPORT(ColumnMinima64);
EXTREMA_EXPORT(ColumnMinima32);
EXTREMA_EXPORT(Relax64);
EXTREMA_EXPORT(Relax32);
EXTREMA_EXPORT(FindKey);

template <>
TwoLeast twoLeast(const double* c, double sign, const double* v, size_t m) {
  double out[2];
  EXTREMA_DISPATCH(TwoLeast64)(c, sign, v, m, out);
  return {out[0], out[1]};
}
template <>
size_t findReduced(const double* c, double sign, const double* v, double value, size_t from, size_t m) {
  return EXTREMA_DISPATCH(FindReduced64)(c, sign, v, value, from, m);
}
template <>
TwoLeast twoLeast(const float* c, double sign, const double* v, size_t m) {
  double out[2];
  EXTREMA_DISPATCH(TwoLeast32)(c, sign, v, m, out);
  return {out[0], out[1]};
}
template <>
size_t findReduced(const float* c, double sign, const double* v, double value, size_t from, size_t m) {
  return EXTREMA_DISPATCH(FindReduced32)(c, sign, v, value, from, m);
}
template <>
bool hasBadCost(const double* c, double sign, size_t m) {
  return EXTREMA_DISPATCH(BadRow64)(c, sign, m);
}
template <>
bool hasBadCost(const float* c, double sign, size_t m) {
  return EXTREMA_DISPATCH(BadRow32)(c, sign, m);
}
template <>
void columnMinima(const double* c, double sign, int64_t i, double* least, int64_t* row, size_t m) {
  EXTREMA_DISPATCH(ColumnMinima64)(c, sign, i, least, row, m);
}
template <>
void columnMinima(const float* c, double sign, int64_t i, double* least, int64_t* row, size_t m) {
  EXTREMA_DISPATCH(ColumnMinima32)(c, sign, i, least, row, m);
}
template <>
double relax(const double* c, double sign, const double* v, double h, int64_t i, double* key, int64_t* parent,
             size_t m) {
  return EXTREMA_DISPATCH(Relax64)(c, sign, v, h, i, key, parent, m);
}
template <>
double relax(const float* c, double sign, const double* v, double h, int64_t i, double* key, int64_t* parent,
             size_t m) {
  return EXTREMA_DISPATCH(Relax32)(c, sign, v, h, i, key, parent, m);
}
size_t findKey(const double* key, const int64_t* row, double value, size_t m) {
  return EXTREMA_DISPATCH(FindKey)(key, row, value, m);
}

}  // namespace extrema::transport
#endif
