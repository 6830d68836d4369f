#include "binding/tensor.h"

#include "binding/plain-arguments.h"
#include "tensor/convolution.h"
#include "tensor/elementwise.h"
#include "tensor/indexing.h"
#include "tensor/matmul.h"
#include "tensor/max-pool.h"
#include "tensor/normalization.h"
#include "tensor/reduce.h"
#include "tensor/softmax.h"
#include "tensor/strided.h"

// Tensor kernels are called by the thousand: plain Node-API without wrappers, on the calling thread. The
// façade has checked all types and sizes.

namespace extrema {
namespace {

// (op, out, x, parameter)
napi_value unary(napi_env env, napi_callback_info info) {
  const Arguments<4> a(env, info);
  const Array out = a.array(1), x = a.array(2);
  forType(out, [&](auto* o) { tensor::unary(a.integer(0), o, as(x, o), x.size, a.number(3)); });
  return nullptr;
}

// (op, out, g, x, y, parameter)
napi_value derivative(napi_env env, napi_callback_info info) {
  const Arguments<6> a(env, info);
  const Array out = a.array(1), g = a.array(2), x = a.array(3), y = a.array(4);
  forType(out, [&](auto* o) {
    tensor::derivative(a.integer(0), o, as(g, o), as(x, o), as(y, o), x.size, a.number(5));
  });
  return nullptr;
}

// (op, out, x, y, plan)
napi_value binary(napi_env env, napi_callback_info info) {
  const Arguments<5> a(env, info);
  const Array out = a.array(1), x = a.array(2), y = a.array(3);
  forType(out, [&](auto* o) { tensor::binary(a.integer(0), o, as(x, o), as(y, o), out.size, a.whole(4)); });
  return nullptr;
}

// (op, out, x, y, plan)
napi_value compare(napi_env env, napi_callback_info info) {
  const Arguments<5> a(env, info);
  const Array out = a.array(1), x = a.array(2), y = a.array(3);
  forType(x, [&](auto* first) {
    tensor::compare(a.integer(0), static_cast<int32_t*>(out.data), as(x, first), as(y, first), out.size,
                    a.whole(4));
  });
  return nullptr;
}

// (out, condition, x, y)
napi_value where(napi_env env, napi_callback_info info) {
  const Arguments<4> a(env, info);
  const Array out = a.array(0), x = a.array(2), y = a.array(3);
  forType(out, [&](auto* o) { tensor::where(o, a.whole(1), as(x, o), as(y, o), out.size); });
  return nullptr;
}

// (out, x, plan)
napi_value read(napi_env env, napi_callback_info info) {
  const Arguments<3> a(env, info);
  const Array out = a.array(0), x = a.array(1);
  forType(out, [&](auto* o) { tensor::read(o, as(x, o), out.size, a.whole(2)); });
  return nullptr;
}

// (out, x, plan)
napi_value write(napi_env env, napi_callback_info info) {
  const Arguments<3> a(env, info);
  const Array out = a.array(0), x = a.array(1);
  forType(out, [&](auto* o) { tensor::write(o, as(x, o), x.size, a.whole(2)); });
  return nullptr;
}

// (op, out, x, outer, length, inner)
napi_value reduce(napi_env env, napi_callback_info info) {
  const Arguments<6> a(env, info);
  const Array out = a.array(1), x = a.array(2);
  forType(out, [&](auto* o) { tensor::reduce(a.integer(0), o, as(x, o), a.size(3), a.size(4), a.size(5)); });
  return nullptr;
}

// (out, a, b, batch, m, n, k, transposeA, transposeB, strideA, strideB)
napi_value matmul(napi_env env, napi_callback_info info) {
  const Arguments<11> a(env, info);
  const Array out = a.array(0), left = a.array(1), right = a.array(2);
  const tensor::MatmulSizes sizes{a.size(3), a.size(4), a.size(5), a.size(6),
                                  a.flag(7), a.flag(8), a.size(9), a.size(10)};
  forType(out, [&](auto* o) { tensor::matmul(o, as(left, o), as(right, o), sizes); });
  return nullptr;
}

// (largest, out, x, outer, length, inner)
napi_value argReduce(napi_env env, napi_callback_info info) {
  const Arguments<6> a(env, info);
  const Array out = a.array(1), x = a.array(2);
  forType(x, [&](auto* first) {
    tensor::argReduce(a.flag(0), static_cast<int32_t*>(out.data), as(x, first), a.size(3), a.size(4),
                      a.size(5));
  });
  return nullptr;
}

// (out, x, outer, length, inner, reverse)
napi_value cumsum(napi_env env, napi_callback_info info) {
  const Arguments<6> a(env, info);
  const Array out = a.array(0), x = a.array(1);
  forType(out, [&](auto* o) { tensor::cumsum(o, as(x, o), a.size(2), a.size(3), a.size(4), a.flag(5)); });
  return nullptr;
}

// (out, x, indices, outer, length, inner)
napi_value gather(napi_env env, napi_callback_info info) {
  const Arguments<6> a(env, info);
  const Array out = a.array(0), x = a.array(1), indices = a.array(2);
  forType(out, [&](auto* o) {
    tensor::gather(o, as(x, o), static_cast<const int32_t*>(indices.data), indices.size, a.size(3), a.size(4),
                   a.size(5));
  });
  return nullptr;
}

// (out, x, indices, outer, length, inner)
napi_value scatterAdd(napi_env env, napi_callback_info info) {
  const Arguments<6> a(env, info);
  const Array out = a.array(0), x = a.array(1), indices = a.array(2);
  forType(out, [&](auto* o) {
    tensor::scatterAdd(o, as(x, o), static_cast<const int32_t*>(indices.data), indices.size, a.size(3),
                       a.size(4), a.size(5));
  });
  return nullptr;
}

// (out, x, rows, columns, logarithm)
napi_value softmax(napi_env env, napi_callback_info info) {
  const Arguments<5> a(env, info);
  const Array out = a.array(0), x = a.array(1);
  forType(out, [&](auto* o) { tensor::softmax(o, as(x, o), a.size(2), a.size(3), a.flag(4)); });
  return nullptr;
}

// (out, g, y, rows, columns, logarithm)
napi_value softmaxVjp(napi_env env, napi_callback_info info) {
  const Arguments<6> a(env, info);
  const Array out = a.array(0), g = a.array(1), y = a.array(2);
  forType(out, [&](auto* o) { tensor::softmaxVjp(o, as(g, o), as(y, o), a.size(3), a.size(4), a.flag(5)); });
  return nullptr;
}

// (out, x, labels, rows, columns)
napi_value crossEntropy(napi_env env, napi_callback_info info) {
  const Arguments<5> a(env, info);
  const Array out = a.array(0), x = a.array(1);
  forType(out, [&](auto* o) { tensor::crossEntropy(o, as(x, o), a.whole(2), a.size(3), a.size(4)); });
  return nullptr;
}

// (out, g, x, labels, rows, columns)
napi_value crossEntropyVjp(napi_env env, napi_callback_info info) {
  const Arguments<6> a(env, info);
  const Array out = a.array(0), g = a.array(1), x = a.array(2);
  forType(out,
          [&](auto* o) { tensor::crossEntropyVjp(o, as(g, o), as(x, o), a.whole(3), a.size(4), a.size(5)); });
  return nullptr;
}

// (out, x, y, n, m, d)
napi_value squaredDistances(napi_env env, napi_callback_info info) {
  const Arguments<6> a(env, info);
  const Array out = a.array(0), x = a.array(1), y = a.array(2);
  forType(out,
          [&](auto* o) { tensor::squaredDistances(o, as(x, o), as(y, o), a.size(3), a.size(4), a.size(5)); });
  return nullptr;
}

// (out, data, x, indptr, indices, rows, columns, width, transpose)
napi_value csrProduct(napi_env env, napi_callback_info info) {
  const Arguments<9> a(env, info);
  const Array out = a.array(0), data = a.array(1), x = a.array(2);
  forType(out, [&](auto* o) {
    tensor::csrProduct(o, out.size, as(data, o), as(x, o), a.whole(3), a.whole(4), a.size(5), a.size(7),
                       a.flag(8));
  });
  return nullptr;
}

// (op, out, a, b, geometry, workspace)
napi_value convolution(napi_env env, napi_callback_info info) {
  const Arguments<6> a(env, info);
  const Array out = a.array(1), first = a.array(2), second = a.array(3), workspace = a.array(5);
  forType(out, [&](auto* o) {
    auto* room = static_cast<decltype(o)>(workspace.data);
    tensor::convolution(a.integer(0), o, as(first, o), as(second, o), a.whole(4), room, workspace.size);
  });
  return nullptr;
}

// (out, places, x, geometry)
napi_value maxPool(napi_env env, napi_callback_info info) {
  const Arguments<4> a(env, info);
  const Array out = a.array(0), places = a.array(1), x = a.array(2);
  forType(out,
          [&](auto* o) { tensor::maxPool(o, static_cast<int32_t*>(places.data), as(x, o), a.whole(3)); });
  return nullptr;
}

double* wide(const Array& array) { return static_cast<double*>(array.data); }

// (sums, x, outer, channels, inner)
napi_value channelSums(napi_env env, napi_callback_info info) {
  const Arguments<5> a(env, info);
  const Array sums = a.array(0), x = a.array(1);
  const tensor::Cube cube{a.size(2), a.size(3), a.size(4)};
  forType(x, [&](auto* first) { tensor::channelSums(wide(sums), as(x, first), cube); });
  return nullptr;
}

// (means, variances, x, outer, channels, inner)
napi_value moments(napi_env env, napi_callback_info info) {
  const Arguments<6> a(env, info);
  const Array means = a.array(0), variances = a.array(1), x = a.array(2);
  const tensor::Cube cube{a.size(3), a.size(4), a.size(5)};
  forType(x, [&](auto* first) { tensor::moments(wide(means), wide(variances), as(x, first), cube); });
  return nullptr;
}

// (out, x, scale, shift, means, variances, outer, channels, inner, byInner, epsilon)
napi_value normalize(napi_env env, napi_callback_info info) {
  const Arguments<11> a(env, info);
  const Array out = a.array(0), x = a.array(1), scale = a.array(2), shift = a.array(3);
  const tensor::Statistics statistics{wide(a.array(4)), wide(a.array(5)), a.number(10)};
  const tensor::Cube cube{a.size(6), a.size(7), a.size(8)};
  forType(out, [&](auto* o) {
    tensor::normalize(o, as(x, o), as(scale, o), as(shift, o), statistics, cube, a.flag(9));
  });
  return nullptr;
}

// (out, sums, g, x, scale, means, variances, outer, channels, inner, byInner, epsilon)
napi_value normalizeVjp(napi_env env, napi_callback_info info) {
  const Arguments<12> a(env, info);
  const Array out = a.array(0), sums = a.array(1), g = a.array(2), x = a.array(3), scale = a.array(4);
  const tensor::Statistics statistics{wide(a.array(5)), wide(a.array(6)), a.number(11)};
  const tensor::Cube cube{a.size(7), a.size(8), a.size(9)};
  forType(out, [&](auto* o) {
    tensor::normalizeVjp(o, wide(sums), as(g, o), as(x, o), as(scale, o), statistics, cube, a.flag(10));
  });
  return nullptr;
}

}  // namespace

void exportTensor(Napi::Env env, Napi::Object exports) {
  Napi::Object room = Napi::Object::New(env);
  const auto add = [&](const char* name, napi_callback call) {
    napi_value function = nullptr;
    NAPI_THROW_IF_FAILED_VOID(env,
                              napi_create_function(env, name, NAPI_AUTO_LENGTH, call, nullptr, &function));
    room.Set(name, Napi::Value(env, function));
  };
  add("unary", unary);
  add("derivative", derivative);
  add("binary", binary);
  add("compare", compare);
  add("where", where);
  add("read", read);
  add("write", write);
  add("reduce", reduce);
  add("matmul", matmul);
  add("argReduce", argReduce);
  add("cumsum", cumsum);
  add("gather", gather);
  add("scatterAdd", scatterAdd);
  add("softmax", softmax);
  add("softmaxVjp", softmaxVjp);
  add("crossEntropy", crossEntropy);
  add("crossEntropyVjp", crossEntropyVjp);
  add("squaredDistances", squaredDistances);
  add("csrProduct", csrProduct);
  add("convolution", convolution);
  add("maxPool", maxPool);
  add("channelSums", channelSums);
  add("moments", moments);
  add("normalize", normalize);
  add("normalizeVjp", normalizeVjp);
  exports.Set("tensor", room);
}

}  // namespace extrema
