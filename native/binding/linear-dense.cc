#include <memory>

#include "binding/arguments.h"
#include "binding/jobs.h"
#include "binding/linear.h"
#include "linear/dense.h"

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
  add("cholesky", cholesky);
  add("lu", lu);
  add("qr", qr);
  add("applyQ", applyQ);
  add("triangularSolve", triangularSolve);
  add("symmetricEigen", symmetricEigen);
  add("svd", svd);
}

}  // namespace extrema
