#pragma once

#include <cstddef>

namespace extrema {
namespace tensor {

// Statistics of the channels of x [outer, channels, inner] and the maps that use them, see TensorKernels in
// lib/backend/tensor.ts. T is double or float.
struct Cube {
  size_t outer, channels, inner;
};

template <class T>
void channelSums(double* sums, const T* x, const Cube& cube);

template <class T>
void moments(double* means, double* variances, const T* x, const Cube& cube);

struct Statistics {
  const double* means;
  const double* variances;
  double epsilon;
};

template <class T>
void normalize(T* out, const T* x, const T* scale, const T* shift, const Statistics& statistics,
               const Cube& cube, bool byInner);

template <class T>
void normalizeVjp(T* out, double* sums, const T* g, const T* x, const T* scale, const Statistics& statistics,
                  const Cube& cube, bool byInner);

}  // namespace tensor
}  // namespace extrema
