#pragma once

#include <napi.h>

namespace extrema {

// As float64s in arguments.h.
struct Int32s {
  int32_t* data = nullptr;
  size_t size = 0;
};
inline Int32s int32s(const Napi::Value& value) {
  void* data = nullptr;
  size_t length = 0;
  napi_typedarray_type type;
  if (napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr) != napi_ok) {
    if (value.IsNull() || value.IsUndefined()) return {};
    throw Napi::TypeError::New(value.Env(), "expected a typed array");
  }
  if (type != napi_int32_array) throw Napi::TypeError::New(value.Env(), "expected an Int32Array");
  return {static_cast<int32_t*>(data), length};
}

}  // namespace extrema
