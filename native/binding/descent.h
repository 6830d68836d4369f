#pragma once

#include <napi.h>

namespace extrema {

void exportDescent(Napi::Env env, Napi::Object exports);

}  // namespace extrema
