#pragma once

#include <napi.h>

namespace extrema {

void exportMoe(Napi::Env env, Napi::Object exports);

}  // namespace extrema
