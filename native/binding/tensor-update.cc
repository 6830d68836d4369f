#include "binding/tensor-update.h"

#include "binding/plain-arguments.h"
#include "tensor/update/update.h"

namespace extrema {
namespace {

// Null stays null.
template <class T>
T* into(const Array& array, T*) {
  return static_cast<T*>(array.data);
}

napi_value number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

// (x)
napi_value sumOfSquares(napi_env env, napi_callback_info info) {
  const Arguments<1> a(env, info);
  const Array x = a.array(0);
  double sum = 0;
  forType(x, [&](auto* first) { sum = tensor::sumOfSquares(as(x, first), x.size); });
  return number(env, sum);
}

// (out, x, y, a, b)
napi_value combine(napi_env env, napi_callback_info info) {
  const Arguments<5> a(env, info);
  const Array out = a.array(0), x = a.array(1), y = a.array(2);
  forType(out, [&](auto* o) { tensor::combine(o, as(x, o), as(y, o), out.size, a.number(3), a.number(4)); });
  return nullptr;
}

// (x, limit)
napi_value clip(napi_env env, napi_callback_info info) {
  const Arguments<2> a(env, info);
  const Array x = a.array(0);
  forType(x, [&](auto* first) { tensor::clip(first, x.size, a.number(1)); });
  return nullptr;
}

// (x, g, m, rate, momentum, nesterov, weightDecay, scale)
napi_value sgd(napi_env env, napi_callback_info info) {
  const Arguments<8> a(env, info);
  const Array x = a.array(0), g = a.array(1), m = a.array(2);
  const tensor::SgdStep step{a.number(3), a.number(4), a.flag(5), a.number(6), a.number(7)};
  forType(x, [&](auto* first) { tensor::sgd(first, as(g, first), into(m, first), x.size, step); });
  return nullptr;
}

// (x, g, m, v, beta1, beta2, rate, correction, epsilon, weightDecay, shrink, scale)
napi_value adam(napi_env env, napi_callback_info info) {
  const Arguments<12> a(env, info);
  const Array x = a.array(0), g = a.array(1), m = a.array(2), v = a.array(3);
  const tensor::AdamStep step{a.number(4), a.number(5), a.number(6),  a.number(7),
                              a.number(8), a.number(9), a.number(10), a.number(11)};
  forType(x, [&](auto* first) {
    tensor::adam(first, as(g, first), into(m, first), into(v, first), x.size, step);
  });
  return nullptr;
}

// (x, g, v, mean, m, alpha, rate, epsilon, momentum, weightDecay, scale)
napi_value rmsprop(napi_env env, napi_callback_info info) {
  const Arguments<11> a(env, info);
  const Array x = a.array(0), g = a.array(1), v = a.array(2), mean = a.array(3), m = a.array(4);
  const tensor::RmspropStep step{a.number(5), a.number(6), a.number(7),
                                 a.number(8), a.number(9), a.number(10)};
  forType(x, [&](auto* first) {
    tensor::rmsprop(first, as(g, first), into(v, first), into(mean, first), into(m, first), x.size, step);
  });
  return nullptr;
}

// (x, g, m, v, beta1, beta2, rate, correction1, correction2, epsilon, weightDecay, scale)
napi_value lamb(napi_env env, napi_callback_info info) {
  const Arguments<12> a(env, info);
  const Array x = a.array(0), g = a.array(1), m = a.array(2), v = a.array(3);
  const tensor::LambStep step{a.number(4), a.number(5), a.number(6),  a.number(7),
                              a.number(8), a.number(9), a.number(10), a.number(11)};
  double ratio = 1;
  forType(x, [&](auto* first) {
    ratio = tensor::lamb(first, as(g, first), into(m, first), into(v, first), x.size, step);
  });
  return number(env, ratio);
}

// (slope, x, g, m, mixM, mixG, keep, add, step, shrink, parameter)
napi_value lion(napi_env env, napi_callback_info info) {
  const Arguments<11> a(env, info);
  const Array x = a.array(1), g = a.array(2), m = a.array(3);
  const tensor::LionStep step{a.number(4), a.number(5), a.number(6), a.number(7),
                              a.number(8), a.number(9), a.number(10)};
  forType(
      x, [&](auto* first) { tensor::lion(a.integer(0), first, as(g, first), into(m, first), x.size, step); });
  return nullptr;
}

// (a, u, v, decay, factor)
napi_value rankOne(napi_env env, napi_callback_info info) {
  const Arguments<5> a(env, info);
  const Array matrix = a.array(0), u = a.array(1), v = a.array(2);
  forType(matrix, [&](auto* first) {
    tensor::rankOne(first, as(u, first), u.size, as(v, first), v.size, a.number(3), a.number(4));
  });
  return nullptr;
}

}  // namespace

void exportTensorUpdate(Napi::Env env, Napi::Object exports) {
  Napi::Object room = Napi::Object::New(env);
  const auto add = [&](const char* name, napi_callback call) {
    napi_value function = nullptr;
    NAPI_THROW_IF_FAILED_VOID(env,
                              napi_create_function(env, name, NAPI_AUTO_LENGTH, call, nullptr, &function));
    room.Set(name, Napi::Value(env, function));
  };
  add("sumOfSquares", sumOfSquares);
  add("combine", combine);
  add("clip", clip);
  add("sgd", sgd);
  add("adam", adam);
  add("rmsprop", rmsprop);
  add("lamb", lamb);
  add("lion", lion);
  add("rankOne", rankOne);
  exports.Set("update", room);
}

}  // namespace extrema
