#include "transport/gromov.h"

#include "binding/arguments.h"
#include "binding/jobs.h"
#include "binding/transport.h"

namespace extrema {

namespace {

transport::PlanRef planRef(const Napi::Value& dense, const Napi::Value& indptr, const Napi::Value& indices,
                           const Napi::Value& data) {
  return {float64s(dense).data, int32s(indptr).data, int32s(indices).data, float64s(data).data};
}

// (job, wantsProgress, timeLimit, [rows, columns, symmetric, threads], data, weights, squares, rowSums,
// columnSums, report)
Napi::Value gromovScan(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  transport::MatrixScan scan;
  scan.rows = static_cast<size_t>(parameters[0]);
  scan.columns = static_cast<size_t>(parameters[1]);
  scan.symmetric = parameters[2] != 0;
  const unsigned threads = static_cast<unsigned>(parameters[3]);
  scan.data = float64s(info[4]).data;
  scan.weights = float64s(info[5]).data;
  scan.squares = float64s(info[6]).data;
  scan.rowSums = float64s(info[7]).data;
  scan.columnSums = float64s(info[8]).data;
  double* report = float64s(info[9]).data;
  return launch(info, [=](Monitor& monitor) mutable {
    transport::scanMatrix(scan, threads, monitor);
    report[0] = scan.largest;
    report[1] = scan.asymmetry;
    report[2] = scan.notFinite;
    report[3] = scan.negative;
    report[4] = scan.asymmetric;
  });
}

// (job, wantsProgress, timeLimit, [n, m, threads], source, target, plan, indptr, indices, data, product,
// features, out, report)
Napi::Value gromovProduct(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  transport::GromovProduct product;
  product.n = static_cast<size_t>(parameters[0]);
  product.m = static_cast<size_t>(parameters[1]);
  const unsigned threads = static_cast<unsigned>(parameters[2]);
  product.source = float64s(info[4]).data;
  product.target = float64s(info[5]).data;
  product.plan = planRef(info[6], info[7], info[8], info[9]);
  product.product = float64s(info[10]).data;
  product.features = float64s(info[11]).data;
  product.out = float64s(info[12]).data;
  double* report = float64s(info[13]).data;
  return launch(info, [=](Monitor& monitor) mutable {
    transport::gromovProduct(product, threads, monitor);
    report[0] = product.withOut;
    report[1] = product.withProduct;
    report[2] = product.withFeatures;
  });
}

// (job, wantsProgress, timeLimit, [n, m, step, alpha, threads], plan, product, direction, indptr, indices,
// data, directionProduct, u, v, features, gradient)
Napi::Value gromovBlend(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  transport::GromovBlend blend;
  blend.n = static_cast<size_t>(parameters[0]);
  blend.m = static_cast<size_t>(parameters[1]);
  blend.step = parameters[2];
  blend.alpha = parameters[3];
  const unsigned threads = static_cast<unsigned>(parameters[4]);
  blend.plan = float64s(info[4]).data;
  blend.product = float64s(info[5]).data;
  blend.direction = planRef(info[6], info[7], info[8], info[9]);
  blend.directionProduct = float64s(info[10]).data;
  blend.u = float64s(info[11]).data;
  blend.v = float64s(info[12]).data;
  blend.features = float64s(info[13]).data;
  blend.gradient = float64s(info[14]).data;
  return launch(info, [=](Monitor& monitor) { transport::gromovBlend(blend, threads, monitor); });
}

// (job, wantsProgress, timeLimit, [entropies, threads], plan, next, report)
Napi::Value gromovCompare(const Napi::CallbackInfo& info) {
  const double* parameters = float64s(info[3]).data;
  const bool entropies = parameters[0] != 0;
  const unsigned threads = static_cast<unsigned>(parameters[1]);
  const Doubles plan = float64s(info[4]);
  const double* next = float64s(info[5]).data;
  double* report = float64s(info[6]).data;
  return launch(info, [=](Monitor& monitor) {
    const auto compared = transport::comparePlans(plan.data, next, plan.size, entropies, threads, monitor);
    report[0] = compared.distance;
    report[1] = compared.entropy;
    report[2] = compared.nextEntropy;
  });
}

}  // namespace

void exportGromov(Napi::Env env, Napi::Object room) {
  room.Set("gromovScan", Napi::Function::New(env, gromovScan, "gromovScan"));
  room.Set("gromovProduct", Napi::Function::New(env, gromovProduct, "gromovProduct"));
  room.Set("gromovBlend", Napi::Function::New(env, gromovBlend, "gromovBlend"));
  room.Set("gromovCompare", Napi::Function::New(env, gromovCompare, "gromovCompare"));
}

}  // namespace extrema
