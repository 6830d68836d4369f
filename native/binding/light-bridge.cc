#include "binding/arguments.h"
#include "binding/jobs.h"
#include "binding/transport.h"
#include "transport/light-bridge/fit.h"
#include "transport/light-bridge/inference.h"
#include "transport/light-bridge/matching.h"

namespace extrema {

namespace {

namespace bridge = transport::bridge;
using bridge::History;

// The numbers of a call come in one array, laid out as in lib/backend/native/light-bridge.ts.
enum Parameter : size_t { kComponents, kDimension, kFull, kEpsilon, kThreads, kOwn };

bridge::Shape readShape(const double* p) {
  bridge::Shape shape;
  shape.components = static_cast<size_t>(p[kComponents]);
  shape.dimension = static_cast<size_t>(p[kDimension]);
  shape.full = p[kFull] != 0;
  shape.epsilon = p[kEpsilon];
  return shape;
}

bridge::Mixture readMixture(const double* p, const Napi::CallbackInfo& info, size_t at) {
  bridge::Mixture mixture;
  static_cast<bridge::Shape&>(mixture) = readShape(p);
  mixture.logWeights = float64s(info[at]).data;
  mixture.means = float64s(info[at + 1]).data;
  mixture.scales = float64s(info[at + 2]).data;
  return mixture;
}

const uint32_t* words(const Napi::Value& value) { return value.As<Napi::Uint32Array>().Data(); }

bridge::Stream readStream(const uint32_t* words) {
  return {{words[0], words[1]}, {words[2], words[3], words[4], words[5]}};
}

// What both calls below begin with: parameters floor, matching, rows and evaluated of both sides; source,
// target, draws.
struct Problem {
  bridge::Shape shape;
  unsigned threads;
  double floor;
  bool matching;
  bridge::Data source, target;
  bridge::Stream draws, evaluationDraws;

