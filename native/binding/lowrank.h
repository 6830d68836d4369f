#pragma once

#include <napi.h>

namespace extrema {

void exportLowrank(Napi::Env env, Napi::Object exports);
void exportDictionary(Napi::Env env, Napi::Object room);

}  // namespace extrema
