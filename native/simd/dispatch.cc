#include "simd/dispatch.h"

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "simd/cpu.h"

namespace extrema {
namespace simd {

std::atomic<int> chosenTarget{-1};

namespace {

constexpr const char* kNames[kTargetCount] = {"avx512", "avx2", "sse4", "neon", "scalar"};

constexpr bool kCompiled[kTargetCount] = {(HWY_TARGETS & HWY_AVX3) != 0, (HWY_TARGETS & HWY_AVX2) != 0,
                                          (HWY_TARGETS & HWY_SSE4) != 0, (HWY_TARGETS & HWY_NEON) != 0,
                                          (HWY_TARGETS & (HWY_EMU128 | HWY_SCALAR)) != 0};

bool runsHere(Target target) {
  switch (target) {
    case kAvx512:
      return cpuFeatures().avx512;
    case kAvx2:
      return cpuFeatures().avx2;
    case kSse4:
      return cpuFeatures().sse4;
    default:
      return true;  // the baseline of its architecture
  }
}

std::string availableNames() {
  std::string names;
  for (int t = 0; t < kTargetCount; ++t) {
    if (!targetAvailable(static_cast<Target>(t))) continue;
    if (!names.empty()) names += ", ";
    names += kNames[t];
  }
  return names;
}

int bestTarget() {
  for (int t = 0; t < kTargetCount; ++t) {
    if (targetAvailable(static_cast<Target>(t))) return t;
  }
  throw std::runtime_error("this build of extrema has no kernels for this processor");
}

int requestedTarget(const char* name) {
  for (int t = 0; t < kTargetCount; ++t) {
    if (std::strcmp(name, kNames[t]) == 0 && targetAvailable(static_cast<Target>(t))) return t;
  }
  throw std::runtime_error("EXTREMA_SIMD: expected one of " + availableNames() + " on this machine, got " +
                           name);
}

}  // namespace

const char* targetName(Target target) { return kNames[target]; }

bool targetAvailable(Target target) { return kCompiled[target] && runsHere(target); }

void selectTarget(Target target) { chosenTarget.store(requestedTarget(kNames[target])); }

int chooseTarget() {
  const char* name = std::getenv("EXTREMA_SIMD");
  const int target = name != nullptr && *name != '\0' ? requestedTarget(name) : bestTarget();
  int none = -1;
  // A selectTarget in between wins.
  chosenTarget.compare_exchange_strong(none, target);
  return chosenTarget.load();
}

}  // namespace simd

const char* simdTargetName() { return simd::targetName(static_cast<simd::Target>(simd::currentTarget())); }

}  // namespace extrema
