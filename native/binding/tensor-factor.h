#pragma once

#include <napi.h>

namespace extrema {
// Adds to the kernels that exportTensor has made.
void exportTensorFactor(Napi::Env env, Napi::Object exports);
}  // namespace extrema
