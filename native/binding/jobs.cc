#include "binding/jobs.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#include "core/error.h"
#include "core/pool.h"

namespace extrema {

namespace {

constexpr double kProgressInterval = 50;  // milliseconds: 20 reports a second

class Instance;

// One asynchronous kernel call. Runs on the pool and touches no JS.
class Job : public Task, public Monitor {
 public:
  Job(std::shared_ptr<Instance> instance, uint32_t number, bool wantsProgress, Kernel kernel)
      : instance_(std::move(instance)),
        number_(number),
        wantsProgress_(wantsProgress),
        kernel_(std::move(kernel)) {}

  void execute() noexcept override;
  void progress(double iteration, double residual) noexcept override;

  // Only one of a pool thread and the closing environment gets to start the job.
  bool claim() noexcept { return !claimed_.exchange(true); }
  uint32_t number() const noexcept { return number_; }
  const Failure& failure() const noexcept { return failure_; }

  struct Report {
    double iteration, residual;
  };
  Report report() {
    std::lock_guard<std::mutex> lock(reportMutex_);
    fresh_ = false;
    return report_;
  }
  bool fresh() {
    std::lock_guard<std::mutex> lock(reportMutex_);
    return fresh_;
  }

 private:
  std::shared_ptr<Instance> instance_;
  const uint32_t number_;
  const bool wantsProgress_;
  Kernel kernel_;
  Failure failure_;
  std::atomic<bool> claimed_{false};
  double lastReport_ = -kProgressInterval;
  std::mutex reportMutex_;
  Report report_{0, 0};
  bool fresh_ = false;
};

// One per environment (the main thread, each worker): its live jobs and its line back to JS.
class Instance : public std::enable_shared_from_this<Instance> {
 public:
  explicit Instance(Napi::Env env) : env_(env) {}

  void connect(Napi::Function settled, Napi::Function progressed);
  void start(uint32_t number, bool wantsProgress, double timeLimit, Kernel kernel);
  void cancel(uint32_t number);
  void shutdown() noexcept;

  // From pool threads.
  void finished(Job* job) noexcept;
  void poke() noexcept;

  static std::shared_ptr<Instance>& of(Napi::Env env) {
    return *env.GetInstanceData<std::shared_ptr<Instance>>();
  }

 private:
  static void onMessage(napi_env env, napi_value callback, void* context, void* data);
  void deliver(Napi::Env env);

  Napi::Env env_;
  napi_threadsafe_function line_ = nullptr;
  Napi::FunctionReference settled_, progressed_;
  std::unordered_map<uint32_t, std::shared_ptr<Job>> live_;  // JS thread only, but for shutdown's wait
  std::mutex mutex_;
  std::condition_variable idle_;
  std::vector<Job*> done_;  // finished, not yet told
  unsigned running_ = 0;
  bool poked_ = false;
  bool closing_ = false;
};

void Job::execute() noexcept {
  if (!claim()) return;
  try {
    if (!cancelled()) kernel_(*this);
  } catch (...) {
    failure_ = describeCurrentException();
  }
  kernel_ = nullptr;
  const std::shared_ptr<Instance> instance = std::move(instance_);
  instance->finished(this);
}

void Job::progress(double iteration, double residual) noexcept {
  if (!wantsProgress_) return;
  const double now = elapsed();
  if (now - lastReport_ < kProgressInterval) return;
  lastReport_ = now;
  {
    std::lock_guard<std::mutex> lock(reportMutex_);
    report_ = {iteration, residual};
    fresh_ = true;
  }
  instance_->poke();
}

void Instance::connect(Napi::Function settled, Napi::Function progressed) {
  settled_ = Napi::Persistent(settled);
  progressed_ = Napi::Persistent(progressed);
  if (line_ != nullptr) return;
  napi_value name = Napi::String::New(env_, "extrema");
  if (napi_create_threadsafe_function(env_, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, onMessage,
                                      &line_) != napi_ok) {
    throw Error("ERR_INTERNAL", "could not create the line from kernels to JavaScript");
  }
  napi_unref_threadsafe_function(env_, line_);
}

void Instance::start(uint32_t number, bool wantsProgress, double timeLimit, Kernel kernel) {
  if (closing_ || line_ == nullptr) throw Error("ERR_INTERNAL", "the addon is not connected or is closing");
  auto job = std::make_shared<Job>(shared_from_this(), number, wantsProgress, std::move(kernel));
  job->limit(timeLimit);
  live_.emplace(number, job);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    running_++;
  }
  try {
    Pool::instance().submit(job);
  } catch (...) {
    std::lock_guard<std::mutex> lock(mutex_);
    running_--;
    live_.erase(number);
    throw;
  }
  if (live_.size() == 1) napi_ref_threadsafe_function(env_, line_);
}

void Instance::cancel(uint32_t number) {
  const auto found = live_.find(number);
  if (found != live_.end()) found->second->cancel();
}

void Instance::finished(Job* job) noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  running_--;
  if (closing_) {
    idle_.notify_all();
    return;
  }
  done_.push_back(job);
  if (!poked_) poked_ = napi_call_threadsafe_function(line_, nullptr, napi_tsfn_nonblocking) == napi_ok;
}

