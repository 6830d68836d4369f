#include "binding/linear.h"

namespace extrema {

void exportLinear(Napi::Env env, Napi::Object exports) {
  Napi::Object room = Napi::Object::New(env);
  exportLinearSparse(env, room);
  exports.Set("linear", room);
}

}  // namespace extrema
