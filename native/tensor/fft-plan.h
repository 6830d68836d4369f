#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace extrema {
namespace tensor {

// Discrete Fourier transforms of length n: decimation in frequency into factors 4, 2, 3, 5 and primes up to
// 31, in the self-sorting arrangement of T. G. Stockham (1966); lengths with a larger prime factor as a
// convolution of a composite length (L. I. Bluestein, IEEE Trans. Audio Electroacoust. 18 (1970), 451-455).

constexpr size_t kLargestFactor = 31;

// One pass: `done` blocks of radix × rest numbers each.
struct FftStage {
  size_t radix, rest, done;
  size_t twiddles;  // where exp(-2πi q done j / n) begins, at (q - 1) rest + j
  size_t roots;     // where exp(-2πi j / radix) begins
};

template <class T>
struct FftPlan {
  size_t n = 1;
  std::vector<FftStage> stages;
  std::vector<T> cosine, sine;
  // Bluestein: the transform that convolves, exp(-πi j² / n), and the transform of its conjugate over the
  // length of that transform.
  std::shared_ptr<const FftPlan> inner;
  std::vector<T> chirpCosine, chirpSine, kernelCosine, kernelSine;

  // Numbers that a transform works on.
  size_t work() const { return inner ? inner->n : n; }
};

// A transform of n real numbers; for even n one of n / 2 complex numbers.
template <class T>
struct RealFftPlan {
  size_t n = 1;
  std::shared_ptr<const FftPlan<T>> complex;
  std::vector<T> cosine, sine;  // exp(-2πi k / n), k <= n / 2
};

// The plan of a length without Bluestein's kernel: n has small factors, or `withChirp` completes it.
template <class T>
std::shared_ptr<FftPlan<T>> makeFftPlan(size_t n);

// Whether all prime factors of n are small.
bool isSmooth(size_t n);

// The smallest length from `least` on that has factors 2, 3 and 5 only and is a multiple of 4.
size_t goodLength(size_t least);

// cos and sin of -2π k / n, right to the last digit.
void unitRoot(size_t k, size_t n, double& cosine, double& sine);

}  // namespace tensor
}  // namespace extrema
