#ifndef EXTREMA_SIMD_DISPATCH_H_
#define EXTREMA_SIMD_DISPATCH_H_

// Kernels written once, compiled for several instruction sets, chosen at run time.
//
// Highway (headers only) compiles a kernel file once per target; its own run-time choice needs its library,
// so the choice is made here. A kernel file looks like this (include paths are relative to native/):
//
//   #include "room/kernel.h"                     // declares  void kernel(const double* x, double* y, size_t
//   n); #include "simd/dispatch.h"                   // before anything of Highway: it limits the targets
//   #undef HWY_TARGET_INCLUDE
//   #define HWY_TARGET_INCLUDE "room/kernel.cc"  // this very file
//   #include "hwy/foreach_target.h"              // includes this file again for each further target
//   #include "hwy/highway.h"
//   #include "simd/math-inl.h"                   // Exp, Log        (if needed)
//   #include "simd/partial-inl.h"                // LoadN, StoreN   (if needed)
//
//   HWY_BEFORE_NAMESPACE();
//   namespace extrema {
//   namespace HWY_NAMESPACE {
//   void Kernel(const double* x, double* y, size_t n) {
//     const hwy::HWY_NAMESPACE::ScalableTag<double> d;
//     …
//   }
//   }  // namespace HWY_NAMESPACE
//   }  // namespace extrema
//   HWY_AFTER_NAMESPACE();
//
//   #if HWY_ONCE
//   namespace extrema {
//   EXTREMA_EXPORT(Kernel);
//   void kernel(const double* x, double* y, size_t n) { EXTREMA_DISPATCH(Kernel)(x, y, n); }
//   }  // namespace extrema
//   #endif
//
// Other headers must not be included between foreach_target.h and HWY_BEFORE_NAMESPACE unless they are
// "-inl.h" files, and inline functions of ordinary headers must not be called with vector arguments.
// The scalar target has one lane: kernels may not assume that Lanes(d) > 1.

#include <atomic>

#ifdef HIGHWAY_HWY_DETECT_TARGETS_H_
#error "include simd/dispatch.h before the headers of Highway"
#endif
// The other targets (SSSE3, SVE, …) would add compile time and no speed that matters here. EXTREMA_TARGETS
// narrows them further for an instrumented build.
#ifdef EXTREMA_TARGETS
#define HWY_DISABLED_TARGETS (~(EXTREMA_TARGETS))
#else
#define HWY_DISABLED_TARGETS (~(HWY_AVX3 | HWY_AVX2 | HWY_SSE4 | HWY_NEON | HWY_EMU128 | HWY_SCALAR))
#endif
// Highway's debug assertions call its library.
#define HWY_IS_DEBUG_BUILD 0

#include "hwy/detect_targets.h"

namespace extrema {

/// The instruction set in use: "avx512", "avx2", "sse4", "neon" or "scalar". The first call (or the first
/// kernel) chooses it: the best one compiled in that the processor and the operating system support, or the
/// one that the environment variable EXTREMA_SIMD names.
/// Throws std::runtime_error if EXTREMA_SIMD names one that cannot run here; call it once at load time so
/// that no kernel is the first to find out.
const char* simdTargetName();

namespace simd {

/// Positions in the tables made by EXTREMA_EXPORT, best first.
enum Target : int { kAvx512, kAvx2, kSse4, kNeon, kScalar, kTargetCount };

/// Name of a target as in simdTargetName.
const char* targetName(Target target);

/// Whether a target was compiled in and can run on this machine.
bool targetAvailable(Target target);

/// Uses another target from now on, for tests and benchmarks. Throws std::runtime_error if it is not
/// available.
void selectTarget(Target target);

/// The target in use, -1 before the first choice.
extern std::atomic<int> chosenTarget;

/// Makes the first choice and returns it. Several threads may do so at once: all come to the same result.
int chooseTarget();

inline int currentTarget() {
  const int target = chosenTarget.load(std::memory_order_relaxed);
  return target >= 0 ? target : chooseTarget();
}

}  // namespace simd
}  // namespace extrema

// A target that was not compiled gets a null entry, which targetAvailable keeps from being chosen.
#if HWY_TARGETS & HWY_AVX3
#define EXTREMA_ENTRY_AVX512(fn) &N_AVX3::fn
#else
#define EXTREMA_ENTRY_AVX512(fn) nullptr
#endif
#if HWY_TARGETS & HWY_AVX2
#define EXTREMA_ENTRY_AVX2(fn) &N_AVX2::fn
#else
#define EXTREMA_ENTRY_AVX2(fn) nullptr
#endif
#if HWY_TARGETS & HWY_SSE4
#define EXTREMA_ENTRY_SSE4(fn) &N_SSE4::fn
#else
#define EXTREMA_ENTRY_SSE4(fn) nullptr
#endif
#if HWY_TARGETS & HWY_NEON
#define EXTREMA_ENTRY_NEON(fn) &N_NEON::fn
#else
#define EXTREMA_ENTRY_NEON(fn) nullptr
#endif
#if HWY_TARGETS & HWY_EMU128
#define EXTREMA_ENTRY_SCALAR(fn) &N_EMU128::fn
#elif HWY_TARGETS & HWY_SCALAR
#define EXTREMA_ENTRY_SCALAR(fn) &N_SCALAR::fn
#else
#define EXTREMA_ENTRY_SCALAR(fn) nullptr
#endif

/// Makes the table of a kernel's compiled versions; once per kernel, in the namespace around HWY_NAMESPACE.
#define EXTREMA_EXPORT(fn)                                                                              \
  static decltype(&HWY_STATIC_DISPATCH(fn)) const fn##Table[::extrema::simd::kTargetCount] = {          \
      EXTREMA_ENTRY_AVX512(fn), EXTREMA_ENTRY_AVX2(fn), EXTREMA_ENTRY_SSE4(fn), EXTREMA_ENTRY_NEON(fn), \
      EXTREMA_ENTRY_SCALAR(fn)}

/// The version of an exported kernel to call on this machine.
#define EXTREMA_DISPATCH(fn) (*fn##Table[::extrema::simd::currentTarget()])

#endif  // EXTREMA_SIMD_DISPATCH_H_
