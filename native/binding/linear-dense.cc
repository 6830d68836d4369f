#include <algorithm>

#include "binding/arguments.h"
#include "binding/jobs.h"
#include "binding/linear.h"
#include "linear/dense.h"
#include "linear/least-squares.h"
#include "linear/matrix.h"
#include "linear/sketch.h"

namespace extrema {

namespace {

// Arguments after (job, wantsProgress, timeLimit) as in lib/backend/native/linear-dense.ts: numbers first,
// then arrays.
struct Numbers {
  explicit Numbers(const Napi::Value& value) : data(float64s(value).data) {}
  size_t size(size_t i) const { return static_cast<size_t>(data[i]); }
  unsigned count(size_t i) const { return static_cast<unsigned>(data[i]); }
  bool flag(size_t i) const { return data[i] != 0; }
  const double* data;
};

// Five arguments from `at` on.
dense::MatrixView matrixAt(const Napi::CallbackInfo& info, size_t at) {
  const Numbers numbers(info[at]);
  dense::MatrixView view;
  view.rows = numbers.size(0);
  view.columns = numbers.size(1);
  view.data = float64s(info[at + 1]).data;
  view.indptr = int32s(info[at + 2]).data;
  view.indices = int32s(info[at + 3]).data;
  view.values = float64s(info[at + 4]).data;
  return view;
}

// Three arguments from `at` on.
dense::Sketch sketchAt(const Napi::CallbackInfo& info, size_t at) {
  const Numbers numbers(info[at]);
  dense::Sketch sketch;
  sketch.kind = static_cast<dense::SketchKind>(numbers.size(0));
  sketch.rows = numbers.size(1);
  sketch.inputRows = numbers.size(2);
  sketch.nonzeros = numbers.size(3);
  sketch.key[0] = static_cast<uint32_t>(numbers.data[4]);
  sketch.key[1] = static_cast<uint32_t>(numbers.data[5]);
  sketch.selection = int32s(info[at + 1]).data;
  sketch.scales = float64s(info[at + 2]).data;
  return sketch;
}

Napi::Value sketch(const Napi::CallbackInfo& info) {
  const Numbers numbers(info[3]);
  const bool draw = numbers.flag(0);
  const unsigned threads = numbers.count(1);
  const dense::MatrixView a = matrixAt(info, 4);
  const dense::Sketch sketch = sketchAt(info, 9);
  double* out = float64s(info[12]).data;
  return launch(info, [=](Monitor& monitor) {
    Team team(threads, monitor);
    if (!a.sparse()) dense::scanMatrix(team, "matrix", a.data, a.rows, a.columns);
    if (draw) dense::drawRows(team, sketch, a);
    dense::applySketch(team, sketch, a, out);
  });
}

Napi::Value sketchTranspose(const Napi::CallbackInfo& info) {
  const Numbers numbers(info[3]);
  const size_t columns = numbers.size(0);
  const unsigned threads = numbers.count(1);
  const dense::Sketch sketch = sketchAt(info, 4);
  const double* y = float64s(info[7]).data;
  double* out = float64s(info[8]).data;
  return launch(info, [=](Monitor& monitor) {
    Team team(threads, monitor);
    dense::applySketchTransposed(team, sketch, y, columns, out);
  });
}

Napi::Value sketchFactor(const Napi::CallbackInfo& info) {
  const unsigned threads = Numbers(info[3]).count(0);
  const dense::MatrixView a = matrixAt(info, 4);
  const dense::Sketch sketch = sketchAt(info, 9);
  double *out = float64s(info[12]).data, *report = float64s(info[13]).data;
  return launch(info, [=](Monitor& monitor) {
    Team team(threads, monitor);
    dense::SketchFactor factor;
    factor.build(team, sketch, a, threads, monitor);
    if (monitor.cancelled()) return;
    std::copy_n(factor.factor.data(), factor.n * factor.n, out);
    report[0] = static_cast<double>(factor.rank);
    report[1] = factor.triangular ? 1 : 0;
  });
}

Napi::Value leastSquares(const Napi::CallbackInfo& info) {
  const Numbers numbers(info[3]);
  dense::LeastSquaresJob job;
  job.method = static_cast<dense::InnerMethod>(numbers.size(0));
  job.tolerance = numbers.data[1];
  job.maxIterations = numbers.data[2];
  job.refinements = numbers.size(3);
  job.warm = numbers.flag(4);
  job.threads = numbers.count(5);
  job.a = matrixAt(info, 4);
  job.sketch = sketchAt(info, 9);
  job.b = float64s(info[12]).data;
  job.x = float64s(info[13]).data;
  const Doubles history = float64s(info[14]);
  job.history = history.data;
  job.historySize = history.size;
  double* report = float64s(info[15]).data;
  return launch(info, [=](Monitor& monitor) {
    const dense::LeastSquaresReport result = dense::leastSquares(job, monitor);
    report[0] = result.status;
    report[1] = result.iterations;
    report[2] = result.residual;
    report[3] = result.residualNorm;
    report[4] = result.rank;
    report[5] = result.rounds;
    report[6] = result.switched ? 1 : 0;
    report[7] = static_cast<double>(result.historyLength);
  });
}

Napi::Value cholesky(const Napi::CallbackInfo& info) {
  const Numbers numbers(info[3]);
  const size_t n = numbers.size(0);
  const unsigned threads = numbers.count(1);
  const double* a = float64s(info[4]).data;
  double *factor = float64s(info[5]).data, *report = float64s(info[6]).data;
  return launch(info, [=](Monitor& monitor) { report[0] = dense::cholesky(a, n, factor, threads, monitor); });
}

Napi::Value lu(const Napi::CallbackInfo& info) {
  const Numbers numbers(info[3]);
  const size_t n = numbers.size(0);
  const unsigned threads = numbers.count(1);
  const double* a = float64s(info[4]).data;
  double* factors = float64s(info[5]).data;
  int32_t* permutation = int32s(info[6]).data;
  double* report = float64s(info[7]).data;
  return launch(info, [=](Monitor& monitor) {
    const dense::LuReport result = dense::lu(a, n, factors, permutation, threads, monitor);
    report[0] = result.residual;
    report[1] = result.sign;
    report[2] = result.rank;
  });
}

Napi::Value qr(const Napi::CallbackInfo& info) {
  const Numbers numbers(info[3]);
  dense::QrJob job;
  job.m = numbers.size(0);
  job.n = numbers.size(1);
  job.pivoting = numbers.flag(2);
  job.threads = numbers.count(3);
  job.a = float64s(info[4]).data;
  job.reflectors = float64s(info[5]).data;
  job.tau = float64s(info[6]).data;
  job.permutation = int32s(info[7]).data;
  job.r = float64s(info[8]).data;
  job.q = float64s(info[9]).data;
  double* report = float64s(info[10]).data;
  return launch(info, [=](Monitor& monitor) { report[0] = dense::qr(job, monitor); });
}

Napi::Value applyQ(const Napi::CallbackInfo& info) {
  const Numbers numbers(info[3]);
  const size_t m = numbers.size(0), k = numbers.size(1), columns = numbers.size(2);
  const bool transpose = numbers.flag(3);
  const unsigned threads = numbers.count(4);
  const double *reflectors = float64s(info[4]).data, *tau = float64s(info[5]).data;
  double* b = float64s(info[6]).data;
  return launch(info, [=](Monitor& monitor) {
    dense::applyQ(reflectors, tau, m, k, transpose, b, columns, threads, monitor);
  });
}

Napi::Value triangularSolve(const Napi::CallbackInfo& info) {
  const Numbers numbers(info[3]);
  dense::TriangularJob job;
  job.n = numbers.size(0);
  job.pitch = numbers.size(1);
  job.columns = numbers.size(2);
  job.lower = numbers.flag(3);
  job.transpose = numbers.flag(4);
  job.unit = numbers.flag(5);
  job.threads = numbers.count(6);
  job.a = float64s(info[4]).data;
  job.b = float64s(info[5]).data;
  return launch(info, [=](Monitor& monitor) { dense::triangularSolve(job, monitor); });
}

Napi::Value symmetricEigen(const Napi::CallbackInfo& info) {
  const Numbers numbers(info[3]);
  const size_t n = numbers.size(0);
  const unsigned threads = numbers.count(1);
  const double* a = float64s(info[4]).data;
  double *values = float64s(info[5]).data, *vectors = float64s(info[6]).data,
         *report = float64s(info[7]).data;
  return launch(info, [=](Monitor& monitor) {
    report[0] = dense::symmetricEigen(a, n, values, vectors, threads, monitor);
  });
}

Napi::Value svd(const Napi::CallbackInfo& info) {
  const Numbers numbers(info[3]);
  const size_t m = numbers.size(0), n = numbers.size(1);
  const unsigned threads = numbers.count(2);
  const double* a = float64s(info[4]).data;
  double *s = float64s(info[5]).data, *u = float64s(info[6]).data, *vt = float64s(info[7]).data,
         *report = float64s(info[8]).data;
  return launch(info, [=](Monitor& monitor) { report[0] = dense::svd(a, m, n, s, u, vt, threads, monitor); });
}

}  // namespace

void exportLinearDense(Napi::Env env, Napi::Object room) {
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    room.Set(name, Napi::Function::New(env, function, name));
  };
  add("sketch", sketch);
  add("sketchTranspose", sketchTranspose);
  add("sketchFactor", sketchFactor);
  add("leastSquares", leastSquares);
  add("cholesky", cholesky);
  add("lu", lu);
  add("qr", qr);
  add("applyQ", applyQ);
  add("triangularSolve", triangularSolve);
  add("symmetricEigen", symmetricEigen);
  add("svd", svd);
}

}  // namespace extrema
