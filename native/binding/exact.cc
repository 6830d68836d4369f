#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "binding/jobs.h"
#include "binding/transport-arguments.h"
#include "binding/transport.h"
#include "core/error.h"
#include "core/team.h"
#include "transport/network-simplex.h"

namespace extrema {

namespace {

using transport::ArcList;
using transport::ExactOptions;
using transport::ExactPlan;
using transport::ExactProblem;
using transport::ExactReport;

// As laid out in lib/backend/native/exact.ts.
enum Parameter : size_t { kThreads, kTolerance, kMaxIterations, kWarm };
constexpr size_t kShape = 6;  // n, m, d, metric, border row, border column of a problem
constexpr size_t kExactReportLength = 9;

// What of a call belongs to one problem.
struct Item {
  transport::Problem problem;
  ArcList arcs;  // start: null if it has none
  double *f, *g;
  ExactPlan plan;
  double* report;
};

// A matrix or points in x and y, or arcs in starts, columns and x.
void readItem(Item& item, const double* shape, const Napi::Value& x, const Napi::Value& y,
              const Napi::Value& starts, const Napi::Value& columns) {
  item.arcs.start = int32s(starts).data;
  if (item.arcs.start != nullptr) {
    item.problem.n = static_cast<size_t>(shape[0]);
    item.problem.m = static_cast<size_t>(shape[1]);
    item.arcs.column = int32s(columns).data;
    item.arcs.cost = float64s(x).data;
  } else {
    item.problem = readCost(shape, x, y);
  }
  item.problem.borderRow = shape[4] != 0;
  item.problem.borderColumn = shape[5] != 0;
}

ExactOptions readOptions(const double* p) {
  ExactOptions options;
  options.threads = static_cast<unsigned>(p[kThreads]);
  options.tolerance = p[kTolerance];
  options.maxIterations = p[kMaxIterations];
  options.warm = p[kWarm] != 0;
  return options;
}

void solve(const Item& item, const ExactOptions& options, Monitor& monitor) {
  const ExactProblem problem{item.problem, item.arcs.start != nullptr ? &item.arcs : nullptr};
  ExactReport report;
  transport::networkSimplex(problem, options, item.f, item.g, item.plan, report, monitor);
  const double fields[kExactReportLength] = {static_cast<double>(report.status),
                                             report.iterations,
                                             report.rounds,
                                             report.entries,
                                             report.marginalError,
                                             report.value,
                                             report.primal,
                                             report.dual,
                                             report.residual};
  std::copy_n(fields, kExactReportLength, item.report);
}

// (job, wantsProgress, timeLimit, parameters, shape, x, y, starts, columns, a, b, f, g, row, column, mass,
// report)
Napi::Value emd(const Napi::CallbackInfo& info) {
  const ExactOptions options = readOptions(float64s(info[3]).data);
  Item item;
  readItem(item, float64s(info[4]).data, info[5], info[6], info[7], info[8]);
  item.problem.a = float64s(info[9]).data;
  item.problem.b = float64s(info[10]).data;
  item.f = float64s(info[11]).data;
  item.g = float64s(info[12]).data;
  item.plan = {int32s(info[13]).data, int32s(info[14]).data, float64s(info[15]).data};
  item.report = float64s(info[16]).data;
  return launch(info, [=](Monitor& monitor) { solve(item, options, monitor); });
}

void solveAll(const std::vector<Item>& items, ExactOptions options, Monitor& monitor) {
  // Items go in groups, so that no batch is too long for the team's counter.
  const size_t group = std::max<size_t>(1, items.size() / 100000);
  const uint32_t chunks = static_cast<uint32_t>((items.size() + group - 1) / group);
  Team team(options.threads, monitor);
  options.threads = 1;
  std::mutex mutex;
  Failure failure;
  size_t failed = items.size();
  std::atomic<size_t> done{0};
  team.run(chunks, [&](uint32_t chunk, unsigned worker) {
    const size_t end = std::min(items.size(), (chunk + size_t{1}) * group);
    for (size_t k = chunk * group; k < end && !monitor.cancelled(); k++) {
      try {
        Monitor part(&monitor);
        solve(items[k], options, part);
      } catch (...) {
        const Failure reason = describeCurrentException();
        std::lock_guard<std::mutex> lock(mutex);
        if (k < failed) failure = {reason.code, "problems[" + std::to_string(k) + "]." + reason.message};
        failed = std::min(failed, k);
      }
      const size_t count = done.fetch_add(1) + 1;
      if (worker == 0)
        monitor.progress(static_cast<double>(count), static_cast<double>(items.size() - count));
    }
  });
  if (failure.code != nullptr) throw Error(failure.code, failure.message);
}

// (job, wantsProgress, timeLimit, parameters, shapes, x[], y[], starts[], columns[], a, b, f, g, row, column,
// mass, reports)
// From shapes on those of all problems, one behind the other; of a plan n + m - 1 entries.
Napi::Value emdBatch(const Napi::CallbackInfo& info) {
  const ExactOptions options = readOptions(float64s(info[3]).data);
  const Doubles shapes = float64s(info[4]);
  const auto x = info[5].As<Napi::Array>(), y = info[6].As<Napi::Array>();
  const auto starts = info[7].As<Napi::Array>(), columns = info[8].As<Napi::Array>();
  const double *a = float64s(info[9]).data, *b = float64s(info[10]).data;
  double *f = float64s(info[11]).data, *g = float64s(info[12]).data;
  ExactPlan plan{int32s(info[13]).data, int32s(info[14]).data, float64s(info[15]).data};
  double* reports = float64s(info[16]).data;
  std::vector<Item> items(shapes.size / kShape);
  for (uint32_t k = 0; k < items.size(); k++) {
    Napi::HandleScope scope(info.Env());
    Item& item = items[k];
    readItem(item, shapes.data + kShape * size_t{k}, x.Get(k), y.Get(k), starts.Get(k), columns.Get(k));
    const size_t n = item.problem.n, m = item.problem.m;
    item.problem.a = a;
    item.problem.b = b;
    item.f = f;
    item.g = g;
    item.plan = plan;
    item.report = reports + k * kExactReportLength;
    a += n;
    b += m;
    f += n;
    g += m;
    plan.row += n + m - 1;
    plan.column += n + m - 1;
    plan.mass += n + m - 1;
  }
  return launch(info,
                [items = std::move(items), options](Monitor& monitor) { solveAll(items, options, monitor); });
}

}  // namespace

void exportExact(Napi::Env env, Napi::Object room) {
  room.Set("emd", Napi::Function::New(env, emd, "emd"));
  room.Set("emdBatch", Napi::Function::New(env, emdBatch, "emdBatch"));
}

}  // namespace extrema
