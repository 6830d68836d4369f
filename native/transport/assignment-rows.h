#pragma once

#include <cstddef>
#include <cstdint>

// What the assignment does with a row of costs c (times `sign`, so that it always minimises) and the prices v
// of the columns. T is double or float; all arithmetic is in double.
namespace extrema::transport {

// The least and the second least of sign c_j - v_j, infinite where there is none.
struct TwoLeast {
  double first, second;
};
template <class T>
TwoLeast twoLeast(const T* c, double sign, const double* v, size_t m);

// The first column at or after `from` where sign c_j - v_j is `value`, m if there is none.
template <class T>
size_t findReduced(const T* c, double sign, const double* v, double value, size_t from, size_t m);

// Whether the row has NaN or, times sign, -infinity.
template <class T>
bool hasBadCost(const T* c, double sign, size_t m);

// least_j = min(least_j, sign c_j), row_j = i where it changed.
template <class T>
void columnMinima(const T* c, double sign, int64_t i, double* least, int64_t* row, size_t m);

// key_j = min(key_j, sign c_j - v_j - h), parent_j = i where it changed, for the columns with key_j above
// -infinity, the mark of those done. Returns the least key of them.
template <class T>
double relax(const T* c, double sign, const double* v, double h, int64_t i, double* key, int64_t* parent,
             size_t m);

// The first column with this key and row_j < 0, or if there is none the first with this key; some column has
// it.
size_t findKey(const double* key, const int64_t* row, double value, size_t m);

}  // namespace extrema::transport
