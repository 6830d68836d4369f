#include "transport/assignment.h"

#include "binding/arguments.h"
#include "binding/jobs.h"
#include "binding/transport.h"

namespace extrema {

namespace {

// (job, wantsProgress, timeLimit, [n, m, maximize], cost, columns, f, g, report)
Napi::Value assignment(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  const Floats cost = floats(info[4]);
  transport::AssignmentProblem problem;
  problem.n = static_cast<size_t>(parameters[0]);
  problem.m = static_cast<size_t>(parameters[1]);
  problem.maximize = parameters[2] != 0;
  problem.cost64 = cost.as64;
  problem.cost32 = cost.as32;
  int32_t* columns = int32s(info[5]).data;
  double *f = float64s(info[6]).data, *g = float64s(info[7]).data, *out = float64s(info[8]).data;
  return launch(info, [=](Monitor& monitor) {
    transport::AssignmentReport report;
    transport::assignment(problem, columns, f, g, report, monitor);
    out[0] = report.timeLimit;
    out[1] = report.searches;
    out[2] = report.primal;
    out[3] = report.dual;
  });
}

}  // namespace

void exportAssignment(Napi::Env env, Napi::Object room) {
  room.Set("assignment", Napi::Function::New(env, assignment, "assignment"));
}

}  // namespace extrema
