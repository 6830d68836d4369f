#pragma once

#include <napi.h>

namespace extrema {
void exportTensor(Napi::Env env, Napi::Object exports);
}
