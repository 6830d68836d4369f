#pragma once

#include "binding/arguments.h"
#include "transport/problem.h"

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

}  // namespace extrema
