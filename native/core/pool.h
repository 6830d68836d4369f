#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>

namespace extrema {

// Something a pool thread runs. Must not throw.
class Task {
 public:
  virtual ~Task() = default;
  virtual void execute() noexcept = 0;
};

// The process-wide threads that run kernels. Created on first use and never destroyed, so that no exit order
// can pull it from under a running kernel. Not libuv's pool: long kernels there would starve `fs`.
class Pool {
 public:
  static Pool& instance();
  static unsigned hardwareThreads() noexcept;

  // Runs `task` as soon as a thread is free, in order of submission.
  void submit(std::shared_ptr<Task> task);
  // Runs `task` on `count` threads if they would otherwise idle: members of a Team.
  void help(const std::shared_ptr<Task>& task, unsigned count);
  // Jobs wait for a thread: helpers should make room.
  bool jobsWait() const noexcept { return jobsWaiting_.load(std::memory_order_relaxed) > 0; }
  // Allows this many threads in all (never fewer than before).
  void allow(unsigned threads);

 private:
  Pool();
  void work() noexcept;
  std::shared_ptr<Task> take();
  void wakeOrSpawn(std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Task>> jobs_;
  std::deque<std::shared_ptr<Task>> helpers_;
  std::atomic<int> waiting_{0};  // tasks in both queues, read by the spinning thread without the lock
  std::atomic<int> jobsWaiting_{0};
  std::atomic<bool> spinner_{false};  // one idle thread watches `waiting_` for a moment before it sleeps
  unsigned idle_ = 0;                 // threads asleep or spinning
  unsigned threads_ = 0;
  unsigned limit_;
};

}  // namespace extrema
