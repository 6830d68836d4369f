#pragma once

#include <atomic>
#include <chrono>
#include <limits>

namespace extrema {

// A kernel's line to its caller: it polls here for abort and time, and reports progress here. Thread-safe.
class Monitor {
 public:
  using Clock = std::chrono::steady_clock;

  Monitor() = default;
  // For a part of a larger call: ends with it, but its progress is nobody's business.
  explicit Monitor(const Monitor* whole) : whole_(whole) {}
  virtual ~Monitor() = default;

  // The caller does not want the result any more: return as soon as possible, in any state.
  bool cancelled() const noexcept {
    return cancelled_.load(std::memory_order_relaxed) || (whole_ != nullptr && whole_->cancelled());
  }
  void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }

  // Milliseconds the kernel may run, counted from now.
  void limit(double milliseconds) noexcept {
    start_ = Clock::now();
    timeLimit_ = milliseconds;
  }
  bool expired() const noexcept {
    if (whole_ != nullptr && whole_->expired()) return true;
    return timeLimit_ < std::numeric_limits<double>::infinity() && elapsed() >= timeLimit_;
  }
  double elapsed() const noexcept {
    return std::chrono::duration<double, std::milli>(Clock::now() - start_).count();
  }

  // May be called every iteration: throttled to 20 a second where anyone listens.
  virtual void progress(double iteration, double residual) noexcept {
    (void)iteration;
    (void)residual;
  }

 private:
  const Monitor* whole_ = nullptr;
  std::atomic<bool> cancelled_{false};
  Clock::time_point start_ = Clock::now();
  double timeLimit_ = std::numeric_limits<double>::infinity();
};

}  // namespace extrema
