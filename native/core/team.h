#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "core/monitor.h"

namespace extrema {

// The threads of one kernel call: its own and up to `threads - 1` helpers from the pool. A kernel cuts its
// work into chunks whose number depends on the problem alone and adds partial results in chunk order, so the
// answer does not depend on how many threads came.
class Team {
 public:
  Team(unsigned threads, const Monitor& monitor);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  // Upper bound of the worker numbers that `run` hands out: scratch memory is kept per worker.
  unsigned size() const noexcept { return threads_; }
  const Monitor& monitor() const noexcept { return monitor_; }

  // Calls fn(chunk, worker) for every chunk, in any order, and returns when all are done. fn must not throw.
  // After cancellation the remaining chunks are left out: check monitor().cancelled() before using the
  // results.
  template <class F>
  void run(uint32_t chunks, F&& fn) {
    using Function = std::remove_reference_t<F>;
    if (threads_ == 1 || chunks == 1) {
      for (uint32_t c = 0; c < chunks && !monitor_.cancelled(); c++) fn(c, 0u);
      return;
    }
    runShared(
        chunks, [](void* f, uint32_t chunk, unsigned worker) { (*static_cast<Function*>(f))(chunk, worker); },
        const_cast<void*>(static_cast<const void*>(&fn)));
  }

 private:
  using Call = void (*)(void*, uint32_t, unsigned);
  struct Shared;
  void runShared(uint32_t chunks, Call call, void* function);

  unsigned threads_;
  const Monitor& monitor_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace extrema
