#include "binding/tensor-spectral.h"

#include "binding/guarded.h"
#include "binding/plain-arguments.h"
#include "tensor/fft.h"

namespace extrema {
namespace {

// (outRe, outIm, re, im, outer, n, inner, scale)
napi_value fft(napi_env env, napi_callback_info info) {
  const Arguments<8> a(env, info);
  const Array outRe = a.array(0), outIm = a.array(1), re = a.array(2), im = a.array(3);
  return guarded(env, [&]() -> napi_value {
    forType(outRe, [&](auto* o) {
      tensor::fft(o, static_cast<decltype(o)>(outIm.data), as(re, o), as(im, o), a.size(4), a.size(5),
                  a.size(6), a.number(7));
    });
    return nullptr;
  });
}

// (outRe, outIm, x, rows, n, scale, interior)
napi_value rfft(napi_env env, napi_callback_info info) {
  const Arguments<7> a(env, info);
  const Array outRe = a.array(0), outIm = a.array(1), x = a.array(2);
  return guarded(env, [&]() -> napi_value {
    forType(outRe, [&](auto* o) {
      tensor::rfft(o, static_cast<decltype(o)>(outIm.data), as(x, o), a.size(3), a.size(4), a.number(5),
                   a.number(6));
    });
    return nullptr;
  });
}

// (out, re, im, rows, n, scale, interior)
napi_value irfft(napi_env env, napi_callback_info info) {
  const Arguments<7> a(env, info);
  const Array out = a.array(0), re = a.array(1), im = a.array(2);
  return guarded(env, [&]() -> napi_value {
    forType(out, [&](auto* o) {
      tensor::irfft(o, as(re, o), as(im, o), a.size(3), a.size(4), a.number(5), a.number(6));
    });
    return nullptr;
  });
}

// (outRe, outIm, aRe, aIm, bRe, bIm, p, q, r, modes, transposeA, transposeB, conjugateA, conjugateB)
napi_value modeProduct(napi_env env, napi_callback_info info) {
  const Arguments<14> a(env, info);
  const Array outRe = a.array(0), outIm = a.array(1), aRe = a.array(2), aIm = a.array(3), bRe = a.array(4),
              bIm = a.array(5);
  const tensor::ModeSizes sizes{a.size(6),  a.size(7),  a.size(8),  a.size(9),
                                a.flag(10), a.flag(11), a.flag(12), a.flag(13)};
  forType(outRe, [&](auto* o) {
    tensor::modeProduct(o, static_cast<decltype(o)>(outIm.data), as(aRe, o), as(aIm, o), as(bRe, o),
                        as(bIm, o), sizes);
  });
  return nullptr;
}

}  // namespace

void exportTensorSpectral(Napi::Env env, Napi::Object exports) {
  Napi::Object room = exports.Get("tensor").As<Napi::Object>();
  const auto add = [&](const char* name, napi_callback call) {
    napi_value function = nullptr;
    NAPI_THROW_IF_FAILED_VOID(env,
                              napi_create_function(env, name, NAPI_AUTO_LENGTH, call, nullptr, &function));
    room.Set(name, Napi::Value(env, function));
  };
  add("fft", fft);
  add("rfft", rfft);
  add("irfft", irfft);
  add("modeProduct", modeProduct);
}

}  // namespace extrema
