#include "binding/arguments.h"
#include "binding/jobs.h"
#include "binding/transport.h"
#include "transport/cloud-order.h"

namespace extrema {

namespace {

// (job, wantsProgress, timeLimit, [n, d], points, order)
Napi::Value cloudOrder(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  const size_t n = static_cast<size_t>(parameters[0]), d = static_cast<size_t>(parameters[1]);
  const double* points = float64s(info[4]).data;
  int32_t* order = int32s(info[5]).data;
  return launch(info, [=](Monitor& monitor) { transport::cloudOrder(points, n, d, order, monitor); });
}

}  // namespace

void exportCloudOrder(Napi::Env env, Napi::Object room) {
  room.Set("cloudOrder", Napi::Function::New(env, cloudOrder, "cloudOrder"));
}

}  // namespace extrema
