#include "transport/barycenter.h"

#include "binding/arguments.h"
#include "binding/jobs.h"
#include "binding/transport.h"
#include "transport/projection.h"

namespace extrema {

namespace {

// (job, wantsProgress, timeLimit, [epsilon, debiased, plain, tolerance, maxIterations, threads], sizes,
// steps, costs[], histograms, weights, barycenter, f, g, report) sizes, steps, costs: of each axis.
Napi::Value barycenter(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  const Doubles sizes = float64s(info[4]), steps = float64s(info[5]);
  const auto costs = info[6].As<Napi::Array>();
  transport::Barycenter problem;
  problem.epsilon = parameters[0];
  problem.debiased = parameters[1] != 0;
  problem.plain = parameters[2] != 0;
  problem.tolerance = parameters[3];
  problem.maxIterations = parameters[4];
  problem.threads = static_cast<unsigned>(parameters[5]);
  for (uint32_t axis = 0; axis < sizes.size; axis++) {
    const size_t n = static_cast<size_t>(sizes.data[axis]);
    const auto step = static_cast<ptrdiff_t>(steps.data[axis]);
    const double* cost = float64s(costs.Get(axis)).data;
    problem.axes.push_back({n, step < 0 ? cost + (n - 1) : cost, step});
  }
  problem.histograms = float64s(info[7]).data;
  const Doubles weights = float64s(info[8]);
  problem.count = weights.size;
  problem.weights = weights.data;
  problem.barycenter = float64s(info[9]).data;
  problem.f = float64s(info[10]).data;
  problem.g = float64s(info[11]).data;
  problem.report = float64s(info[12]).data;
  return launch(info, [=](Monitor& monitor) { transport::barycenter(problem, monitor); });
}

// (job, wantsProgress, timeLimit, [n, m, d, metric, epsilon, threads, columns], x, y, g, values, out)
Napi::Value projection(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  transport::Projection projection;
  transport::Problem& problem = projection.problem;
  problem.n = static_cast<size_t>(parameters[0]);
  problem.m = static_cast<size_t>(parameters[1]);
  problem.d = static_cast<size_t>(parameters[2]);
  problem.metric = static_cast<transport::Metric>(static_cast<int>(parameters[3]));
  problem.epsilon = parameters[4];
  projection.threads = static_cast<unsigned>(parameters[5]);
  projection.columns = static_cast<size_t>(parameters[6]);
  const Floats x = floats(info[4]), y = floats(info[5]);
  problem.x64 = x.as64;
  problem.x32 = x.as32;
  problem.y64 = y.as64;
  problem.y32 = y.as32;
  projection.g = float64s(info[6]).data;
  projection.values = float64s(info[7]).data;
  projection.out = float64s(info[8]).data;
  return launch(info, [=](Monitor& monitor) { transport::project(projection, monitor); });
}

}  // namespace

void exportBarycenter(Napi::Env env, Napi::Object room) {
  room.Set("barycenter", Napi::Function::New(env, barycenter, "barycenter"));
  room.Set("projection", Napi::Function::New(env, projection, "projection"));
}

}  // namespace extrema
