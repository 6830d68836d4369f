#pragma once

#include <napi.h>

#include "core/aligned.h"

namespace extrema {

// Views of borrowed JS memory. The façade has checked types and lengths; a binding only takes pointers.

template <class T>
struct View {
  T* data = nullptr;
  size_t size = 0;
};
using Doubles = View<double>;
using Int32s = View<int32_t>;

// Null and undefined give an empty view.
template <class T>
View<T> typedView(const Napi::Value& value, napi_typedarray_type wanted, const char* expected) {
  void* data = nullptr;
  size_t length = 0;
  napi_typedarray_type type;
  if (napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr) != napi_ok) {
    if (value.IsNull() || value.IsUndefined()) return {};
    throw Napi::TypeError::New(value.Env(), "expected a typed array");
  }
  if (type != wanted) throw Napi::TypeError::New(value.Env(), expected);
  preferHugePages(data, length * sizeof(T));
  return {static_cast<T*>(data), length};
}
inline Doubles float64s(const Napi::Value& value) {
  return typedView<double>(value, napi_float64_array, "expected a Float64Array");
}
inline Int32s int32s(const Napi::Value& value) {
  return typedView<int32_t>(value, napi_int32_array, "expected an Int32Array");
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