  std::unique_ptr<bridge::Objective> objective() const {
    if (matching) return std::make_unique<bridge::Matching>(shape, floor, draws, evaluationDraws);
    return std::make_unique<bridge::Loss>(shape, floor);
  }
};
constexpr size_t kProblemEnd = kOwn + 6;

Problem readProblem(const Napi::CallbackInfo& info) {
  const double* p = float64s(info[3]).data;
  Problem problem;
  problem.shape = readShape(p);
  problem.threads = static_cast<unsigned>(p[kThreads]);
  p += kOwn;
  problem.floor = p[0];
  problem.matching = p[1] != 0;
  problem.source = {float64s(info[4]).data, static_cast<size_t>(p[2]), static_cast<size_t>(p[3])};
  problem.target = {float64s(info[5]).data, static_cast<size_t>(p[4]), static_cast<size_t>(p[5])};
  problem.draws = readStream(words(info[6]));
  problem.evaluationDraws = readStream(words(info[6]) + 6);
  return problem;
}

// (job, wantsProgress, timeLimit, parameters, source, target, draws, theta, moments, history, report)
Napi::Value fit(const Napi::CallbackInfo& info) {
  const Problem problem = readProblem(info);
  const double* p = float64s(info[3]).data + kProblemEnd;
  bridge::FitSettings settings;
  const bool lbfgs = p[0] != 0;
  settings.threads = problem.threads;
  settings.learningRate = p[1];
  settings.cosine = p[2] != 0;
  settings.batch = p[3];
  settings.first = p[4];
  settings.iterations = p[5];
  settings.total = p[6];
  settings.tolerance = p[7];
  settings.checkEvery = p[8];
  double *theta = float64s(info[7]).data, *moments = float64s(info[8]).data;
  const Doubles kept = float64s(info[9]);
  double* out = float64s(info[10]).data;
  return launch(info, [=](Monitor& monitor) {
    bridge::FitReport report;
    report.residual = out[2];
    report.loss = out[3];
    const auto objective = problem.objective();
    History history(kept.data, kept.size);
    const bridge::Data &source = problem.source, &target = problem.target;
    if (lbfgs) {
      bridge::lbfgs(problem.shape, *objective, settings, source, target, theta, history, report, monitor);
    } else {
      bridge::adam(problem.shape, *objective, settings, source, target, theta, moments, history, report,
                   monitor);
    }
    out[0] = static_cast<double>(report.status);
    out[1] = report.iterations;
    out[2] = report.residual;
    out[3] = report.loss;
  });
}

// (job, wantsProgress, timeLimit, parameters, source, target, draws, theta, gradient, value)
Napi::Value loss(const Napi::CallbackInfo& info) {
  const Problem problem = readProblem(info);
  double *theta = float64s(info[7]).data, *gradient = float64s(info[8]).data, *value = float64s(info[9]).data;
  return launch(info, [=](Monitor& monitor) {
    Team team(problem.threads, monitor);
    const bridge::Data &source = problem.source, &target = problem.target;
    *value = problem.objective()->evaluate(team, theta, {source.points, source.evaluated},
                                           {target.points, target.evaluated}, 0, gradient);
  });
}

// (job, wantsProgress, timeLimit, parameters, logWeights, means, scales, x, logSum, weights); parameters:
// source
Napi::Value evaluate(const Napi::CallbackInfo& info) {
  const double* p = float64s(info[3]).data;
  const bridge::Mixture mixture = readMixture(p, info, 4);
  const auto threads = static_cast<unsigned>(p[kThreads]);
  const bool source = p[kOwn] != 0;
  const double* x = float64s(info[7]).data;
  const Doubles logSum = float64s(info[8]);
  double* weights = float64s(info[9]).data;
  return launch(info, [=](Monitor& monitor) {
    bridge::evaluate(mixture, source, threads, x, logSum.size, logSum.data, weights, monitor);
  });
}

// (job, wantsProgress, timeLimit, parameters, logWeights, means, scales, x, out); parameters: t
Napi::Value drift(const Napi::CallbackInfo& info) {
  const double* p = float64s(info[3]).data;
  const bridge::Mixture mixture = readMixture(p, info, 4);
  const auto threads = static_cast<unsigned>(p[kThreads]);
  const double t = p[kOwn];
  const Doubles x = float64s(info[7]);
  double* out = float64s(info[8]).data;
  return launch(info, [=](Monitor& monitor) {
    bridge::drift(mixture, t, threads, x.data, x.size / mixture.dimension, out, monitor);
  });
}

// (job, wantsProgress, timeLimit, parameters, logWeights, means, scales, x, picks, normals, out); parameters:
// count
Napi::Value sample(const Napi::CallbackInfo& info) {
  const double* p = float64s(info[3]).data;
  const bridge::Mixture mixture = readMixture(p, info, 4);
  const auto threads = static_cast<unsigned>(p[kThreads]);
  const auto count = static_cast<size_t>(p[kOwn]);
  const Doubles x = float64s(info[7]);
  const bridge::Stream picks = readStream(words(info[8])), normals = readStream(words(info[9]));
  double* out = float64s(info[10]).data;
  return launch(info, [=](Monitor& monitor) {
    bridge::sample(mixture, threads, x.data, x.size / mixture.dimension, count, picks, normals, out, monitor);
  });
}

// (job, wantsProgress, timeLimit, parameters, logWeights, means, scales, x, grid, keep, normals, out)
Napi::Value trajectories(const Napi::CallbackInfo& info) {
  const double* p = float64s(info[3]).data;
  const bridge::Mixture mixture = readMixture(p, info, 4);
  const auto threads = static_cast<unsigned>(p[kThreads]);
  const Doubles x = float64s(info[7]), grid = float64s(info[8]);
  const double* keep = float64s(info[9]).data;
  const bridge::Stream normals = readStream(words(info[10]));
  double* out = float64s(info[11]).data;
  return launch(info, [=](Monitor& monitor) {
    bridge::trajectories(mixture, threads, x.data, x.size / mixture.dimension, grid.data, keep, grid.size,
                         normals, out, monitor);
  });
}

}  // namespace

void exportLightBridge(Napi::Env env, Napi::Object room) {
  const auto add = [&](const char* name, auto function) {
    room.Set(name, Napi::Function::New(env, function, name));
  };
  add("lightBridgeFit", fit);
  add("lightBridgeLoss", loss);
  add("lightBridgeEvaluate", evaluate);
  add("lightBridgeDrift", drift);
  add("lightBridgeSample", sample);
  add("lightBridgeTrajectories", trajectories);
}

}  // namespace extrema
