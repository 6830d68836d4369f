#pragma once

#include <napi.h>

namespace extrema {

void exportLowrank(Napi::Env env, Napi::Object exports);
// The room's kernels of matrix completion.
void exportCompletion(Napi::Env env, Napi::Object room);
void exportDictionary(Napi::Env env, Napi::Object room);

}  // namespace extrema
