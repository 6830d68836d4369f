#pragma once

#include <napi.h>

namespace extrema {
void exportTensorUpdate(Napi::Env env, Napi::Object exports);
}
