#include <algorithm>
#include <iterator>

#include "binding/arguments.h"
#include "binding/jobs.h"
#include "binding/lowrank.h"
#include "core/team.h"
#include "lowrank/dictionary.h"

namespace extrema {

namespace {

using lowrank::Coding;
using lowrank::Samples;

// Every export takes (job, wantsProgress, timeLimit, parameters, samples, …), laid out as in
// lib/backend/native/lowrank-dictionary.ts; the parameters begin with these.
enum Parameter : size_t { kN, kRows, kShaping, kKeep, kThreshold, kScale, kThreads, kOwn };

struct Common {
  explicit Common(const Napi::CallbackInfo& info) : parameters(float64s(info[3]).data) {
    const Floats given = floats(info[4]);
    samples.as64 = given.as64;
    samples.as32 = given.as32;
    samples.n = static_cast<size_t>(parameters[kN]);
    samples.rows = static_cast<size_t>(parameters[kRows]);
    coding.shaping = static_cast<lowrank::Shaping>(static_cast<int>(parameters[kShaping]));
    coding.keep = static_cast<size_t>(parameters[kKeep]);
    coding.threshold = parameters[kThreshold];
    coding.scale = parameters[kScale];
    threads = static_cast<unsigned>(parameters[kThreads]);
  }

  const double* parameters;
  Samples samples;
  Coding coding;
  unsigned threads;
};

Napi::Value online(const Napi::CallbackInfo& info) {
  const Common common(info);
  lowrank::OnlineJob job;
  job.samples = common.samples;
  job.coding = common.coding;
  job.threads = common.threads;
  job.batch = static_cast<size_t>(common.parameters[kOwn]);
  job.tolerance = common.parameters[kOwn + 1];
  job.patience = common.parameters[kOwn + 2];
  job.rho = float64s(info[5]).data;
  job.gamma = float64s(info[6]).data;
  job.relaxed = float64s(info[7]).data;
  job.averaged = float64s(info[8]).data;
  job.covariance = float64s(info[9]).data;
  job.whitening = float64s(info[10]).data;
  job.gaps = float64s(info[11]).data;
  double* out = float64s(info[12]).data;
  return launch(info, [job, out](Monitor& monitor) {
    lowrank::OnlineReport report;
    report.calm = out[6];
    report.seen = out[13];
    report.whitenedAt = out[14];
    lowrank::learnOnline(job, report, monitor);
    const double fields[] = {report.status,       report.steps,         report.rows,      report.skipped,
                             report.degenerate,   report.rankDeficient, report.calm,      report.gap,
                             report.relativeGap,  report.objective,     report.second,    report.fourth,
                             report.coefficients, report.seen,          report.whitenedAt};
    std::copy(std::begin(fields), std::end(fields), out);
  });
}

Napi::Value offline(const Napi::CallbackInfo& info) {
  const Common common(info);
  lowrank::OfflineJob job;
  job.samples = common.samples;
  job.coding = common.coding;
  job.threads = common.threads;
  job.tolerance = common.parameters[kOwn];
  job.maxIterations = common.parameters[kOwn + 1];
  job.dictionary = float64s(info[5]).data;
  job.history = float64s(info[6]).data;
  double* out = float64s(info[7]).data;
  return launch(info, [job, out](Monitor& monitor) {
    lowrank::OfflineReport report;
    lowrank::learnOffline(job, report, monitor);
    const double fields[] = {report.status, report.iterations, report.residual, report.objective};
    std::copy(std::begin(fields), std::end(fields), out);
  });
}

Napi::Value gap(const Napi::CallbackInfo& info) {
  const Common common(info);
  const double* w = float64s(info[5]).data;
  double* out = float64s(info[6]).data;
  return launch(info, [common, w, out](Monitor& monitor) {
    lowrank::GapReport report;
    lowrank::measureGap(common.samples, common.coding, w, common.threads, report, monitor);
    const double fields[] = {report.gap, report.relativeGap, report.objective, report.second, report.fourth};
    std::copy(std::begin(fields), std::end(fields), out);
  });
}

Napi::Value codes(const Napi::CallbackInfo& info) {
  const Common common(info);
  const double* w = float64s(info[5]).data;
  const Floats out = floats(info[6]);
  return launch(info, [common, w, out](Monitor& monitor) {
    Team team(common.threads, monitor);
    lowrank::Gradient gradient(common.samples, common.coding, common.samples.rows, team);
    if (out.as64 != nullptr) {
      gradient.codes(w, const_cast<double*>(out.as64));
    } else {
      gradient.codes(w, const_cast<float*>(out.as32));
    }
  });
}

// (…, parameters, matrix, near, out, report): only n and threads count.
Napi::Value polar(const Napi::CallbackInfo& info) {
  const Common common(info);
  const double* near = float64s(info[5]).data;
  double *out = float64s(info[6]).data, *report = float64s(info[7]).data;
  return launch(info, [common, near, out, report](Monitor& monitor) {
    Team team(common.threads, monitor);
    lowrank::Polar factor(common.samples.n, team);
    report[0] = factor.factor(common.samples.as64, near, out) ? 1 : 0;
  });
}

}  // namespace

void exportDictionary(Napi::Env env, Napi::Object room) {
  Napi::Object own = Napi::Object::New(env);
  own.Set("online", Napi::Function::New(env, online, "online"));
  own.Set("offline", Napi::Function::New(env, offline, "offline"));
  own.Set("gap", Napi::Function::New(env, gap, "gap"));
  own.Set("codes", Napi::Function::New(env, codes, "codes"));
  own.Set("polar", Napi::Function::New(env, polar, "polar"));
  room.Set("dictionary", own);
}

}  // namespace extrema
