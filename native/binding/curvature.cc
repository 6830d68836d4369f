#include "binding/curvature.h"

#include "binding/arguments.h"
#include "binding/jobs.h"
#include "curvature/fisher.h"
#include "curvature/rank-one.h"

namespace extrema {

namespace {

using namespace curvature;

// Every kernel gets (job, wantsProgress, timeLimit, parameters, arrays…), laid out as in
// lib/backend/native/curvature.ts.
struct Parameters {
  explicit Parameters(const Napi::CallbackInfo& info) : next(float64s(info[3]).data) {}
  double number() { return *next++; }
  size_t size() { return static_cast<size_t>(number()); }
  bool flag() { return number() != 0; }
  unsigned threads() { return static_cast<unsigned>(number()); }
  const double* next;
};

Numbers numbers(const Napi::Value& value) {
  const Floats given = floats(value);
  return {given.as64, given.as32};
}

Results results(const Napi::Value& value) {
  const Floats given = floats(value);
  return {const_cast<double*>(given.as64), const_cast<float*>(given.as32)};
}

template <class T>
void askHuge(const T* numbers, size_t count) {
  preferHugePages(const_cast<T*>(numbers), count * sizeof(T));
}

Gradients gradients(const Napi::Value& value, Parameters& parameters) {
  Gradients g;
  g.data = numbers(value);
  g.rows = parameters.size();
  g.blocks.columns = parameters.size();
  g.blocks.size = parameters.size();
  // Rows of a window are asked for before anything is written to them.
  if (g.data.as64 != nullptr) askHuge(g.data.as64, g.rows * g.blocks.columns);
  if (g.data.as32 != nullptr) askHuge(g.data.as32, g.rows * g.blocks.columns);
  return g;
}

Systems systems(Parameters& parameters) {
  Systems s;
  s.count = parameters.size();
  s.order = parameters.size();
  s.last = parameters.size();
  return s;
}

Napi::Value gramKernel(const Napi::CallbackInfo& info) {
  Parameters parameters(info);
  GramJob job;
  job.g = gradients(info[4], parameters);
  job.h = job.g;
  job.h.rows = parameters.size();
  if (!info[5].IsNull()) job.h.data = numbers(info[5]);
  job.columns = parameters.flag();
  job.order = parameters.size();
  job.row = parameters.size();
  job.column = parameters.size();
  job.threads = parameters.threads();
  job.out = float64s(info[6]).data;
  return launch(info, [=](Monitor& monitor) { gram(job, monitor); });
}

Napi::Value factorKernel(const Napi::CallbackInfo& info) {
  Parameters parameters(info);
  const Systems s = systems(parameters);
  const double damping = parameters.number(), divisor = parameters.number();
  const unsigned threads = parameters.threads();
  const double* given = float64s(info[4]).data;
  double* out = float64s(info[5]).data;
  return launch(info, [=](Monitor& monitor) { factor(s, given, damping, divisor, out, threads, monitor); });
}

Napi::Value solveKernel(const Napi::CallbackInfo& info) {
  Parameters parameters(info);
  const Systems s = systems(parameters);
  const unsigned threads = parameters.threads();
  const double* factors = float64s(info[4]).data;
  double* p = float64s(info[5]).data;
  return launch(info, [=](Monitor& monitor) { solve(s, factors, p, threads, monitor); });
}

Napi::Value projectKernel(const Napi::CallbackInfo& info) {
  Parameters parameters(info);
  const Gradients g = gradients(info[4], parameters);
  const unsigned threads = parameters.threads();
  const Numbers x = numbers(info[5]);
  double* p = float64s(info[6]).data;
  return launch(info, [=](Monitor& monitor) { project(g, x, p, threads, monitor); });
}

Napi::Value gatherKernel(const Napi::CallbackInfo& info) {
  Parameters parameters(info);
  const Gradients g = gradients(info[4], parameters);
  const unsigned threads = parameters.threads();
  const double* w = float64s(info[5]).data;
  double* sum = float64s(info[6]).data;
  return launch(info, [=](Monitor& monitor) { gather(g, w, sum, threads, monitor); });
}

Napi::Value inverseKernel(const Napi::CallbackInfo& info) {
  Parameters parameters(info);
  InverseJob job;
  job.g = gradients(info[4], parameters);
  job.columns = parameters.flag();
  job.damping = parameters.number();
  job.threads = parameters.threads();
  job.factors = float64s(info[5]).data;
  job.x = numbers(info[6]);
  job.out = results(info[7]);
  return launch(info, [=](Monitor& monitor) { inverseProduct(job, monitor); });
}

Napi::Value diagonalKernel(const Napi::CallbackInfo& info) {
  Parameters parameters(info);
  DiagonalJob job;
  job.g = gradients(info[4], parameters);
  job.columns = parameters.flag();
  job.damping = parameters.number();
  job.divisor = parameters.number();
  job.threads = parameters.threads();
  job.factors = float64s(info[5]).data;
  job.out = float64s(info[6]).data;
  return launch(info, [=](Monitor& monitor) { diagonal(job, monitor); });
}

Napi::Value entriesKernel(const Napi::CallbackInfo& info) {
  Parameters parameters(info);
  EntriesJob job;
  job.order = parameters.size();
  job.pitch = parameters.size();
  job.k = parameters.size();
  job.damping = parameters.number();
  job.divisor = parameters.number();
  job.factor = float64s(info[4]).data;
  job.rows = float64s(info[5]).data;
  job.places = int32s(info[6]).data;
  job.out = float64s(info[7]).data;
  return launch(info, [=](Monitor& monitor) { entries(job, monitor); });
}

Napi::Value rankOneKernel(const Napi::CallbackInfo& info) {
  Parameters parameters(info);
  RankOneJob job;
  job.n = parameters.size();
  job.keep = parameters.number();
  job.identity = parameters.number();
  job.scale = parameters.number();
  job.numerator = parameters.number();
  job.offset = parameters.number();
  job.slope = parameters.number();
  job.threads = parameters.threads();
  job.x = results(info[4]);
  job.v = float64s(info[5]).data;
  double* out = float64s(info[6]).data;
  return launch(info, [=](Monitor& monitor) {
    RankOneReport report;
    rankOne(job, report, monitor);
    out[0] = report.largest;
    out[1] = report.s;
    out[2] = report.denominator;
  });
}

}  // namespace

void exportCurvature(Napi::Env env, Napi::Object exports) {
  Napi::Object room = Napi::Object::New(env);
  room.Set("gram", Napi::Function::New(env, gramKernel, "gram"));
  room.Set("factor", Napi::Function::New(env, factorKernel, "factor"));
  room.Set("solve", Napi::Function::New(env, solveKernel, "solve"));
  room.Set("project", Napi::Function::New(env, projectKernel, "project"));
  room.Set("gather", Napi::Function::New(env, gatherKernel, "gather"));
  room.Set("inverseProduct", Napi::Function::New(env, inverseKernel, "inverseProduct"));
  room.Set("diagonal", Napi::Function::New(env, diagonalKernel, "diagonal"));
  room.Set("entries", Napi::Function::New(env, entriesKernel, "entries"));
  room.Set("rankOne", Napi::Function::New(env, rankOneKernel, "rankOne"));
  exports.Set("curvature", room);
}

}  // namespace extrema
