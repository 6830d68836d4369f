#pragma once

#include <napi.h>

namespace extrema {

void exportCurvature(Napi::Env env, Napi::Object exports);

}  // namespace extrema
