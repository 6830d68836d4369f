#pragma once

#include <napi.h>

namespace extrema {

void exportTransport(Napi::Env env, Napi::Object exports);
void exportTransportDerivatives(Napi::Env env, Napi::Object room);
void exportRelaxedTransport(Napi::Env env, Napi::Object room);

}  // namespace extrema
