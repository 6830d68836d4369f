#pragma once

#include <napi.h>

#include <functional>

#include "core/monitor.h"

namespace extrema {

// A kernel call with everything bound but its monitor.
using Kernel = std::function<void(Monitor&)>;

// Runs `kernel` here and now (job number 0), or on the pool. The first arguments of every kernel export are
//   0 job: number        0 = synchronous, otherwise the number under which `settled` reports the end
//   1 wantsProgress      whether `progressed` is to be called
//   2 timeLimit          milliseconds, Infinity for none
// The JS side keeps every buffer of a running job alive; this side only keeps the pointers.
Napi::Value launch(const Napi::CallbackInfo& info, Kernel kernel);

// Exports connect(settled, progressed), cancel(job), shutdown().
void exportJobs(Napi::Env env, Napi::Object exports);

// Turns what a kernel threw into an error code and a message.
struct Failure {
  const char* code = nullptr;
  std::string message;
};
Failure describeCurrentException() noexcept;
// Runs `body`; a C++ exception becomes a JS exception with a `code`.
Napi::Value guarded(Napi::Env env, const std::function<Napi::Value()>& body);

}  // namespace extrema
