#include "transport/plan.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace extrema::transport {

namespace {

PlanPass planOf(const Problem& problem, const double* f, const double* g) {
  PlanPass pass;
  pass.epsilon = problem.epsilon;
  pass.f = f;
  pass.g = g;
  return pass;
}

}  // namespace

void formPlan(const Problem& problem, unsigned threads, const double* f, const double* g, double* out,
              Monitor& monitor) {
  PlanReader reader(problem, threads, monitor);
  PlanPass pass = planOf(problem, f, g);
  pass.store = out;
  pass.storePitch = problem.m;
  planPass(reader.team, reader.geometry, reader.workspace, pass);
}

void applyPlan(const Problem& problem, unsigned threads, bool transpose, const double* f, const double* g,
               const double* v, double* out, Monitor& monitor) {
  PlanReader reader(problem, threads, monitor);
  PlanPass pass = planOf(problem, f, g);
  Aligned<double> scale(transpose ? problem.n : 0);
  if (transpose) {
    std::copy_n(v, problem.n, scale.data());
    pass.scaling = Scaling::given;
    pass.scale = scale.data();
    pass.columnSum = out;
  } else {
    pass.columnWeight = v;
    pass.rowSum = out;
  }
  planPass(reader.team, reader.geometry, reader.workspace, pass);
}

Sparse sparsePlan(const Problem& problem, unsigned threads, double threshold, const double* f,
                  const double* g, Monitor& monitor) {
  PlanReader reader(problem, threads, monitor);
  ThresholdPass pass;
  pass.epsilon = problem.epsilon;
  pass.f = f;
  pass.g = g;
  pass.logTheta = std::log(threshold);
  pass.most = 0x7fffffff;
  Sparse kept;
  thresholdPass(reader.team, reader.geometry, reader.workspace, pass, kept);
  if (pass.overflow) throw Error("ERR_MEMORY", "threshold: more than 2^31 - 1 entries of the plan reach it");
  return kept;
}

void costTransform(const Problem& problem, unsigned threads, bool transpose, const double* potential,
                   double* out, Monitor& monitor) {
  PlanReader reader(problem, threads, monitor);
  TransformPass pass;
  if (transpose) {
    pass.f = potential;
    pass.columnMin = out;
  } else {
    pass.g = potential;
    pass.rowMin = out;
  }
  transformPass(reader.team, reader.geometry, reader.workspace, pass);
}

}  // namespace extrema::transport