void Instance::poke() noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closing_ || poked_) return;
  poked_ = napi_call_threadsafe_function(line_, nullptr, napi_tsfn_nonblocking) == napi_ok;
}

void Instance::onMessage(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;
  Instance* instance = static_cast<Instance*>(context);
  try {
    instance->deliver(Napi::Env(env));
  } catch (...) {
    // An environment that is being torn down throws at every call; nobody is left to be told.
  }
}

void Instance::deliver(Napi::Env env) {
  const std::shared_ptr<Instance> self = shared_from_this();
  Napi::HandleScope scope(env);
  std::vector<Job*> done;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    poked_ = false;
    if (closing_) return;
    done.swap(done_);
  }
  for (const auto& entry : live_) {
    if (!entry.second->fresh()) continue;
    const Job::Report report = entry.second->report();
    progressed_.Call({Napi::Number::New(env, entry.first), Napi::Number::New(env, report.iteration),
                      Napi::Number::New(env, report.residual)});
    if (closing_) return;
  }
  for (Job* job : done) {
    const auto found = live_.find(job->number());
    if (found == live_.end()) continue;
    const std::shared_ptr<Job> ended = std::move(found->second);
    live_.erase(found);
    if (live_.empty()) napi_unref_threadsafe_function(env, line_);
    const Failure& failure = ended->failure();
    const Napi::Value number = Napi::Number::New(env, ended->number());
    if (failure.code == nullptr) {
      settled_.Call({number});
    } else {
      settled_.Call({number, Napi::String::New(env, failure.code), Napi::String::New(env, failure.message)});
    }
    if (closing_) return;
  }
}

// Runs before the environment frees the memory that its jobs work on.
void Instance::shutdown() noexcept {
  std::unique_lock<std::mutex> lock(mutex_);
  if (closing_) return;
  closing_ = true;
  for (const auto& entry : live_) {
    entry.second->cancel();
    if (entry.second->claim()) running_--;
  }
  idle_.wait(lock, [this] { return running_ == 0; });
  lock.unlock();
  live_.clear();
  if (line_ != nullptr) napi_release_threadsafe_function(line_, napi_tsfn_abort);
  line_ = nullptr;
}

// A synchronous call: nobody can abort it, the time limit still holds.
class SyncMonitor : public Monitor {};

}  // namespace

Failure describeCurrentException() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    return {error.code(), error.what()};
  } catch (const std::bad_alloc&) {
    return {"ERR_MEMORY", "not enough memory for this problem"};
  } catch (const std::exception& error) {
    return {"ERR_INTERNAL", error.what()};
  } catch (...) {
    return {"ERR_INTERNAL", "unknown failure in a kernel"};
  }
}

Napi::Value guarded(Napi::Env env, const std::function<Napi::Value()>& body) {
  Failure failure;
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    failure = describeCurrentException();
  }
  Napi::Error error = Napi::Error::New(env, failure.message);
  error.Value().Set("code", Napi::String::New(env, failure.code));
  throw error;
}

Napi::Value launch(const Napi::CallbackInfo& info, Kernel kernel) {
  Napi::Env env = info.Env();
  const uint32_t number = info[0].As<Napi::Number>().Uint32Value();
  const double timeLimit = info[2].As<Napi::Number>().DoubleValue();
  return guarded(env, [&]() -> Napi::Value {
    if (number == 0) {
      SyncMonitor monitor;
      monitor.limit(timeLimit);
      kernel(monitor);
    } else {
      Instance::of(env)->start(number, info[1].As<Napi::Boolean>().Value(), timeLimit, std::move(kernel));
    }
    return env.Undefined();
  });
}

void exportJobs(Napi::Env env, Napi::Object exports) {
  auto* held = new std::shared_ptr<Instance>(std::make_shared<Instance>(env));
  env.SetInstanceData(held);
  exports.Set(
      "connect", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
        guarded(info.Env(), [&]() -> Napi::Value {
          Instance::of(info.Env())->connect(info[0].As<Napi::Function>(), info[1].As<Napi::Function>());
          // Hooks run in reverse order: this one, added after the line, runs before the line is torn down.
          const std::shared_ptr<Instance> instance = Instance::of(info.Env());
          info.Env().AddCleanupHook([instance] { instance->shutdown(); });
          return info.Env().Undefined();
        });
      }));
  exports.Set("cancel", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                Instance::of(info.Env())->cancel(info[0].As<Napi::Number>().Uint32Value());
              }));
  exports.Set("shutdown", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                Instance::of(info.Env())->shutdown();
              }));
}

}  // namespace extrema
