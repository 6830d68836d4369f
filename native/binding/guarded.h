#pragma once

#include <napi.h>

#include <new>

#include "core/error.h"

namespace extrema {

// For plain functions whose kernel may throw: an exception becomes one of JavaScript, with its code.
template <class Body>
napi_value guarded(napi_env env, const Body& body) {
  try {
    return body();
  } catch (const Error& error) {
    napi_throw_error(env, error.code(), error.what());
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, "ERR_MEMORY", "tensor: expected a size that fits into memory");
  } catch (const std::exception& error) {
    napi_throw_error(env, "ERR_INTERNAL", error.what());
  }
  return nullptr;
}

}  // namespace extrema
