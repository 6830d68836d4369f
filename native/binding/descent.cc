#include "binding/descent.h"

#include "binding/arguments.h"
#include "binding/jobs.h"
#include "descent/problem.h"

namespace extrema {

namespace {

using namespace descent;

Matrix matrixOf(const Napi::CallbackInfo& info, size_t at) {
  Matrix matrix;
  matrix.dense = float64s(info[at]).data;
  matrix.indptr = int32s(info[at + 1]).data;
  matrix.indices = int32s(info[at + 2]).data;
  matrix.data = float64s(info[at + 3]).data;
  return matrix;
}

// (job, wantsProgress, timeLimit, parameters, dense, indptr, indices, data, target, l1, lower, upper,
// givenStart, givenIndices, x, visits, blockOf, values, sizes, selected, report), laid out as in
// lib/backend/native/descent.ts
Napi::Value solveKernel(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  Problem problem;
  problem.loss = static_cast<Loss>(parameters[0]);
  problem.matrix = matrixOf(info, 4);
  problem.matrix.rows = static_cast<size_t>(parameters[1]);
  problem.matrix.columns = static_cast<size_t>(parameters[2]);
  problem.classes = static_cast<size_t>(parameters[3]);
  problem.l2 = parameters[4];
  problem.target = float64s(info[8]).data;
  problem.l1 = float64s(info[9]).data;
  problem.lower = float64s(info[10]).data;
  problem.upper = float64s(info[11]).data;
  Rules rules;
  rules.partition = static_cast<Partition>(parameters[5]);
  rules.selection = static_cast<Selection>(parameters[6]);
  rules.update = static_cast<Update>(parameters[7]);
  rules.blockSize = static_cast<size_t>(parameters[8]);
  rules.rowSums = parameters[9] != 0;
  rules.cubic = parameters[10];
  rules.latticeRows = static_cast<size_t>(parameters[11]);
  rules.latticeColumns = static_cast<size_t>(parameters[12]);
  rules.tolerance = parameters[13];
  rules.maxIterations = parameters[14];
  rules.seed[0] = static_cast<uint32_t>(parameters[15]);
  rules.seed[1] = static_cast<uint32_t>(parameters[16]);
  rules.workingSet = parameters[17] != 0;
  rules.threads = static_cast<unsigned>(parameters[18]);
  const Int32s start = int32s(info[12]);
  rules.givenStart = start.data;
  rules.givenBlocks = start.size == 0 ? 0 : start.size - 1;
  rules.givenIndices = int32s(info[13]).data;
  Outputs out;
  out.x = float64s(info[14]).data;
  out.visits = int32s(info[15]).data;
  out.blockOf = int32s(info[16]).data;
  out.values = float64s(info[17]).data;
  out.sizes = int32s(info[18]).data;
  out.selected = int32s(info[19]).data;
  double* to = float64s(info[20]).data;
  return launch(info, [=](Monitor& monitor) {
    Report report;
    solve(problem, rules, out, report, monitor);
    to[0] = static_cast<double>(report.ended);
    to[1] = report.iterations;
    to[2] = report.residual;
    to[3] = report.value;
    to[4] = report.identified;
    to[5] = report.complementarity;
    to[6] = report.epochs;
    to[7] = report.blocks;
    to[8] = report.scale;
  });
}

// (job, wantsProgress, timeLimit, [n, threads], dense, indptr, indices, data, b, x, report)
Napi::Value forestKernel(const Napi::CallbackInfo& info) {
  Matrix matrix = matrixOf(info, 4);
  matrix.rows = matrix.columns = static_cast<size_t>(float64s(info[3]).data[0]);
  const unsigned threads = static_cast<unsigned>(float64s(info[3]).data[1]);
  const double* b = float64s(info[8]).data;
  double *x = float64s(info[9]).data, *to = float64s(info[10]).data;
  return launch(info, [=](Monitor& monitor) {
    ForestReport report;
    solveForest(matrix, b, x, threads, report, monitor);
    to[0] = report.trees;
    to[1] = report.residual;
  });
}

}  // namespace

void exportDescent(Napi::Env env, Napi::Object exports) {
  Napi::Object room = Napi::Object::New(env);
  room.Set("solve", Napi::Function::New(env, solveKernel, "solve"));
  room.Set("forest", Napi::Function::New(env, forestKernel, "forest"));
  exports.Set("descent", room);
}

}  // namespace extrema
