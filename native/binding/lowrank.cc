#include "binding/lowrank.h"

namespace extrema {

void exportLowrank(Napi::Env env, Napi::Object exports) {
  Napi::Object room = Napi::Object::New(env);
  exportCompletion(env, room);
  exportDictionary(env, room);
  exports.Set("lowrank", room);
}

}  // namespace extrema
