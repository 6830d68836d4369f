// Exp and Log of every instruction set that this machine has, against the C library in long double.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "simd/dispatch.h"
#include "simd/math.h"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>
#define HAS_GUARD_PAGES 1
#endif

namespace {

using namespace extrema;

constexpr double kMaxUlp = 2.0;
int failures = 0;

void fail(const std::string& what) {
  if (++failures <= 40) std::printf("FAIL %s: %s\n", simdTargetName(), what.c_str());
}

template <typename T>
std::string hex(T x) {
  char text[64];
  std::snprintf(text, sizeof text, "%a", static_cast<double>(x));
  return text;
}

template <typename T>
using Function = void (*)(const T*, T*, size_t);

// Distance of y from the true value in units in the last place of T at that value.
template <typename T>
double ulpError(T y, long double truth) {
  const int precision = std::numeric_limits<T>::digits;
  const int exponent = std::max(std::ilogb(truth), std::numeric_limits<T>::min_exponent - 1);
  return static_cast<double>(std::fabs(static_cast<long double>(y) - truth) /
                             std::ldexp(1.0L, exponent - precision + 1));
}

// A point and what may come out. Results of exp under `flushed` may be 0 instead, those well under it must
// be.
template <typename T>
struct Points {
  std::vector<T> x;
  std::vector<long double> truth;
};

template <typename T>
void compare(const char* name, Function<T> f, const Points<T>& points, long double flushed) {
  std::vector<T> y(points.x.size());
  f(points.x.data(), y.data(), y.size());
  double worst = 0;
  T where = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    const long double truth = points.truth[i];
    if (std::fabs(truth) < flushed * 1.0001L && flushed > 0) {
      if (y[i] == 0) continue;
      if (truth < flushed * 0.9999L) {
        fail(std::string(name) + "(" + hex(points.x[i]) + ") should be flushed to 0, got " + hex(y[i]));
        continue;
      }
    }
    const double error = ulpError(y[i], truth);
    if (!(error <= worst)) {
      worst = error;
      where = points.x[i];
    }
  }
  std::printf("%-7s %s%d: %.3f ulp at most, at %.17g (%zu points)\n", simdTargetName(), name,
              static_cast<int>(8 * sizeof(T)), worst, static_cast<double>(where), y.size());
  if (!(worst <= kMaxUlp)) fail(std::string(name) + "(" + hex(where) + ") is off by more than 2 ulp");
}

// Neighbours of x in T, `count` on both sides.
template <typename T>
void around(std::vector<T>& xs, T x, int count) {
  const T infinity = std::numeric_limits<T>::infinity();
  T up = x, down = x;
  xs.push_back(x);
  for (int i = 0; i < count; ++i) {
    xs.push_back(up = std::nextafter(up, infinity));
    xs.push_back(down = std::nextafter(down, -infinity));
  }
}

template <typename T>
Points<T> expPoints() {
  using Limits = std::numeric_limits<T>;
  const T lowest = std::log(Limits::min()), highest = std::log(Limits::max());
  std::mt19937_64 random(1);
  Points<T> p;
  std::uniform_real_distribution<double> all(lowest, highest), usual(-40, 0), small(-1, 1);
  std::uniform_real_distribution<double> exponents(Limits::min_exponent, 3);
  for (int i = 0; i < 1000000; ++i) p.x.push_back(static_cast<T>(all(random)));
  for (int i = 0; i < 600000; ++i) p.x.push_back(static_cast<T>(usual(random)));
  for (int i = 0; i < 400000; ++i) p.x.push_back(static_cast<T>(small(random)));
  for (int i = 0; i < 100000; ++i) {
    const double magnitude = std::exp2(exponents(random));
    p.x.push_back(static_cast<T>(i % 2 ? magnitude : -magnitude));
  }
  // Every place where the argument reduction changes, of the coarse and of the fine kind.
  const long double ln2 = std::log(2.0L);
  const int from = static_cast<int>(lowest / ln2) * 16, to = static_cast<int>(highest / ln2) * 16;
  for (int k = from; k <= to; ++k) {
    around(p.x, static_cast<T>(k * ln2 / 16), 2);
    around(p.x, static_cast<T>((k + 0.5L) * ln2 / 16), 2);
  }
  around(p.x, lowest, 200);
  around(p.x, static_cast<T>(std::log(2.0L) * (Limits::min_exponent - 0.5L)), 200);
  around(p.x, highest, 200);
  const auto tooLarge = [](T x) { return std::exp(static_cast<long double>(x)) > Limits::max(); };
  p.x.erase(std::remove_if(p.x.begin(), p.x.end(), tooLarge), p.x.end());
  for (T x : p.x) p.truth.push_back(std::exp(static_cast<long double>(x)));
  return p;
}

