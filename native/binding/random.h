#pragma once

#include <napi.h>

namespace extrema {

void exportRandom(Napi::Env env, Napi::Object exports);

}  // namespace extrema
