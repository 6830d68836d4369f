#include <atomic>
#include <cmath>
#include <cstdio>
#include <string>

#include "core/aligned.h"
#include "core/error.h"
#include "core/team.h"
#include "curvature/fisher.h"
#include "linear/dense.h"
#include "linear/lapack.h"

namespace extrema::curvature {

namespace {

constexpr size_t kLarge = 512;  // order from which one factorization is worth several threads
constexpr double kMostRatio = 1e300;

[[noreturn]] void refuseRatio(double ratio) {
  char came[32] = "Infinity";
  if (std::isfinite(ratio)) std::snprintf(came, sizeof came, "%.2e", ratio);
  throw Error("ERR_NOT_FINITE",
              std::string("gradients: expected squared norms of at most 1e300 times the damping, got ") +
                  came + " times; raise the damping or rescale the gradients");
}

[[noreturn]] void refuseSingular() {
  throw Error("ERR_SINGULAR",
              "damping: the damped Fisher matrix is not positive definite in float64; raise the damping or "
              "rescale the "
              "gradients");
}

// The lower triangle of K, zeros above it.
void fill(const double* gram, size_t order, size_t pitch, double damping, double divisor, double* out) {
  for (size_t i = 0; i < order; i++) {
    const double* from = gram + i * pitch;
    double* to = out + i * pitch;
    for (size_t j = 0; j < i; j++) to[j] = from[j] / divisor;
    to[i] = damping + from[i] / divisor;
    std::fill(to + i + 1, to + order, 0.0);
  }
}

void factorOne(const double* gram, size_t order, double damping, double divisor, double* out,
               unsigned threads, Monitor& monitor) {
  Aligned<double> k(order * order);
  fill(gram, order, order, damping, divisor, k.data());
  for (size_t i = 0; i < order; i++) {
    for (size_t j = i + 1; j < order; j++) k[i * order + j] = k[j * order + i];
  }
  std::fill(out, out + order * order, 0.0);
  try {
    dense::cholesky(k.data(), order, out, threads, monitor);
  } catch (const Error&) {
    refuseSingular();
  }
}

}  // namespace

void factor(const Systems& systems, const double* gram, double damping, double divisor, double* out,
            unsigned threads, Monitor& monitor) {
  const size_t order = systems.order, matrix = order * order;
  for (size_t k = 0; k < systems.count; k++) {
    for (size_t i = 0; i < systems.orderOf(k); i++) {
      const double ratio = gram[k * matrix + i * (order + 1)] / damping;
      if (!(ratio <= kMostRatio)) refuseRatio(ratio);
    }
  }
  if (systems.count == 1 && order >= kLarge) {
    factorOne(gram, order, damping, divisor, out, threads, monitor);
    return;
  }
  Team team(threads, monitor);
  std::atomic<bool> failed{false};
  const size_t group = systems.count / 4096 + 1;
  team.run(static_cast<uint32_t>((systems.count + group - 1) / group), [&](uint32_t chunk, unsigned) {
    for (size_t k = chunk * group; k < std::min(systems.count, (chunk + 1) * group); k++) {
      fill(gram + k * matrix, systems.orderOf(k), order, damping, divisor, out + k * matrix);
      const int size = static_cast<int>(systems.orderOf(k)), pitch = static_cast<int>(order);
      int info = 0;
      // Row-major lower is column-major upper.
      dpotrf_("U", &size, out + k * matrix, &pitch, &info, 1);
      if (info != 0) failed = true;
    }
  });
  if (!monitor.cancelled() && failed) refuseSingular();
}

void solve(const Systems& systems, const double* factors, double* p, unsigned threads, Monitor& monitor) {
  Team team(threads, monitor);
  const size_t order = systems.order, group = systems.count / 4096 + 1;
  team.run(static_cast<uint32_t>((systems.count + group - 1) / group), [&](uint32_t chunk, unsigned) {
    for (size_t k = chunk * group; k < std::min(systems.count, (chunk + 1) * group); k++) {
      const int size = static_cast<int>(systems.orderOf(k)), pitch = static_cast<int>(order);
      const double* factor = factors + k * order * order;
      cblas_dtrsv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, size, factor, pitch, p + k * order,
                  1);
      cblas_dtrsv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, size, factor, pitch, p + k * order, 1);
    }
  });
}

}  // namespace extrema::curvature
