#include "binding/lowrank.h"

namespace extrema {

void exportLowrank(Napi::Env env, Napi::Object exports) {
  Napi::Object room = Napi::Object::New(env);
  exportDictionary(env, room);
  exports.Set("lowrank", room);
}

}  // namespace extrema
