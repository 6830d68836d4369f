#pragma once

#include <napi.h>

namespace extrema {

void exportTransport(Napi::Env env, Napi::Object exports);
void exportAssignment(Napi::Env env, Napi::Object room);

// Methods with a file of their own, for the room's object.
void exportLine(Napi::Env env, Napi::Object room);
void exportTransportDerivatives(Napi::Env env, Napi::Object room);
void exportRelaxedTransport(Napi::Env env, Napi::Object room);
void exportLightBridge(Napi::Env env, Napi::Object room);
void exportBarycenter(Napi::Env env, Napi::Object room);
void exportSparsity(Napi::Env env, Napi::Object room);
void exportGromov(Napi::Env env, Napi::Object room);
void exportLowRank(Napi::Env env, Napi::Object room);
void exportCloudOrder(Napi::Env env, Napi::Object room);
void exportExact(Napi::Env env, Napi::Object room);

}  // namespace extrema
