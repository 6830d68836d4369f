#include "binding/moe.h"

#include "binding/arguments.h"
#include "binding/jobs.h"
#include "moe/routing.h"

namespace extrema {

namespace {

// (job, wantsProgress, timeLimit, parameters, scores, capacity, choices, prices, report), laid out as in
// lib/backend/native/moe.ts
enum Parameter : size_t { kTokens, kExperts, kK, kPartial, kSubgradient, kMaxIterations };

struct Call {
  explicit Call(const Napi::CallbackInfo& info)
      : parameters(float64s(info[3]).data),
        choices(int32s(info[6]).data),
        prices(float64s(info[7]).data),
        out(float64s(info[8]).data) {
    routing.tokens = static_cast<size_t>(parameters[kTokens]);
    routing.experts = static_cast<size_t>(parameters[kExperts]);
    routing.k = static_cast<size_t>(parameters[kK]);
    routing.partial = parameters[kPartial] != 0;
    routing.scores = float64s(info[4]).data;
    routing.capacity = int32s(info[5]).data;
  }

  void write(const moe::RoutingReport& report) const {
    out[0] = static_cast<double>(report.ended);
    out[1] = report.sweeps;
    out[2] = report.augmentations;
    out[3] = report.value;
    out[4] = report.bound;
  }

  moe::Routing routing;
  const double* parameters;
  int32_t* choices;
  double *prices, *out;
};

Napi::Value route(const Napi::CallbackInfo& info) {
  const Call call(info);
  return launch(info, [call](Monitor& monitor) {
    moe::RoutingReport report;
    moe::route(call.routing, call.choices, call.prices, report, monitor);
    call.write(report);
  });
}

Napi::Value prices(const Napi::CallbackInfo& info) {
  const Call call(info);
  const bool subgradient = call.parameters[kSubgradient] != 0;
  const double maxIterations = call.parameters[kMaxIterations];
  return launch(info, [call, subgradient, maxIterations](Monitor& monitor) {
    moe::RoutingReport report;
    moe::findPrices(call.routing, subgradient, maxIterations, call.choices, call.prices, report, monitor);
    call.write(report);
  });
}

}  // namespace

void exportMoe(Napi::Env env, Napi::Object exports) {
  Napi::Object room = Napi::Object::New(env);
  room.Set("route", Napi::Function::New(env, route, "route"));
  room.Set("prices", Napi::Function::New(env, prices, "prices"));
  exports.Set("moe", room);
}

}  // namespace extrema
