#pragma once

#include <cstddef>

namespace extrema {
namespace tensor {

// The kernels of optimizers: lib/backend/tensor-update.ts says what they compute. T is double or float.

template <class T>
double sumOfSquares(const T* x, size_t n);

template <class T>
void combine(T* out, const T* x, const T* y, size_t n, double a, double b);

template <class T>
void clip(T* x, size_t n, double limit);

template <class T>
void rankOne(T* a, const T* u, size_t rows, const T* v, size_t columns, double decay, double factor);

struct SgdStep {
  double rate, momentum;
  bool nesterov;
  double weightDecay, scale;
};

// m may be null.
template <class T>
void sgd(T* x, const T* g, T* m, size_t n, const SgdStep& step);

struct AdamStep {
  double beta1, beta2, rate, correction, epsilon, weightDecay, shrink, scale;
};

template <class T>
void adam(T* x, const T* g, T* m, T* v, size_t n, const AdamStep& step);

struct RmspropStep {
  double alpha, rate, epsilon, momentum, weightDecay, scale;
};

// mean and m may be null.
template <class T>
void rmsprop(T* x, const T* g, T* v, T* mean, T* m, size_t n, const RmspropStep& step);

struct LambStep {
  double beta1, beta2, rate, correction1, correction2, epsilon, weightDecay, scale;
};

template <class T>
double lamb(T* x, const T* g, T* m, T* v, size_t n, const LambStep& step);

struct LionStep {
  double mixM, mixG, keep, add, step, shrink, parameter;
};

template <class T>
void lion(int slope, T* x, const T* g, T* m, size_t n, const LionStep& step);

}  // namespace tensor
}  // namespace extrema
