#include "lowrank/svd.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

#ifdef EXTREMA_ACCELERATE
#include <Accelerate/Accelerate.h>
#else
extern "C" void dgesdd_(const char* job, const int* m, const int* n, double* a, const int* lda, double* s,
                        double* u, const int* ldu, double* vt, const int* ldvt, double* work,
                        const int* lwork, int* iwork, int* info, size_t jobLength);
#endif

namespace extrema::lowrank {

namespace {

int gesdd(int n, double* a, double* s, double* u, double* vt, double* work, int size, int* integers) {
  int info = 0;
#ifdef EXTREMA_ACCELERATE
  dgesdd_("A", &n, &n, a, &n, s, u, &n, vt, &n, work, &size, integers, &info);
#else
  dgesdd_("A", &n, &n, a, &n, s, u, &n, vt, &n, work, &size, integers, &info, 1);
#endif
  return info;
}

int workSize(size_t n) {
  double best = 0;
  int integers = 0;
  gesdd(static_cast<int>(n), nullptr, nullptr, nullptr, nullptr, &best, -1, &integers);
  return static_cast<int>(std::max(best, 4.0 * static_cast<double>(n * n) + 7.0 * static_cast<double>(n)));
}

}  // namespace

Svd::Svd(size_t n)
    : u(n * n),
      s(n),
      vt(n * n),
      n_(n),
      copy_(n * n),
      work_(static_cast<size_t>(workSize(n))),
      integers_(8 * n) {}

void Svd::decompose(const double* a) {
  std::copy_n(a, n_ * n_, copy_.data());
  const int info = gesdd(static_cast<int>(n_), copy_.data(), s.data(), u.data(), vt.data(), work_.data(),
                         static_cast<int>(work_.size()), integers_.data());
  if (info != 0)
    throw Error("ERR_INTERNAL", "singular values: the iteration of LAPACK's dgesdd did not converge");
}

}  // namespace extrema::lowrank
