#include "lowrank/svd.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "linear/lapack.h"

namespace extrema::lowrank {

namespace {

int gesdd(int n, double* a, double* s, double* u, double* vt, double* work, int size, int* integers) {
  int info = 0;
  dgesdd_("A", &n, &n, a, &n, s, u, &n, vt, &n, work, &size, integers, &info, 1);
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
