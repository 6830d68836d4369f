#pragma once

#include <array>
#include <functional>
#include <memory>

#include "binding/arguments.h"
#include "linear/operator.h"
#include "linear/preconditioner.h"

namespace extrema {

// Reads operators and preconditioners as lib/backend/native/linear-sparse.ts writes them. They are made when
// the kernel runs: that may take memory and time, and may find that it cannot be done.
using MakeOperator = std::function<std::unique_ptr<linear::Operator>()>;
using MakePreconditioner = std::function<std::unique_ptr<linear::Preconditioner>()>;

class Decoder {
 public:
  Decoder(const Napi::Value& numbers, const Napi::Value& arrays);

  linear::Csr csr();
  MakeOperator anOperator();
  MakePreconditioner preconditioner();

 private:
  double number() { return numbers_[at_++]; }
  size_t size() { return static_cast<size_t>(number()); }
  const double* doubles();
  const int32_t* ints();
  linear::Grid grid();
  // Of a stencil: a number, or an array, for each axis.
  std::array<double, 3> constants(size_t count);
  std::array<const double*, 3> fields(size_t count);

  const double* numbers_;
  Napi::Array arrays_;
  size_t at_ = 0;
  uint32_t next_ = 0;
};

}  // namespace extrema
