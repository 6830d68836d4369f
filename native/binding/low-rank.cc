#include "transport/low-rank.h"

#include "binding/arguments.h"
#include "binding/jobs.h"
#include "binding/transport.h"

namespace extrema {

namespace {

// (job, wantsProgress, timeLimit, [rank, factors, scale, epsilon, tolerance, maxIterations, threads], cost,
// u, w, a, b, q, r, g, report)
Napi::Value lowRankSinkhorn(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  transport::LowRank problem;
  problem.rank = static_cast<size_t>(parameters[0]);
  problem.factors = static_cast<size_t>(parameters[1]);
  problem.scale = parameters[2];
  problem.epsilon = parameters[3];
  problem.tolerance = parameters[4];
  problem.maxIterations = parameters[5];
  problem.threads = static_cast<unsigned>(parameters[6]);
  problem.cost = float64s(info[4]).data;
  problem.u = float64s(info[5]).data;
  problem.w = float64s(info[6]).data;
  const Doubles a = float64s(info[7]), b = float64s(info[8]);
  problem.n = a.size;
  problem.m = b.size;
  problem.a = a.data;
  problem.b = b.data;
  problem.q = float64s(info[9]).data;
  problem.r = float64s(info[10]).data;
  problem.g = float64s(info[11]).data;
  problem.report = float64s(info[12]).data;
  return launch(info, [=](Monitor& monitor) { transport::lowRankSinkhorn(problem, monitor); });
}

}  // namespace

void exportLowRank(Napi::Env env, Napi::Object room) {
  room.Set("lowRankSinkhorn", Napi::Function::New(env, lowRankSinkhorn, "lowRankSinkhorn"));
}

}  // namespace extrema
