#include "binding/transport.h"

#include <algorithm>
#include <string>

#include "binding/jobs.h"
#include "binding/transport-arguments.h"
#include "core/error.h"
#include "transport/plan.h"
#include "transport/solve.h"

namespace extrema {

namespace {

using transport::Metric;
using transport::Options;
using transport::Problem;

using Solver = void (*)(const Problem&, const Options&, double*, double*, transport::Report&,
                        transport::History&, Monitor&);

// The numbers of a call come in one array, laid out as in lib/backend/native/transport.ts.
using namespace entropic;
enum Parameter : size_t {
  kMetric = 3,
  kFloat32 = kOwn,
  kCertificate,
  kPaper,
  kSinkhornIterations,
  kSparsity,
  kAnderson,
  kTruncated,
  kTranspose = kTolerance,
  kThreshold = kTolerance,
};

Options readOptions(const double* p) {
  Options options = readLimits(p);
  options.float32 = p[kFloat32] != 0;
  options.certificate = p[kCertificate] != 0;
  options.paper = p[kPaper] != 0;
  options.sinkhornIterations = p[kSinkhornIterations];
  options.sparsity = p[kSparsity];
  options.anderson = p[kAnderson] != 0;
  options.truncated = p[kTruncated] != 0;
  return options;
}

// (job, wantsProgress, timeLimit, parameters, x, y, a, b, f, g, report, history)
template <Solver kSolve>
Napi::Value solve(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  Problem problem = readEntropicProblem(parameters, info[4], info[5]);
  problem.a = float64s(info[6]).data;
  problem.b = float64s(info[7]).data;
  const Options options = readOptions(parameters);
  double* f = float64s(info[8]).data;
  double* g = float64s(info[9]).data;
  double* out = float64s(info[10]).data;
  const Doubles kept = float64s(info[11]);
  return launch(info, [=](Monitor& monitor) {
    transport::Report report;
    transport::History history(kept.data, kept.size);
    kSolve(problem, options, f, g, report, history, monitor);
    writeReport(report, history.count(), out);
  });
}

struct BatchItem {
  Problem problem;
  double *f, *g, *report;
};

void solveBatch(Solver solver, const std::vector<BatchItem>& items, Options options, Monitor& monitor) {
  // Items go in groups, so that no batch is too long for the team's counter.
  const size_t group = std::max<size_t>(1, items.size() / 100000);
  const uint32_t chunks = static_cast<uint32_t>((items.size() + group - 1) / group);
  Team team(options.threads, monitor);
  options.threads = 1;
  std::mutex mutex;
  Failure failure;
  std::atomic<size_t> done{0};
  team.run(chunks, [&](uint32_t chunk, unsigned worker) {
    const size_t end = std::min(items.size(), (chunk + size_t{1}) * group);
    for (size_t k = chunk * group; k < end && !monitor.cancelled(); k++) {
      const BatchItem& item = items[k];
      transport::Report report;
      transport::History history(nullptr, 0);
      try {
        Monitor part(&monitor);
        solver(item.problem, options, item.f, item.g, report, history, part);
        writeReport(report, 0, item.report);
      } catch (...) {
        const Failure reason = describeCurrentException();
        std::lock_guard<std::mutex> lock(mutex);
        if (failure.code == nullptr)
          failure = {reason.code, "problems[" + std::to_string(k) + "]." + reason.message};
      }
      const size_t count = done.fetch_add(1) + 1;
      if (worker == 0)
        monitor.progress(static_cast<double>(count), static_cast<double>(items.size() - count));
    }
  });
  if (failure.code != nullptr) throw Error(failure.code, failure.message);
}

// (job, wantsProgress, timeLimit, parameters, newton, shapes, x[], y[], a, b, f, g, reports)
// shapes: n, m, d, metric of each problem; a, b, f, g, reports: those of all problems, one behind the other.
Napi::Value batch(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  const Solver solver =
      info[4].As<Napi::Boolean>().Value() ? transport::sinkhornNewtonSparse : transport::sinkhorn;
  const Doubles shapes = float64s(info[5]);
  const auto x = info[6].As<Napi::Array>(), y = info[7].As<Napi::Array>();
  const double *a = float64s(info[8]).data, *b = float64s(info[9]).data;
  double* f = float64s(info[10]).data;
  double* g = float64s(info[11]).data;
  double* reports = float64s(info[12]).data;
  std::vector<BatchItem> items(shapes.size / 4);
  for (uint32_t k = 0; k < items.size(); k++) {
    Napi::HandleScope scope(info.Env());
    double own[kEpsilon + 1];
    std::copy_n(shapes.data + 4 * size_t{k}, 4, own);
    own[kEpsilon] = parameters[kEpsilon];
    const bool dense = static_cast<Metric>(static_cast<int>(own[kMetric])) == Metric::dense;
    Problem problem = readEntropicProblem(own, x.Get(k), dense ? info.Env().Null() : y.Get(k));
    problem.a = a;
    problem.b = b;
    a += problem.n;
    b += problem.m;
    items[k] = {problem, f, g, reports + k * kReportLength};
    f += problem.n;
    g += problem.m;
  }
  const Options options = readOptions(parameters);
  return launch(info, [solver, items = std::move(items), options](Monitor& monitor) {
    solveBatch(solver, items, options, monitor);
  });
}

// (job, wantsProgress, timeLimit, parameters, x, y, f, g, out)
Napi::Value plan(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  const Problem problem = readEntropicProblem(parameters, info[4], info[5]);
  const unsigned threads = static_cast<unsigned>(parameters[kThreads]);
  const double *f = float64s(info[6]).data, *g = float64s(info[7]).data;
  double* out = float64s(info[8]).data;
  return launch(info, [=](Monitor& monitor) { transport::formPlan(problem, threads, f, g, out, monitor); });
}

// (job, wantsProgress, timeLimit, parameters, x, y, f, g, v, out)
Napi::Value apply(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  const Problem problem = readEntropicProblem(parameters, info[4], info[5]);
  const unsigned threads = static_cast<unsigned>(parameters[kThreads]);
  const bool transpose = parameters[kTranspose] != 0;
  const double *f = float64s(info[6]).data, *g = float64s(info[7]).data;
  const double* v = float64s(info[8]).data;
  double* out = float64s(info[9]).data;
  return launch(info, [=](Monitor& monitor) {
    transport::applyPlan(problem, threads, transpose, f, g, v, out, monitor);
  });
}

// (job, wantsProgress, timeLimit, parameters, x, y, potential, out)
Napi::Value transform(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  const Problem problem = readEntropicProblem(parameters, info[4], info[5]);
  const unsigned threads = static_cast<unsigned>(parameters[kThreads]);
  const bool transpose = parameters[kTranspose] != 0;
  const double* potential = float64s(info[6]).data;
  double* out = float64s(info[7]).data;
  return launch(info, [=](Monitor& monitor) {
    transport::costTransform(problem, threads, transpose, potential, out, monitor);
  });
}

// (parameters, x, y, f, g): [indptr, indices, data]
Napi::Value sparsePlan(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const double* parameters = float64s(info[0]).data;
    const Problem problem = readEntropicProblem(parameters, info[1], info[2]);
    Monitor monitor;
    const transport::Sparse kept =
        transport::sparsePlan(problem, static_cast<unsigned>(parameters[kThreads]), parameters[kThreshold],
                              float64s(info[3]).data, float64s(info[4]).data, monitor);
    auto indptr = Napi::Int32Array::New(env, problem.n + 1);
    auto indices = Napi::Int32Array::New(env, kept.column.size());
    auto data = Napi::Float64Array::New(env, kept.value.size());
    std::transform(kept.start.begin(), kept.start.end(), indptr.Data(),
                   [](size_t s) { return static_cast<int32_t>(s); });
    std::copy(kept.column.begin(), kept.column.end(), indices.Data());
    std::copy(kept.value.begin(), kept.value.end(), data.Data());
    Napi::Array parts = Napi::Array::New(env, 3);
    parts.Set(0u, indptr);
    parts.Set(1u, indices);
    parts.Set(2u, data);
    return parts;
  });
}

