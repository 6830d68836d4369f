#include <cblas.h>
#include <napi.h>

#include "binding/constrained.h"
#include "binding/curvature.h"
#include "binding/descent.h"
#include "binding/jobs.h"
#include "binding/linear.h"
#include "binding/lowrank.h"
#include "binding/moe.h"
#include "binding/random.h"
#include "binding/tensor-factor.h"
#include "binding/tensor-spectral.h"
#include "binding/tensor-update.h"
#include "binding/tensor.h"
#include "binding/transport.h"
#include "core/blas_check.h"
#include "core/pool.h"
#include "simd/dispatch.h"

namespace extrema {
namespace {

// The first call of all: it chooses the instruction set, and throws if EXTREMA_SIMD names one that cannot run
// here.
Napi::Value describe(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    Napi::Object about = Napi::Object::New(env);
    about.Set("version", EXTREMA_VERSION);
    about.Set("blas", blasName());
    about.Set("blasCore", blasCore());
    about.Set("simd", simdTargetName());
    about.Set("hardwareThreads", Pool::hardwareThreads());
    return about;
  });
}

// An empty string, or what the BLAS computes wrongly here.
Napi::Value selfTest(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), checkBlas()); }

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  limitBlasThreads();
  exportJobs(env, exports);
  exportRandom(env, exports);
  exportTensor(env, exports);
  exportTensorFactor(env, exports);
  exportTensorSpectral(env, exports);
  exportTensorUpdate(env, exports);
  exportTransport(env, exports);
  exportMoe(env, exports);
  exportLinear(env, exports);
  exportLowrank(env, exports);
  exportConstrained(env, exports);
  exportCurvature(env, exports);
  exportDescent(env, exports);
  exports.Set("describe", Napi::Function::New(env, describe, "describe"));
  exports.Set("selfTest", Napi::Function::New(env, selfTest, "selfTest"));
  return exports;
}

}  // namespace

NODE_API_MODULE(extrema, initialize)

}  // namespace extrema
