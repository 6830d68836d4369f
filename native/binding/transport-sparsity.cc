#include <algorithm>

#include "binding/jobs.h"
#include "binding/transport-arguments.h"
#include "binding/transport.h"
#include "transport/sparsity.h"

namespace extrema {

namespace {

// The numbers of a call, laid out as in lib/backend/native/transport-sparsity.ts.
enum Parameter : size_t {
  kCost,
  kByRows = 4,
  kMaxNonzeros,
  kGamma,
  kEntropy,
  kDual,
  kMethod,
  kContinuation,
  kTolerance,
  kMaxIterations,
  kLearningRate,
  kBatchSize,
  kSeedLow,
  kSeedHigh,
  kThreads,
};

transport::SparsityOptions readOptions(const double* p) {
  transport::SparsityOptions options;
  options.byRows = p[kByRows] != 0;
  options.maxNonzeros = static_cast<size_t>(p[kMaxNonzeros]);
  options.gamma = p[kGamma];
  options.entropy = p[kEntropy] != 0;
  options.dual = p[kDual] != 0;
  options.method = static_cast<transport::SparsityMethod>(static_cast<int>(p[kMethod]));
  options.continuation = static_cast<transport::Continuation>(static_cast<int>(p[kContinuation]));
  options.tolerance = p[kTolerance];
  options.maxIterations = p[kMaxIterations];
  options.learningRate = p[kLearningRate];
  options.batchSize = static_cast<size_t>(p[kBatchSize]);
  options.seed[0] = static_cast<uint32_t>(p[kSeedLow]);
  options.seed[1] = static_cast<uint32_t>(p[kSeedHigh]);
  options.threads = static_cast<unsigned>(p[kThreads]);
  return options;
}

transport::Problem readProblem(const Napi::CallbackInfo& info, const double* parameters) {
  transport::Problem problem = readCost(parameters + kCost, info[4], info[5]);
  problem.a = float64s(info[6]).data;
  problem.b = float64s(info[7]).data;
  return problem;
}

// (job, wantsProgress, timeLimit, parameters, x, y, a, b, f, g, nonzeros, ties, cut, report, stages)
Napi::Value sparsityConstrained(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  const transport::Problem problem = readProblem(info, parameters);
  const transport::SparsityOptions options = readOptions(parameters);
  transport::SparsityResult result;
  result.f = float64s(info[8]).data;
  result.g = float64s(info[9]).data;
  result.nonzeros = int32s(info[10]).data;
  result.ties = int32s(info[11]).data;
  result.cut = float64s(info[12]).data;
  double* out = float64s(info[13]).data;
  const Doubles stages = float64s(info[14]);
  result.stages = stages.data;
  result.mostStages = stages.size / transport::kStageFields;
  return launch(info, [=](Monitor& monitor) {
    transport::SparsityReport report;
    transport::sparsityConstrained(problem, options, result, report, monitor);
    const double fields[] = {static_cast<double>(report.status),
                             report.iterations,
                             report.passes,
                             report.stages,
                             report.gamma,
                             report.value,
                             report.primal,
                             report.dual,
                             report.rowError,
                             report.columnError,
                             report.tied};
    std::copy(std::begin(fields), std::end(fields), out);
  });
}

// (job, wantsProgress, timeLimit, parameters, x, y, a, b, f, g, cut, withTies, indptr, indices, data,
// costs)
Napi::Value sparsityPlan(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  const transport::Problem problem = readProblem(info, parameters);
  const transport::SparsityOptions options = readOptions(parameters);
  const double *f = float64s(info[8]).data, *g = float64s(info[9]).data, *cut = float64s(info[10]).data;
  const bool withTies = info[11].As<Napi::Boolean>().Value();
  const int32_t* start = int32s(info[12]).data;
  int32_t* index = int32s(info[13]).data;
  double *data = float64s(info[14]).data, *costs = float64s(info[15]).data;
  return launch(info, [=](Monitor& monitor) {
    transport::readSparsityPlan(problem, options, f, g, cut, withTies, start, index, data, costs, monitor);
  });
}

// (job, wantsProgress, timeLimit, parameters, x, y, u, v, out)
Napi::Value costProduct(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  const transport::Problem problem = readCost(parameters, info[4], info[5]);
  const unsigned threads = static_cast<unsigned>(parameters[4]);
  const double *u = float64s(info[6]).data, *v = float64s(info[7]).data;
  double* out = float64s(info[8]).data;
  return launch(info,
                [=](Monitor& monitor) { out[0] = transport::costProduct(problem, threads, u, v, monitor); });
}

}  // namespace

void exportSparsity(Napi::Env env, Napi::Object room) {
  room.Set("sparsityConstrained", Napi::Function::New(env, sparsityConstrained, "sparsityConstrained"));
  room.Set("sparsityPlan", Napi::Function::New(env, sparsityPlan, "sparsityPlan"));
  room.Set("costProduct", Napi::Function::New(env, costProduct, "costProduct"));
}

}  // namespace extrema
