#include "binding/jobs.h"
#include "binding/transport-arguments.h"
#include "binding/transport.h"
#include "transport/partial.h"
#include "transport/unbalanced.h"

namespace extrema {

namespace {

// The numbers of a call, laid out as in lib/backend/native/transport-relaxed.ts.
using namespace entropic;
enum Parameter : size_t {
  kCertificate = kOwn,
  kPenaltyA,
  kPenaltyB,
  kProductReference,
  kDivergence,
  kMass = kPenaltyA,
};

transport::Options readOptions(const double* p) {
  transport::Options options = readLimits(p);
  options.certificate = p[kCertificate] != 0;
  return options;
}

// Fields of a report beyond those of every solver.
enum ReportField : size_t { kDualValue = kReportLength, kGap, kMovedMass, kTranslation };

// (job, wantsProgress, timeLimit, parameters, x, y, a, b, f, g, rowSum, columnSum, report, history)
Napi::Value unbalanced(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  transport::Problem problem = readEntropicProblem(parameters, info[4], info[5]);
  problem.penaltyA = parameters[kPenaltyA];
  problem.penaltyB = parameters[kPenaltyB];
  problem.productReference = parameters[kProductReference] != 0;
  problem.divergence = static_cast<transport::Divergence>(parameters[kDivergence]);
  problem.a = float64s(info[6]).data;
  problem.b = float64s(info[7]).data;
  const transport::Options options = readOptions(parameters);
  double *f = float64s(info[8]).data, *g = float64s(info[9]).data;
  double *rowSum = float64s(info[10]).data, *columnSum = float64s(info[11]).data;
  double* out = float64s(info[12]).data;
  const Doubles kept = float64s(info[13]);
  return launch(info, [=](Monitor& monitor) {
    transport::UnbalancedReport report;
    transport::History history(kept.data, kept.size);
    transport::unbalanced(problem, options, f, g, rowSum, columnSum, report, history, monitor);
    writeReport(report, history.count(), out);
    out[kDualValue] = report.dualValue;
    out[kGap] = report.gap;
    out[kMovedMass] = report.mass;
    out[kTranslation] = report.translation;
  });
}

// (job, wantsProgress, timeLimit, parameters, x, y, a, b, f, g, price, rowSum, columnSum, report, history)
Napi::Value partial(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  transport::Problem problem = readEntropicProblem(parameters, info[4], info[5]);
  problem.a = float64s(info[6]).data;
  problem.b = float64s(info[7]).data;
  const double mass = parameters[kMass];
  const transport::Options options = readOptions(parameters);
  double *f = float64s(info[8]).data, *g = float64s(info[9]).data, *price = float64s(info[10]).data;
  double *rowSum = float64s(info[11]).data, *columnSum = float64s(info[12]).data;
  double* out = float64s(info[13]).data;
  const Doubles kept = float64s(info[14]);
  return launch(info, [=](Monitor& monitor) {
    transport::PartialReport report;
    transport::History history(kept.data, kept.size);
    transport::partial(problem, mass, options, f, g, price, rowSum, columnSum, report, history, monitor);
    writeReport(report, history.count(), out);
    out[kMovedMass] = report.mass;
  });
}

}  // namespace

void exportRelaxedTransport(Napi::Env env, Napi::Object room) {
  room.Set("unbalanced", Napi::Function::New(env, unbalanced, "unbalanced"));
  room.Set("partial", Napi::Function::New(env, partial, "partial"));
}

}  // namespace extrema
