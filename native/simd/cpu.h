#ifndef EXTREMA_SIMD_CPU_H_
#define EXTREMA_SIMD_CPU_H_

namespace extrema {
namespace simd {

/// Instruction sets that the processor has and whose registers the operating system saves. Each flag stands
/// for all that Highway's target of that name may use. All false off x86.
struct CpuFeatures {
  bool sse4;    // SSE up to 4.2, PCLMULQDQ, AES
  bool avx2;    // sse4, AVX, AVX2, BMI, BMI2, FMA, F16C
  bool avx512;  // avx2, AVX-512 F, BW, CD, DQ, VL
};

/// The features of this processor, asked once.
const CpuFeatures& cpuFeatures();

}  // namespace simd
}  // namespace extrema

#endif  // EXTREMA_SIMD_CPU_H_
