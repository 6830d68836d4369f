#include "core/blas_check.h"

#include <cblas.h>

#include <cmath>
#include <vector>

#include "core/gemm.h"

namespace extrema {

#if defined(OPENBLAS_VERSION) || defined(OPENBLAS_CONFIG_H) || defined(OPENBLAS_THREAD)
#define EXTREMA_OPENBLAS 1
#endif

void limitBlasThreads() {
#ifdef EXTREMA_OPENBLAS
  openblas_set_num_threads(1);
#endif
}

const char* blasName() {
#ifdef EXTREMA_OPENBLAS
  return openblas_get_config();
#else
  return "CBLAS";
#endif
}

const char* blasCore() {
#ifdef EXTREMA_OPENBLAS
  return openblas_get_corename();
#else
  return "";
#endif
}

namespace {

// Small whole numbers: every product and sum is exact, so the comparison is too.
template <class T>
std::vector<T> wholeNumbers(size_t count, unsigned seed) {
  std::vector<T> values(count);
  for (T& value : values) {
    seed = seed * 1664525u + 1013904223u;
    value = static_cast<T>(static_cast<int>(seed >> 24) % 15 - 7);
  }
  return values;
}

template <class T>
bool productsAgree(int m, int n, int k, bool ta, bool tb) {
  const std::vector<T> a = wholeNumbers<T>(static_cast<size_t>(m) * k, 1),
                       b = wholeNumbers<T>(static_cast<size_t>(k) * n, 2);
  std::vector<T> c(static_cast<size_t>(m) * n, std::nan(""));
  gemm(ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k, a.data(), ta ? m : k,
       b.data(), tb ? k : n, c.data());
  for (int i = 0; i < m; i++) {
    for (int j = 0; j < n; j++) {
      T expected = 0;
      for (int l = 0; l < k; l++)
        expected += (ta ? a[l * m + i] : a[i * k + l]) * (tb ? b[j * k + l] : b[l * n + j]);
      if (!(c[static_cast<size_t>(i) * n + j] == expected)) return false;
    }
  }
  return true;
}

}  // namespace

std::string checkBlas() {
  const int sizes[][3] = {{1, 1, 1}, {7, 5, 3}, {33, 17, 65}, {64, 31, 47}, {19, 129, 23}, {97, 101, 103}};
  for (const auto& s : sizes) {
    for (int transposes = 0; transposes < 4; transposes++) {
      const bool ta = transposes & 1, tb = transposes & 2;
      const bool good =
          productsAgree<double>(s[0], s[1], s[2], ta, tb) && productsAgree<float>(s[0], s[1], s[2], ta, tb);
      if (good) continue;
      return std::string("BLAS (") + blasName() + ", core " + blasCore() + ") multiplies matrices of sizes " +
             std::to_string(s[0]) + ", " + std::to_string(s[2]) + ", " + std::to_string(s[1]) + " wrongly";
    }
  }
  return "";
}

}  // namespace extrema
