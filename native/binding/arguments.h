#pragma once

#include <napi.h>

namespace extrema {

// Views of borrowed JS memory. The façade has checked types and lengths; a binding only takes pointers.

struct Doubles {
  double* data = nullptr;
  size_t size = 0;
};
// Null and undefined give an empty view.
inline Doubles float64s(const Napi::Value& value) {
  void* data = nullptr;
  size_t length = 0;
  napi_typedarray_type type;
  if (napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr) != napi_ok) {
    if (value.IsNull() || value.IsUndefined()) return {};
    throw Napi::TypeError::New(value.Env(), "expected a typed array");
  }
  if (type != napi_float64_array) throw Napi::TypeError::New(value.Env(), "expected a Float64Array");
  return {static_cast<double*>(data), length};
}

struct Int32s {
  int32_t* data = nullptr;
  size_t size = 0;
};
// Null and undefined give an empty view.
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

// Either precision, without asking twice.
struct Floats {
  const double* as64 = nullptr;
  const float* as32 = nullptr;
};
inline Floats floats(const Napi::Value& value) {
  void* data = nullptr;
  napi_typedarray_type type;
  if (napi_get_typedarray_info(value.Env(), value, &type, nullptr, &data, nullptr, nullptr) != napi_ok) {
    if (value.IsNull() || value.IsUndefined()) return {};
    throw Napi::TypeError::New(value.Env(), "expected a typed array");
  }
  if (type == napi_float64_array) return {static_cast<double*>(data), nullptr};
  if (type == napi_float32_array) return {nullptr, static_cast<float*>(data)};
  throw Napi::TypeError::New(value.Env(), "expected a Float64Array or a Float32Array");
}

}  // namespace extrema
