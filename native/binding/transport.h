#pragma once

#include <napi.h>

namespace extrema {

void exportTransport(Napi::Env env, Napi::Object exports);
// Add to the exports of the room.
void exportAssignment(Napi::Env env, Napi::Object room);

}  // namespace extrema
