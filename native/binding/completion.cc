#include "binding/arguments.h"
#include "binding/jobs.h"
#include "binding/lowrank.h"
#include "lowrank/completion/complete.h"
#include "lowrank/completion/top-k.h"

namespace extrema {

namespace {

lowrank::Numbers numbers(const Napi::Value& value) {
  const Floats given = floats(value);
  return {given.as64, given.as32};
}

// The numbers of complete, laid out as in lib/backend/native/completion.ts.
enum Parameter : size_t {
  kM,
  kN,
  kCount,
  kHeld,
  kRank,
  kRegularization,
  kConfidence,
  kIncoherence,
  kTolerance,
  kInnerTolerance,
  kMaxIterations,
  kInnerIterations,
  kSketchRows,
  kRepeats,
  kPatience,
  kBiases,
  kNonNegative,
  kReuse,
  kSpectral,
  kSingle,
  kSolver,
  kInner,
  kSketch,
  kThreads,
  kKey0,
  kKey1,
};

// (job, wantsProgress, timeLimit, parameters, rows, indptr, columns, values, weights, heldRows, heldColumns,
// heldValues, u, v, rowBias, columnBias, rowCounts, columnCounts, history, report)
Napi::Value complete(const Napi::CallbackInfo& info) {
  const double* p = float64s(info[3]).data;
  const auto size = [&](Parameter parameter) { return static_cast<size_t>(p[parameter]); };
  lowrank::Completion c;
  c.entries.m = c.held.m = size(kM);
  c.entries.n = c.held.n = size(kN);
  c.entries.count = size(kCount);
  c.entries.rows = int32s(info[4]).data;
  c.entries.indptr = int32s(info[5]).data;
  c.entries.columns = int32s(info[6]).data;
  c.entries.values = numbers(info[7]);
  c.entries.weights = numbers(info[8]);
  c.held.name = "validation.";
  c.held.count = size(kHeld);
  c.held.rows = int32s(info[9]).data;
  c.held.columns = int32s(info[10]).data;
  c.held.values = numbers(info[11]);
  c.rank = size(kRank);
  c.regularization = p[kRegularization];
  c.confidence = p[kConfidence];
  c.entries.counts = c.held.counts = c.confidence > 0;
  c.incoherence = p[kIncoherence];
  c.tolerance = p[kTolerance];
  c.innerTolerance = p[kInnerTolerance];
  c.maxIterations = size(kMaxIterations);
  c.innerIterations = size(kInnerIterations);
  c.sketchRows = size(kSketchRows);
  c.repeats = size(kRepeats);
  c.patience = size(kPatience);
  c.biases = p[kBiases] != 0;
  c.nonNegative = p[kNonNegative] != 0;
  c.reuse = p[kReuse] != 0;
  c.spectral = p[kSpectral] != 0;
  c.single = p[kSingle] != 0;
  c.solver = static_cast<lowrank::Solver>(static_cast<int>(p[kSolver]));
  c.inner = static_cast<lowrank::Inner>(static_cast<int>(p[kInner]));
  c.sketch = static_cast<lowrank::Sketch>(static_cast<int>(p[kSketch]));
  c.threads = static_cast<unsigned>(p[kThreads]);
  c.key[0] = static_cast<uint32_t>(p[kKey0]);
  c.key[1] = static_cast<uint32_t>(p[kKey1]);
  c.u = float64s(info[12]).data;
  c.v = float64s(info[13]).data;
  c.rowBias = float64s(info[14]).data;
  c.columnBias = float64s(info[15]).data;
  c.rowCounts = int32s(info[16]).data;
  c.columnCounts = int32s(info[17]).data;
  c.history = float64s(info[18]).data;
  c.report = float64s(info[19]).data;
  return launch(info, [=](Monitor& monitor) { lowrank::complete(c, monitor); });
}

// (job, wantsProgress, timeLimit, [n, rank, k, threads, productsOnly], u, v, columnBias, rows, indptr,
// indices, columns, scores)
Napi::Value topK(const Napi::CallbackInfo& info) {
  const double* p = float64s(info[3]).data;
  lowrank::TopK t;
  t.n = static_cast<size_t>(p[0]);
  t.rank = static_cast<size_t>(p[1]);
  t.k = static_cast<size_t>(p[2]);
  t.threads = static_cast<unsigned>(p[3]);
  t.productsOnly = p[4] != 0;
  t.u = float64s(info[4]).data;
  t.v = float64s(info[5]).data;
  t.columnBias = float64s(info[6]).data;
  const Int32s rows = int32s(info[7]);
  t.rows = rows.data;
  t.count = rows.size;
  t.indptr = int32s(info[8]).data;
  t.indices = int32s(info[9]).data;
  t.columns = int32s(info[10]).data;
  t.scores = float64s(info[11]).data;
  return launch(info, [=](Monitor& monitor) { lowrank::topK(t, monitor); });
}

}  // namespace

void exportCompletion(Napi::Env env, Napi::Object room) {
  room.Set("complete", Napi::Function::New(env, complete, "complete"));
  room.Set("topK", Napi::Function::New(env, topK, "topK"));
}

}  // namespace extrema
