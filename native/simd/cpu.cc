#include "simd/cpu.h"

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64) || defined(__i386__) || defined(_M_IX86)
#define EXTREMA_X86 1
#if defined(_MSC_VER)
#include <immintrin.h>
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

namespace extrema {
namespace simd {
namespace {

#ifdef EXTREMA_X86

struct Registers {
  uint32_t eax, ebx, ecx, edx;
};

Registers cpuid(uint32_t leaf) {
#if defined(_MSC_VER)
  int r[4];
  __cpuidex(r, static_cast<int>(leaf), 0);
  return {static_cast<uint32_t>(r[0]), static_cast<uint32_t>(r[1]), static_cast<uint32_t>(r[2]),
          static_cast<uint32_t>(r[3])};
#else
  Registers r{};
  __cpuid_count(leaf, 0, r.eax, r.ebx, r.ecx, r.edx);
  return r;
#endif
}

// Extended control register 0: which register files the operating system saves. Needs OSXSAVE.
uint64_t savedState() {
#if defined(_MSC_VER)
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
#endif
}

// Whether all of the bits are set.
template <typename T, typename... Bits>
bool has(T word, Bits... bits) {
  return (((word >> bits) & 1) && ...);
}

// Bit positions: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2A (CPUID) and volume
// 1, section 13.3 (XCR0: bits 1-2 SSE and AVX, bits 5-7 the AVX-512 masks and upper registers).
CpuFeatures detect() {
  const uint32_t highest = cpuid(0).eax;
  const Registers leaf1 = cpuid(1);
  const Registers leaf7 = highest >= 7 ? cpuid(7) : Registers{};
  const uint64_t saved = has(leaf1.ecx, 27) ? savedState() : 0;

  CpuFeatures f{};
  f.sse4 = has(leaf1.edx, 26) && has(leaf1.ecx, 0, 1, 9, 19, 20, 25);
  f.avx2 = f.sse4 && has(saved, 1, 2) && has(leaf1.ecx, 12, 28, 29) && has(leaf7.ebx, 3, 5, 8);
  f.avx512 = f.avx2 && has(saved, 5, 6, 7) && has(leaf7.ebx, 16, 17, 28, 30, 31);
  return f;
}

#else

CpuFeatures detect() { return {}; }

#endif

}  // namespace

const CpuFeatures& cpuFeatures() {
  static const CpuFeatures features = detect();
  return features;
}

}  // namespace simd
}  // namespace extrema
