#pragma once

#include <napi.h>

// Plain Node-API without wrappers, for kernels that are called by the thousand on the calling thread. The
// façade has checked all types and sizes.

namespace extrema {

struct Array {
  void* data;
  size_t size;
  napi_typedarray_type type;
};

// The arguments of a call with exactly kCount of them.
template <size_t kCount>
struct Arguments {
  Arguments(napi_env env, napi_callback_info info) : env(env) {
    size_t count = kCount;
    napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  }
  Array array(size_t i) const {
    Array view{nullptr, 0, napi_float64_array};
    napi_get_typedarray_info(env, values[i], &view.type, &view.size, &view.data, nullptr, nullptr);
    return view;
  }
  // Null stays null.
  const int32_t* whole(size_t i) const { return static_cast<const int32_t*>(array(i).data); }
  int integer(size_t i) const {
    int32_t value = 0;
    napi_get_value_int32(env, values[i], &value);
    return value;
  }
  size_t size(size_t i) const {
    int64_t value = 0;
    napi_get_value_int64(env, values[i], &value);
    return static_cast<size_t>(value);
  }
  double number(size_t i) const {
    double value = 0;
    napi_get_value_double(env, values[i], &value);
    return value;
  }
  bool flag(size_t i) const {
    bool value = false;
    napi_get_value_bool(env, values[i], &value);
    return value;
  }

  napi_env env;
  napi_value values[kCount];
};

// Calls body(pointer of the right type), for a generic lambda.
template <class Body>
void forType(const Array& out, const Body& body) {
  if (out.type == napi_float32_array) {
    body(static_cast<float*>(out.data));
  } else {
    body(static_cast<double*>(out.data));
  }
}

template <class T>
const T* as(const Array& array, const T*) {
  return static_cast<const T*>(array.data);
}

}  // namespace extrema
