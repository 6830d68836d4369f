#include <utility>

#include "binding/jobs.h"
#include "binding/linear-arguments.h"
#include "binding/linear.h"
#include "linear/iterative.h"
#include "linear/sparse-cholesky.h"
#include "linear/vectors.h"

namespace extrema {

namespace {

linear::IterativeSettings settingsOf(const Napi::Value& value) {
  const double* p = float64s(value).data;
  linear::IterativeSettings settings;
  settings.tolerance = p[0];
  settings.maxIterations = p[1];
  settings.threads = static_cast<unsigned>(p[2]);
  settings.omega = p[3];
  settings.restart = static_cast<size_t>(p[4]);
  settings.damp = p[5];
  settings.checkSymmetry = p[6] != 0;
  return settings;
}

void writeReport(const linear::IterativeReport& report, size_t historyLength, double* out) {
  const double kept = std::min(report.iterations + 1, static_cast<double>(historyLength));
  out[0] = static_cast<double>(report.ended);
  out[1] = report.iterations;
  out[2] = report.residual;
  out[3] = kept;
  out[4] = report.matvecs;
  out[5] = report.fit;
  out[6] = report.normal;
}

using Iteration = void (*)(linear::Operator&, linear::Preconditioner*, const linear::System&,
                           const linear::IterativeSettings&, linear::IterativeReport&, Monitor&);

// (job, wantsProgress, timeLimit, numbers, arrays, parameters, b, x, null, history, report), laid out as in
// lib/backend/native/linear-sparse.ts
template <Iteration iterate>
Napi::Value iterative(const Napi::CallbackInfo& info) {
  Decoder decoder(info[3], info[4]);
  const MakeOperator matrix = decoder.anOperator();
  const MakePreconditioner preconditioner = decoder.preconditioner();
  const linear::IterativeSettings settings = settingsOf(info[5]);
  linear::System system;
  const Doubles b = float64s(info[6]), x = float64s(info[7]);
  system.n = x.size;
  system.rows = b.size;
  system.b = b.data;
  system.x = x.data;
  system.null = float64s(info[8]).data;
  const Doubles history = float64s(info[9]);
  system.history = history.data;
  system.historyLength = history.size;
  double* out = float64s(info[10]).data;
  return launch(info, [=](Monitor& monitor) {
    linear::IterativeReport report;
    const auto a = matrix();
    const auto m = preconditioner();
    iterate(*a, m.get(), system, settings, report, monitor);
    writeReport(report, system.historyLength, out);
  });
}

// (job, wantsProgress, timeLimit, numbers, arrays, parameters, method, b, x, history, report)
Napi::Value stationary(const Napi::CallbackInfo& info) {
  const linear::Csr matrix = Decoder(info[3], info[4]).csr();
  const linear::IterativeSettings settings = settingsOf(info[5]);
  const auto sweep = static_cast<linear::Sweep>(info[6].As<Napi::Number>().Int32Value());
  linear::System system;
  system.n = matrix.columns;
  system.rows = matrix.rows;
  system.b = float64s(info[7]).data;
  system.x = float64s(info[8]).data;
  const Doubles history = float64s(info[9]);
  system.history = history.data;
  system.historyLength = history.size;
  double* out = float64s(info[10]).data;
  return launch(info, [=](Monitor& monitor) {
    linear::IterativeReport report;
    linear::stationary(matrix, sweep, system, settings, report, monitor);
    writeReport(report, system.historyLength, out);
  });
}

// (job, wantsProgress, timeLimit, numbers, arrays, [transpose, count, threads, check, often], x, out)
Napi::Value multiply(const Napi::CallbackInfo& info) {
  const MakeOperator matrix = Decoder(info[3], info[4]).anOperator();
  const double* p = float64s(info[5]).data;
  const bool transpose = p[0] != 0;
  const auto count = static_cast<size_t>(p[1]);
  const auto threads = static_cast<unsigned>(p[2]);
  const auto check = static_cast<int>(p[3]);  // 1 for a vector, 2 for a matrix
  const bool often = p[4] != 0;
  const double* x = float64s(info[6]).data;
  double* out = float64s(info[7]).data;
  return launch(info, [=](Monitor& monitor) {
    const auto a = matrix();
    if (often) a->gather();
    Team team(threads, monitor);
    const size_t size = (transpose ? a->rows : a->columns) * count;
    const bool atOnce = check != 0 && !transpose && count == 1;
    const bool finite = atOnce ? a->applyFinite(x, out, team) : check == 0 || linear::isFinite(team, x, size);
    if (!finite) linear::refuseNotFinite("x", x, size, check == 2 ? count : 0);
    if (atOnce) return;
    if (count > 1) {
      a->applyBlock(x, out, count, transpose, team);
    } else if (transpose) {
      a->applyTranspose(x, out, team);
    } else {
      a->apply(x, out, team);
    }
  });
}

linear::Factor factorOf(const Napi::CallbackInfo& info, size_t first) {
  linear::Factor factor;
  const Int32s order = int32s(info[first]);
  factor.n = order.size;
  factor.order = order.data;
  factor.parent = int32s(info[first + 1]).data;
  factor.indptr = int32s(info[first + 2]).data;
  factor.indices = int32s(info[first + 3]).data;
  factor.data = float64s(info[first + 4]).data;
  factor.diagonal = float64s(info[first + 5]).data;
  return factor;
}

// (job, wantsProgress, timeLimit, numbers, arrays, flag, order, parent, indptr, indices, data, diagonal)
Napi::Value analyze(const Napi::CallbackInfo& info) {
  const linear::Csr matrix = Decoder(info[3], info[4]).csr();
  const bool natural = info[5].ToBoolean();
  linear::Factor factor = factorOf(info, 6);
  return launch(info, [=](Monitor& monitor) mutable { linear::analyze(matrix, natural, factor, monitor); });
}

Napi::Value factorize(const Napi::CallbackInfo& info) {
  const linear::Csr matrix = Decoder(info[3], info[4]).csr();
  const bool positive = info[5].ToBoolean();
  linear::Factor factor = factorOf(info, 6);
  return launch(info,
                [=](Monitor& monitor) mutable { linear::factorize(matrix, positive, factor, monitor); });
}

// (job, wantsProgress, timeLimit, order, parent, indptr, indices, data, diagonal, b, x)
Napi::Value solveFactor(const Napi::CallbackInfo& info) {
  const linear::Factor factor = factorOf(info, 3);
  const Doubles b = float64s(info[9]);
  double* x = float64s(info[10]).data;
  return launch(
      info, [=](Monitor& monitor) { linear::solveFactor(factor, b.data, x, b.size / factor.n, monitor); });
}

// (job, wantsProgress, timeLimit, numbers, arrays (matrix, lower), lower data, [shift])
Napi::Value incompleteCholesky(const Napi::CallbackInfo& info) {
  Decoder decoder(info[3], info[4]);
  const linear::Csr matrix = decoder.csr(), pattern = decoder.csr();
  double* data = float64s(info[5]).data;
  double* shift = float64s(info[6]).data;
  return launch(info, [=](Monitor& monitor) {
    shift[0] = linear::incompleteCholesky(matrix, pattern, data, shift[0], monitor);
  });
}

}  // namespace

void exportLinearSparse(Napi::Env env, Napi::Object room) {
  const auto add = [&](const char* name, Napi::Value (*fn)(const Napi::CallbackInfo&)) {
    room.Set(name, Napi::Function::New(env, fn, name));
  };
  add("multiply", multiply);
  add("conjugateGradient", iterative<linear::conjugateGradient>);
  add("minres", iterative<linear::minres>);
  add("gmres", iterative<linear::gmres>);
  add("bicgstab", iterative<linear::bicgstab>);
  add("lsqr", iterative<linear::lsqr>);
  add("analyzeCholesky", analyze);
  add("factorizeCholesky", factorize);
  add("solveCholesky", solveFactor);
  add("incompleteCholesky", incompleteCholesky);
  add("stationary", stationary);
}

}  // namespace extrema
