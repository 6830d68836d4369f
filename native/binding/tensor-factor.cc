#include "binding/tensor-factor.h"

#include "binding/guarded.h"
#include "binding/plain-arguments.h"
#include "tensor/factor.h"

namespace extrema {
namespace {

napi_value placeOf(napi_env env, ptrdiff_t place) {
  napi_value value = nullptr;
  napi_create_int64(env, place, &value);
  return value;
}

// Another output of the type of the first.
template <class T>
T* like(const Array& array, T*) {
  return static_cast<T*>(array.data);
}

// (out, a, batch, n)
napi_value cholesky(napi_env env, napi_callback_info info) {
  const Arguments<4> a(env, info);
  const Array out = a.array(0), matrix = a.array(1);
  return guarded(env, [&] {
    ptrdiff_t place = -1;
    forType(out, [&](auto* o) { place = tensor::cholesky(o, as(matrix, o), a.size(2), a.size(3)); });
    return placeOf(env, place);
  });
}

// (out, a, b, batch, n, columns, lower, transpose, unit, strideA, strideB)
napi_value triangularSolve(napi_env env, napi_callback_info info) {
  const Arguments<11> a(env, info);
  const Array out = a.array(0), matrix = a.array(1), b = a.array(2);
  const tensor::TriangularSizes sizes{a.size(3), a.size(4), a.size(5), a.flag(6),
                                      a.flag(7), a.flag(8), a.size(9), a.size(10)};
  return guarded(env, [&] {
    ptrdiff_t place = -1;
    forType(out, [&](auto* o) { place = tensor::triangularSolve(o, as(matrix, o), as(b, o), sizes); });
    return placeOf(env, place);
  });
}

// (factors, permutation, a, batch, n)
napi_value luFactor(napi_env env, napi_callback_info info) {
  const Arguments<5> a(env, info);
  const Array factors = a.array(0), permutation = a.array(1), matrix = a.array(2);
  return guarded(env, [&] {
    ptrdiff_t place = -1;
    forType(factors, [&](auto* o) {
      place =
          tensor::luFactor(o, static_cast<int32_t*>(permutation.data), as(matrix, o), a.size(3), a.size(4));
    });
    return placeOf(env, place);
  });
}

// (out, factors, permutation, b, batch, n, columns, transpose, strideA, strideB)
napi_value luSolve(napi_env env, napi_callback_info info) {
  const Arguments<10> a(env, info);
  const Array out = a.array(0), factors = a.array(1), b = a.array(3);
  const tensor::SolveSizes sizes{a.size(4), a.size(5), a.size(6), a.flag(7), a.size(8), a.size(9)};
  return guarded(env, [&]() -> napi_value {
    forType(out, [&](auto* o) { tensor::luSolve(o, as(factors, o), a.whole(2), as(b, o), sizes); });
    return nullptr;
  });
}

// (values, vectors, a, batch, n)
napi_value symmetricEigen(napi_env env, napi_callback_info info) {
  const Arguments<5> a(env, info);
  const Array values = a.array(0), vectors = a.array(1), matrix = a.array(2);
  return guarded(env, [&]() -> napi_value {
    forType(values, [&](auto* o) {
      tensor::symmetricEigen(o, like(vectors, o), as(matrix, o), a.size(3), a.size(4));
    });
    return nullptr;
  });
}

// (q, r, a, batch, m, n)
napi_value qr(napi_env env, napi_callback_info info) {
  const Arguments<6> a(env, info);
  const Array q = a.array(0), r = a.array(1), matrix = a.array(2);
  return guarded(env, [&]() -> napi_value {
    forType(q, [&](auto* o) { tensor::qr(o, like(r, o), as(matrix, o), a.size(3), a.size(4), a.size(5)); });
    return nullptr;
  });
}

// (u, s, vt, a, batch, m, n)
napi_value svd(napi_env env, napi_callback_info info) {
  const Arguments<7> a(env, info);
  const Array u = a.array(0), s = a.array(1), vt = a.array(2), matrix = a.array(3);
  return guarded(env, [&]() -> napi_value {
    forType(u, [&](auto* o) {
      tensor::svd(o, like(s, o), like(vt, o), as(matrix, o), a.size(4), a.size(5), a.size(6));
    });
    return nullptr;
  });
}

// (out, bands, x, batch, n, columns, lower, upper, transpose)
napi_value bandedProduct(napi_env env, napi_callback_info info) {
  const Arguments<9> a(env, info);
  const Array out = a.array(0), bands = a.array(1), x = a.array(2);
  const tensor::BandedSizes sizes{a.size(3), a.size(4), a.size(5), a.size(6), a.size(7)};
  forType(out, [&](auto* o) { tensor::bandedProduct(o, as(bands, o), as(x, o), sizes, a.flag(8)); });
  return nullptr;
}

// (out, g, x, batch, n, columns, lower, upper)
napi_value bandedOuter(napi_env env, napi_callback_info info) {
  const Arguments<8> a(env, info);
  const Array out = a.array(0), g = a.array(1), x = a.array(2);
  const tensor::BandedSizes sizes{a.size(3), a.size(4), a.size(5), a.size(6), a.size(7)};
  forType(out, [&](auto* o) { tensor::bandedOuter(o, as(g, o), as(x, o), sizes); });
  return nullptr;
}

}  // namespace

void exportTensorFactor(Napi::Env env, Napi::Object exports) {
  Napi::Object room = exports.Get("tensor").As<Napi::Object>();
  const auto add = [&](const char* name, napi_callback call) {
    napi_value function = nullptr;
    NAPI_THROW_IF_FAILED_VOID(env,
                              napi_create_function(env, name, NAPI_AUTO_LENGTH, call, nullptr, &function));
    room.Set(name, Napi::Value(env, function));
  };
  add("cholesky", cholesky);
  add("triangularSolve", triangularSolve);
  add("luFactor", luFactor);
  add("luSolve", luSolve);
  add("symmetricEigen", symmetricEigen);
  add("qr", qr);
  add("svd", svd);
  add("bandedProduct", bandedProduct);
  add("bandedOuter", bandedOuter);
}

}  // namespace extrema