// (float32, threads, repetitions, products): nanoseconds per entry and thread
Napi::Value exponentialLimit(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    Monitor monitor;
    Team team(info[1].As<Napi::Number>().Uint32Value(), monitor);
    const int repetitions = info[2].As<Napi::Number>().Int32Value();
    const size_t products = info[3].As<Napi::Number>().Uint32Value();
    return Napi::Number::New(env, info[0].As<Napi::Boolean>().Value()
                                      ? transport::exponentialLimit<float>(team, repetitions, products)
                                      : transport::exponentialLimit<double>(team, repetitions, products));
  });
}

// (matrix, n, m, threads, repetitions): milliseconds of the fastest plain read
Napi::Value streamRead(const Napi::CallbackInfo& info) {
  const Floats data = floats(info[0]);
  const size_t n = info[1].As<Napi::Number>().Uint32Value(), m = info[2].As<Napi::Number>().Uint32Value();
  Monitor monitor;
  Team team(info[3].As<Napi::Number>().Uint32Value(), monitor);
  const int repetitions = info[4].As<Napi::Number>().Int32Value();
  return Napi::Number::New(info.Env(), data.as64 != nullptr
                                           ? transport::streamRead(team, data.as64, n, m, repetitions)
                                           : transport::streamRead(team, data.as32, n, m, repetitions));
}

}  // namespace

void exportTransport(Napi::Env env, Napi::Object exports) {
  Napi::Object room = Napi::Object::New(env);
  const auto add = [&](const char* name, auto function) {
    room.Set(name, Napi::Function::New(env, function, name));
  };
  add("sinkhorn", solve<transport::sinkhorn>);
  add("sinkhornNewtonSparse", solve<transport::sinkhornNewtonSparse>);
  add("batch", batch);
  add("plan", plan);
  add("apply", apply);
  add("transform", transform);
  add("sparsePlan", sparsePlan);
  add("streamRead", streamRead);
  add("exponentialLimit", exponentialLimit);
  exportLine(env, room);
  exportAssignment(env, room);
  exportTransportDerivatives(env, room);
  exportRelaxedTransport(env, room);
  exportLightBridge(env, room);
  exportBarycenter(env, room);
  exportSparsity(env, room);
  exportGromov(env, room);
  exportLowRank(env, room);
  exportCloudOrder(env, room);
  exportExact(env, room);
  exports.Set("transport", room);
}

}  // namespace extrema
