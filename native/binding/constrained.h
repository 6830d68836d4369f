#pragma once

#include <napi.h>

namespace extrema {

void exportConstrained(Napi::Env env, Napi::Object exports);

}  // namespace extrema
