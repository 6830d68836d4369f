#include "tensor/fft-plan.h"

#include <cmath>

namespace extrema {
namespace tensor {

namespace {

// Fours first: they leave the longest runs for the vectors.
std::vector<size_t> factorsOf(size_t n) {
  std::vector<size_t> factors;
  for (size_t radix : {size_t{4}, size_t{2}, size_t{3}, size_t{5}}) {
    for (; n % radix == 0; n /= radix) factors.push_back(radix);
  }
  for (size_t radix = 7; radix <= kLargestFactor; radix += 2) {
    for (; n % radix == 0; n /= radix) factors.push_back(radix);
  }
  if (n > 1) factors.push_back(n);
  return factors;
}

template <class T>
void push(std::vector<T>& cosine, std::vector<T>& sine, size_t k, size_t n) {
  double c, s;
  unitRoot(k, n, c, s);
  cosine.push_back(static_cast<T>(c));
  sine.push_back(static_cast<T>(s));
}

}  // namespace

bool isSmooth(size_t n) { return n <= 1 || factorsOf(n).back() <= kLargestFactor; }

size_t goodLength(size_t least) {
  for (size_t n = (least + 3) / 4 * 4;; n += 4) {
    size_t rest = n;
    for (size_t factor : {2, 3, 5}) {
      while (rest % factor == 0) rest /= factor;
    }
    if (rest == 1) return n;
  }
}

void unitRoot(size_t k, size_t n, double& cosine, double& sine) {
  constexpr double kTurn = 6.28318530717958647693;
  // By an eighth of a turn at most, where neither function loses digits.
  size_t eighth = 8 * (k % n) / n;
  const size_t place = 8 * (k % n) - eighth * n;  // in eighths of 1 / n
  const bool back = eighth % 2 == 1;
  const double angle = kTurn * static_cast<double>(back ? n - place : place) / (8.0 * static_cast<double>(n));
  const double c = std::cos(angle), s = std::sin(angle);
  double x = 0, y = 0;
  switch (eighth) {
    case 0:
      x = c, y = s;
      break;
    case 1:
      x = s, y = c;
      break;
    case 2:
      x = -s, y = c;
      break;
    case 3:
      x = -c, y = s;
      break;
    case 4:
      x = -c, y = -s;
      break;
    case 5:
      x = -s, y = -c;
      break;
    case 6:
      x = s, y = -c;
      break;
    default:
      x = c, y = -s;
      break;
  }
  cosine = x;
  sine = -y;
}

template <class T>
std::shared_ptr<FftPlan<T>> makeFftPlan(size_t n) {
  auto plan = std::make_shared<FftPlan<T>>();
  plan->n = n;
  if (!isSmooth(n)) {
    plan->inner = makeFftPlan<T>(goodLength(2 * n - 1));
    // j² modulo 2n by its differences 2j + 1: squares of large j do not fit.
    for (size_t j = 0, square = 0; j < n; square = (square + 2 * j + 1) % (2 * n), j++) {
      push(plan->chirpCosine, plan->chirpSine, square, 2 * n);
    }
    return plan;
  }
  size_t done = 1;
  for (size_t radix : factorsOf(n)) {
    const size_t rest = n / (done * radix);
    const size_t twiddles = plan->cosine.size();
    for (size_t q = 1; q < radix; q++) {
      for (size_t j = 0; j < rest; j++) push(plan->cosine, plan->sine, q * done * j, n);
    }
    const size_t roots = plan->cosine.size();
    for (size_t j = 0; j < radix; j++) push(plan->cosine, plan->sine, j, radix);
    plan->stages.push_back({radix, rest, done, twiddles, roots});
    done *= radix;
  }
  return plan;
}

template std::shared_ptr<FftPlan<double>> makeFftPlan(size_t n);
template std::shared_ptr<FftPlan<float>> makeFftPlan(size_t n);

}  // namespace tensor
}  // namespace extrema