template <typename T>
Points<T> exp2Points(const Points<T>& ofExp) {
  using Limits = std::numeric_limits<T>;
  Points<T> p;
  for (T x : ofExp.x) p.x.push_back(static_cast<T>(x / std::log(2.0L)));
  for (int k = Limits::min_exponent; k < Limits::max_exponent; ++k) {
    around(p.x, static_cast<T>(k), 2);
    around(p.x, static_cast<T>(k + 0.5), 2);
  }
  const auto tooLarge = [](T x) { return std::exp2(static_cast<long double>(x)) > Limits::max(); };
  p.x.erase(std::remove_if(p.x.begin(), p.x.end(), tooLarge), p.x.end());
  for (T x : p.x) p.truth.push_back(std::exp2(static_cast<long double>(x)));
  return p;
}

template <typename T>
Points<T> logPoints() {
  using Limits = std::numeric_limits<T>;
  std::mt19937_64 random(2);
  Points<T> p;
  std::uniform_real_distribution<double> exponents(Limits::min_exponent - 1, Limits::max_exponent),
      near1(0.7, 1.5);
  std::uniform_real_distribution<double> distance(-Limits::digits, -1);
  for (int i = 0; i < 1000000; ++i) p.x.push_back(static_cast<T>(std::exp2(exponents(random))));
  for (int i = 0; i < 700000; ++i) p.x.push_back(static_cast<T>(near1(random)));
  for (int i = 0; i < 300000; ++i) {
    const double d = std::exp2(distance(random));
    p.x.push_back(static_cast<T>(i % 2 ? 1 + d : 1 - d));
  }
  for (int e = Limits::min_exponent; e < Limits::max_exponent; ++e) {
    for (int j = 0; j < 64; ++j) around(p.x, static_cast<T>(std::ldexp(0.5L + j / 128.0L, e)), 1);
    around(p.x, static_cast<T>(std::ldexp(std::sqrt(0.5L), e)), 3);
  }
  around(p.x, Limits::min(), 50);
  for (T x = Limits::denorm_min(); x < Limits::min(); x *= T(1.01))
    around(p.x, x, 0), x += Limits::denorm_min();
  p.x.push_back(Limits::max());
  p.x.push_back(1);
  for (T x : p.x) p.truth.push_back(std::log(static_cast<long double>(x)));
  return p;
}

template <typename T>
void special(const char* name, Function<T> f, T x, T expected) {
  // In every lane, among ordinary numbers.
  for (size_t lane = 0; lane < 16; ++lane) {
    T in[16], out[16];
    for (T& v : in) v = T(0.5);
    in[lane] = x;
    f(in, out, 16);
    const bool same = std::isnan(expected) ? std::isnan(out[lane]) : out[lane] == expected;
    if (!same) {
      fail(std::string(name) + "(" + hex(x) + ") in lane " + std::to_string(lane) + ": expected " +
           hex(expected) + ", got " + hex(out[lane]));
    }
    T ordinary[1] = {T(0.5)}, value[1];
    f(ordinary, value, 1);
    for (size_t i = 0; i < 16; ++i) {
      if (i != lane && out[i] != value[0])
        fail(std::string(name) + ": a special value changes its neighbours");
    }
  }
}

