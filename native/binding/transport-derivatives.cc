#include <algorithm>

#include "binding/jobs.h"
#include "binding/transport-arguments.h"
#include "binding/transport.h"
#include "transport/derivatives.h"
#include "transport/symmetric.h"

namespace extrema {

namespace {

// The numbers of a call, laid out as in lib/backend/native/transport-derivatives.ts.
using namespace entropic;
enum Parameter : size_t {
  kRank = kOwn,
  kBorderRow,
  kBorderColumn,
  kTranspose = kTolerance,
};

// (dense) or (left, right), or nulls
transport::PlanWeight readWeight(const double* p, const Napi::Value& dense, const Napi::Value& left,
                                 const Napi::Value& right) {
  transport::PlanWeight weight;
  weight.dense = float64s(dense).data;
  weight.left = float64s(left).data;
  weight.right = float64s(right).data;
  weight.rank = static_cast<size_t>(p[kRank]);
  return weight;
}

// (job, wantsProgress, timeLimit, parameters, x, y, a, f, report, name)
Napi::Value symmetric(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  transport::Problem problem = readEntropicProblem(parameters, info[4], info[5]);
  problem.a = problem.b = float64s(info[6]).data;
  const transport::Options options = readLimits(parameters);
  double *f = float64s(info[7]).data, *out = float64s(info[8]).data;
  const std::string name = info[9].As<Napi::String>().Utf8Value();
  return launch(info, [=](Monitor& monitor) {
    transport::Report report;
    transport::symmetricSinkhorn(problem, options, name.c_str(), f, report, monitor);
    const double fields[] = {static_cast<double>(report.status),
                             report.iterations,
                             report.newtonIterations,
                             report.passes,
                             report.marginalError,
                             report.value,
                             report.regularizedValue};
    std::copy(std::begin(fields), std::end(fields), out);
  });
}

// (job, wantsProgress, timeLimit, parameters, x, y, potential, out)
Napi::Value softTransform(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  const transport::Problem problem = readEntropicProblem(parameters, info[4], info[5]);
  const unsigned threads = static_cast<unsigned>(parameters[kThreads]);
  const bool transpose = parameters[kTranspose] != 0;
  const double* potential = float64s(info[6]).data;
  double* out = float64s(info[7]).data;
  return launch(info, [=](Monitor& monitor) {
    transport::softTransform(problem, threads, transpose, potential, out, monitor);
  });
}

// (job, wantsProgress, timeLimit, parameters, x, y, f, g, alpha, beta, dense, left, right, out)
Napi::Value pointGradient(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  const transport::Problem problem = readEntropicProblem(parameters, info[4], info[5]);
  const unsigned threads = static_cast<unsigned>(parameters[kThreads]);
  const double *f = float64s(info[6]).data, *g = float64s(info[7]).data;
  const double *alpha = float64s(info[8]).data, *beta = float64s(info[9]).data;
  const transport::PlanWeight weight = readWeight(parameters, info[10], info[11], info[12]);
  double* out = float64s(info[13]).data;
  return launch(info, [=](Monitor& monitor) {
    transport::pointGradient(problem, threads, f, g, alpha, beta, weight, out, monitor);
  });
}

// (job, wantsProgress, timeLimit, parameters, x, y, a, b, f, g, bendA, bendB, dense, left, right, u, v,
// costGradient, report)
Napi::Value planVjp(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  transport::Problem problem = readEntropicProblem(parameters, info[4], info[5]);
  problem.borderRow = parameters[kBorderRow] != 0;
  problem.borderColumn = parameters[kBorderColumn] != 0;
  problem.a = float64s(info[6]).data;
  problem.b = float64s(info[7]).data;
  const transport::Options options = readLimits(parameters);
  const double *f = float64s(info[8]).data, *g = float64s(info[9]).data;
  const double *bendA = float64s(info[10]).data, *bendB = float64s(info[11]).data;
  const transport::PlanWeight weight = readWeight(parameters, info[12], info[13], info[14]);
  double *u = float64s(info[15]).data, *v = float64s(info[16]).data;
  double *costGradient = float64s(info[17]).data, *out = float64s(info[18]).data;
  return launch(info, [=](Monitor& monitor) {
    transport::VjpReport report;
    transport::planVjp(problem, options, f, g, bendA, bendB, weight, u, v, costGradient, report, monitor);
    const double fields[] = {static_cast<double>(report.status), report.iterations, report.residual};
    std::copy(std::begin(fields), std::end(fields), out);
  });
}

}  // namespace

void exportTransportDerivatives(Napi::Env env, Napi::Object room) {
  const auto add = [&](const char* name, auto function) {
    room.Set(name, Napi::Function::New(env, function, name));
  };
  add("symmetric", symmetric);
  add("softTransform", softTransform);
  add("pointGradient", pointGradient);
  add("planVjp", planVjp);
}

}  // namespace extrema
