#pragma once

#include <algorithm>
#include <iterator>

#include "binding/arguments.h"
#include "transport/solve.h"

namespace extrema {

// The cost of a problem: n, m, d, metric in front of its numbers, then the matrix, or x and y.
inline transport::Problem readCost(const double* p, const Napi::Value& x, const Napi::Value& y) {
  transport::Problem problem;
  problem.n = static_cast<size_t>(p[0]);
  problem.m = static_cast<size_t>(p[1]);
  problem.d = static_cast<size_t>(p[2]);
  problem.metric = static_cast<transport::Metric>(static_cast<int>(p[3]));
  const Floats first = floats(x);
  if (problem.metric == transport::Metric::dense) {
    problem.cost64 = first.as64;
    problem.cost32 = first.as32;
  } else {
    const Floats second = floats(y);
    problem.x64 = first.as64;
    problem.x32 = first.as32;
    problem.y64 = second.as64;
    problem.y32 = second.as32;
  }
  return problem;
}

// What the numbers of an entropic call begin with, behind its cost.
namespace entropic {
enum Parameter : size_t { kEpsilon = 4, kThreads, kTolerance, kMaxIterations, kOwn };
}

inline transport::Problem readEntropicProblem(const double* p, const Napi::Value& x, const Napi::Value& y) {
  transport::Problem problem = readCost(p, x, y);
  problem.epsilon = p[entropic::kEpsilon];
  return problem;
}

// The options that all entropic solvers have.
inline transport::Options readLimits(const double* p) {
  transport::Options options;
  options.threads = static_cast<unsigned>(p[entropic::kThreads]);
  options.tolerance = p[entropic::kTolerance];
  options.maxIterations = p[entropic::kMaxIterations];
  return options;
}

// The fields of every solver's report, as `reportField` in lib/backend/kernels.ts counts them.
constexpr size_t kReportLength = 11;
inline void writeReport(const transport::Report& report, size_t historyCount, double* out) {
  const double fields[kReportLength] = {static_cast<double>(report.status),
                                        report.iterations,
                                        report.newtonIterations,
                                        report.passes,
                                        report.marginalError,
                                        report.value,
                                        report.regularizedValue,
                                        report.primal,
                                        report.dual,
                                        static_cast<double>(historyCount),
                                        report.skipped};
  std::copy(std::begin(fields), std::end(fields), out);
}

}  // namespace extrema
