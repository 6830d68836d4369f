#include "transport/line.h"

#include "binding/arguments.h"
#include "binding/jobs.h"
#include "binding/transport.h"

namespace extrema {

namespace {

// (job, wantsProgress, timeLimit, order, x, y, a, b, f, g, rows, columns, mass, report)
Napi::Value wasserstein1d(const Napi::CallbackInfo& info) {
  const double order = info[3].As<Napi::Number>().DoubleValue();
  const Doubles x = float64s(info[4]), y = float64s(info[5]);
  const double *a = float64s(info[6]).data, *b = float64s(info[7]).data;
  transport::LinePlan plan;
  plan.f = float64s(info[8]).data;
  plan.g = float64s(info[9]).data;
  plan.row = int32s(info[10]).data;
  plan.column = int32s(info[11]).data;
  plan.mass = float64s(info[12]).data;
  double* report = float64s(info[13]).data;
  return launch(info, [=](Monitor& monitor) {
    report[0] = transport::wasserstein1d(x.data, a, x.size, y.data, b, y.size, order, plan, monitor);
  });
}

// (job, wantsProgress, timeLimit, [d, order, threads], x, y, a, b, directions, values, gradientX, gradientY,
// report)
Napi::Value slicedWasserstein(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  const Doubles x = float64s(info[4]), y = float64s(info[5]), directions = float64s(info[8]);
  transport::Sliced sliced;
  sliced.d = static_cast<size_t>(parameters[0]);
  sliced.order = parameters[1];
  sliced.threads = static_cast<unsigned>(parameters[2]);
  sliced.n = x.size / sliced.d;
  sliced.m = y.size / sliced.d;
  sliced.count = directions.size / sliced.d;
  sliced.x = x.data;
  sliced.y = y.data;
  sliced.a = float64s(info[6]).data;
  sliced.b = float64s(info[7]).data;
  sliced.directions = directions.data;
  sliced.values = float64s(info[9]).data;
  sliced.gradientX = float64s(info[10]).data;
  sliced.gradientY = float64s(info[11]).data;
  double* report = float64s(info[12]).data;
  return launch(info, [=](Monitor& monitor) {
    report[0] = static_cast<double>(transport::slicedWasserstein(sliced, monitor));
  });
}

}  // namespace

void exportLine(Napi::Env env, Napi::Object room) {
  room.Set("wasserstein1d", Napi::Function::New(env, wasserstein1d, "wasserstein1d"));
  room.Set("slicedWasserstein", Napi::Function::New(env, slicedWasserstein, "slicedWasserstein"));
}

}  // namespace extrema
