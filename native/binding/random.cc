#include "binding/random.h"

#include "binding/arguments.h"
#include "random/random.h"

namespace extrema {

namespace {

// (key, counter, out)
template <void (*kFill)(const uint32_t*, const uint32_t*, double*, size_t)>
void fill(const Napi::CallbackInfo& info) {
  const Doubles out = float64s(info[2]);
  kFill(info[0].As<Napi::Uint32Array>().Data(), info[1].As<Napi::Uint32Array>().Data(), out.data, out.size);
}

}  // namespace

void exportRandom(Napi::Env env, Napi::Object exports) {
  Napi::Object room = Napi::Object::New(env);
  room.Set("fillUniform", Napi::Function::New(env, fill<fillUniform>, "fillUniform"));
  room.Set("fillNormal", Napi::Function::New(env, fill<fillNormal>, "fillNormal"));
  exports.Set("random", room);
}

}  // namespace extrema
