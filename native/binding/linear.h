#pragma once

#include <napi.h>

namespace extrema {

void exportLinear(Napi::Env env, Napi::Object exports);

// Each fills its part of the room.
void exportLinearSparse(Napi::Env env, Napi::Object room);

}  // namespace extrema
