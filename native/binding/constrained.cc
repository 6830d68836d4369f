#include "binding/constrained.h"

#include "binding/arguments.h"
#include "binding/jobs.h"
#include "constrained/factor.h"
#include "constrained/sketch-solve.h"

namespace extrema {

namespace {

using constrained::System;

// (job, wantsProgress, timeLimit, parameters, data, indptr, indices, …, z, report), laid out as in
// lib/backend/native/constrained.ts; the parameters begin with rows and columns.
System systemOf(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  System a;
  a.rows = static_cast<size_t>(parameters[0]);
  a.columns = static_cast<size_t>(parameters[1]);
  a.data = float64s(info[4]).data;
  a.indptr = int32s(info[5]).data;
  a.indices = int32s(info[6]).data;
  return a;
}

// Three arguments from `first` on, null without blocks: offsets, rows, and the arrays of each factor.
constrained::FactoredBlocks blocksOf(const Napi::CallbackInfo& info, size_t first) {
  constrained::FactoredBlocks blocks;
  blocks.offsets = int32s(info[first]).data;
  blocks.rows = int32s(info[first + 1]).data;
  if (!info[first + 2].IsArray()) return blocks;
  const auto all = info[first + 2].As<Napi::Array>();
  for (uint32_t p = 0; p < all.Length(); p++) {
    const Napi::HandleScope scope(info.Env());
    const auto arrays = all.Get(p).As<Napi::Array>();
    linear::Factor factor;
    const Int32s order = int32s(arrays.Get(0u));
    factor.n = order.size;
    factor.order = order.data;
    factor.parent = int32s(arrays.Get(1u)).data;
    factor.indptr = int32s(arrays.Get(2u)).data;
    factor.indices = int32s(arrays.Get(3u)).data;
    factor.data = float64s(arrays.Get(4u)).data;
    factor.diagonal = float64s(arrays.Get(5u)).data;
    blocks.factors.push_back(factor);
  }
  return blocks;
}

Napi::Value sketchSolve(const Napi::CallbackInfo& info) {
  const System a = systemOf(info);
  const double* parameters = float64s(info[3]).data;
  constrained::SketchSettings settings;
  settings.sketch = static_cast<constrained::Sketch>(static_cast<int>(parameters[2]));
  settings.blockSize = static_cast<size_t>(parameters[3]);
  settings.byNorm = parameters[4] != 0;
  settings.maxSketches = parameters[5];
  settings.threshold = parameters[6];
  settings.coarse = parameters[7];
  settings.descentBound = parameters[8];
  settings.drawn = static_cast<uint64_t>(parameters[9]);
  settings.threads = static_cast<unsigned>(parameters[10]);
  settings.rounding = parameters[11];
  settings.key = typedView<uint32_t>(info[9], napi_uint32_array, "expected a Uint32Array").data;
  const double *b = float64s(info[7]).data, *descent = float64s(info[8]).data;
  double *z = float64s(info[10]).data, *out = float64s(info[11]).data;
  settings.blocks = blocksOf(info, 12);
  return launch(info, [=](Monitor& monitor) {
    constrained::SketchReport report;
    constrained::sketchSolve(a, b, descent, settings, z, report, monitor);
    out[0] = static_cast<double>(report.ended);
    out[1] = report.sketches;
    out[2] = report.residual;
    out[3] = report.rows;
    out[4] = report.flops;
  });
}

Napi::Value factor(const Napi::CallbackInfo& info) {
  const System a = systemOf(info);
  const double* parameters = float64s(info[3]).data;
  constrained::FactorSettings settings;
  settings.order = int32s(info[7]).data;
  settings.positive = static_cast<size_t>(parameters[2]);
  settings.floor = parameters[3];
  const double* b = float64s(info[8]).data;
  double *z = float64s(info[9]).data, *out = float64s(info[10]).data;
  return launch(info, [=](Monitor& monitor) {
    constrained::FactorReport report;
    constrained::factor(a, settings, b, z, report, monitor);
    out[0] = static_cast<double>(report.ended);
    out[1] = report.positive;
    out[2] = report.negative;
    out[3] = report.residual;
    out[4] = report.flops;
    out[5] = report.replaced;
  });
}

}  // namespace

void exportConstrained(Napi::Env env, Napi::Object exports) {
  Napi::Object room = Napi::Object::New(env);
  room.Set("sketchSolve", Napi::Function::New(env, sketchSolve, "sketchSolve"));
  room.Set("factor", Napi::Function::New(env, factor, "factor"));
  exports.Set("constrained", room);
}

}  // namespace extrema
