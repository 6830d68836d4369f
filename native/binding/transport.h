#pragma once

#include <napi.h>

namespace extrema {

void exportTransport(Napi::Env env, Napi::Object exports);

}  // namespace extrema