template <typename T, typename Bits>
T fromBits(Bits bits) {
  static_assert(sizeof(T) == sizeof(Bits), "");
  T x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

template <typename T>
void specials(T oddNan) {
  using Limits = std::numeric_limits<T>;
  const T inf = Limits::infinity(), nan = Limits::quiet_NaN();
  const T overflow = std::nextafter(static_cast<T>(std::log(static_cast<long double>(Limits::max()))), inf);
  for (T x : {overflow, T(710), T(711), T(1000), T(1e9), Limits::max(), inf})
    special<T>("exp", expArray, x, inf);
  const T flushed = static_cast<T>(std::log(2.0L) * (Limits::min_exponent - 1));
  for (T x :
       {flushed, T(-708.4), T(-709), T(-745), T(-746), T(-1000), T(-1e9), T(-1e30), Limits::lowest(), -inf}) {
    special<T>("exp", expArray, x, T(0));
  }
  for (T x : {T(0), T(-0.0), Limits::min(), -Limits::denorm_min()}) special<T>("exp", expArray, x, T(1));
  for (T x : {nan, -nan, oddNan, -oddNan}) special<T>("exp", expArray, x, nan);

  for (T x : {T(Limits::max_exponent), T(1025), T(1e9), Limits::max(), inf})
    special<T>("exp2", exp2Array, x, inf);
  for (T x : {T(Limits::min_exponent - 1), T(-1023), T(-1075), T(-1e30), Limits::lowest(), -inf})
    special<T>("exp2", exp2Array, x, T(0));
  for (T x : {T(0), T(-0.0)}) special<T>("exp2", exp2Array, x, T(1));
  for (T x : {nan, -nan, oddNan, -oddNan}) special<T>("exp2", exp2Array, x, nan);

  special<T>("log", logArray, T(1), T(0));
  special<T>("log", logArray, T(0), -inf);
  special<T>("log", logArray, T(-0.0), -inf);
  special<T>("log", logArray, inf, inf);
  for (T x :
       {T(-1), -Limits::denorm_min(), -Limits::min(), Limits::lowest(), -inf, nan, -nan, oddNan, -oddNan}) {
    special<T>("log", logArray, x, nan);
  }
}

// An array whose last element ends at the end of readable memory.
template <typename T>
class Guarded {
 public:
  explicit Guarded(size_t n) {
#ifdef HAS_GUARD_PAGES
    page_ = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    base_ = static_cast<char*>(
        mmap(nullptr, 2 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED || mprotect(base_ + page_, page_, PROT_NONE) != 0) std::abort();
    data_ = reinterpret_cast<T*>(base_ + page_) - n;
#else
    base_ = static_cast<char*>(std::malloc(n * sizeof(T) + 64));
    data_ = reinterpret_cast<T*>(base_ + 64);
#endif
  }
  ~Guarded() {
#ifdef HAS_GUARD_PAGES
    munmap(base_, 2 * page_);
#else
    std::free(base_);
#endif
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  T* data() { return data_; }

 private:
  size_t page_ = 0;
  char* base_;
  T* data_;
};

// Every length: nothing read past the end, nothing written outside, the same result as one element at a time.
template <typename T>
void tails(const char* name, Function<T> f) {
  constexpr T kGuard = T(-77);
  constexpr size_t kMargin = 32;
  for (size_t n = 0; n <= 65; ++n) {
    Guarded<T> x(n);
    std::vector<T> expected(n);
    for (size_t i = 0; i < n; ++i) {
      x.data()[i] = T(0.25) + T(i) / 16;
      f(&x.data()[i], &expected[i], 1);
    }
    std::vector<T> y(n + 2 * kMargin, kGuard);
    f(x.data(), y.data() + kMargin, n);
    for (size_t i = 0; i < y.size(); ++i) {
      const bool inside = i >= kMargin && i < kMargin + n;
      if (y[i] != (inside ? expected[i - kMargin] : kGuard)) {
        fail(std::string(name) + ": n = " + std::to_string(n) + ", wrong at " +
             std::to_string(static_cast<long>(i) - static_cast<long>(kMargin)));
      }
    }
    f(x.data(), x.data(), n);
    for (size_t i = 0; i < n; ++i) {
      if (x.data()[i] != expected[i]) fail(std::string(name) + " in place: n = " + std::to_string(n));
    }
  }
}

void setEnvironment(const char* value) {
#ifdef _WIN32
  _putenv_s("EXTREMA_SIMD", value);
#else
  setenv("EXTREMA_SIMD", value, 1);
#endif
}

template <typename F>
bool throws(const F& f) {
  try {
    f();
  } catch (const std::runtime_error&) {
    return true;
  }
  return false;
}

// The compiler's own run-time library judges the processor too.
void cpuTests() {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(EXTREMA_TARGETS)
  __builtin_cpu_init();
  const bool avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (simd::targetAvailable(simd::kAvx2) != avx2) fail("AVX2 is misjudged");
  if (simd::targetAvailable(simd::kAvx512) != avx512) fail("AVX-512 is misjudged");
  if (avx2 && !simd::targetAvailable(simd::kSse4)) fail("SSE4 is misjudged");
#endif
}

void dispatchTests() {
  const int before = simd::currentTarget();
  for (int t = 0; t < simd::kTargetCount; ++t) {
    const auto target = static_cast<simd::Target>(t);
    setEnvironment(simd::targetName(target));
    simd::chosenTarget = -1;
    if (simd::targetAvailable(target)) {
      if (std::strcmp(simdTargetName(), simd::targetName(target)) != 0) fail("EXTREMA_SIMD is not obeyed");
    } else {
      if (!throws([] { simdTargetName(); })) fail("EXTREMA_SIMD may name a target that cannot run");
      simd::chosenTarget = before;
      if (!throws([target] { simd::selectTarget(target); }))
        fail("selectTarget takes a target that cannot run");
    }
  }
  setEnvironment("mmx");
  simd::chosenTarget = -1;
  if (!throws([] { simdTargetName(); })) fail("EXTREMA_SIMD may name an unknown target");
  setEnvironment("");
  if (simd::currentTarget() != before) fail("an empty EXTREMA_SIMD changes the choice");
}

}  // namespace

int main() {
  std::printf("chosen: %s\n", simdTargetName());
  cpuTests();
  if (std::getenv("EXTREMA_SIMD") == nullptr) dispatchTests();

  const Points<double> exp64 = expPoints<double>(), log64 = logPoints<double>();
  const Points<float> exp32 = expPoints<float>(), log32 = logPoints<float>();
  const Points<double> power64 = exp2Points(exp64);
  const Points<float> power32 = exp2Points(exp32);
  const long double flushed64 = std::exp2(-1021.5L), flushed32 = std::exp2(-125.5L);
  for (int t = 0; t < simd::kTargetCount; ++t) {
    if (!simd::targetAvailable(static_cast<simd::Target>(t))) continue;
    simd::selectTarget(static_cast<simd::Target>(t));
    compare<double>("exp", expArray, exp64, flushed64);
    compare<float>("exp", expArray, exp32, flushed32);
    compare<double>("exp2", exp2Array, power64, flushed64);
    compare<float>("exp2", exp2Array, power32, flushed32);
    compare<double>("log", logArray, log64, 0);
    compare<float>("log", logArray, log32, 0);
    specials<double>(fromBits<double>(UINT64_C(0x7FF8000000000ABC)));
    specials<float>(fromBits<float>(UINT32_C(0x7FC00ABC)));
    tails<double>("exp64", expArray);
    tails<float>("exp32", expArray);
    tails<double>("exp2-64", exp2Array);
    tails<float>("exp2-32", exp2Array);
    tails<double>("log64", logArray);
    tails<float>("log32", logArray);
  }
  std::printf(failures ? "%d failures\n" : "ok\n", failures);
  return failures ? 1 : 0;
}
