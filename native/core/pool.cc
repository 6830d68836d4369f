#include "core/pool.h"

#include <chrono>
#include <thread>

#include "core/pause.h"

namespace extrema {

namespace {
// Long enough to catch the next of a row of awaited calls: waking a sleeping thread costs more than most
// small solves.
constexpr std::chrono::microseconds kSpin{200};
}  // namespace

Pool& Pool::instance() {
  static Pool* pool = new Pool;
  return *pool;
}

unsigned Pool::hardwareThreads() noexcept {
  const unsigned count = std::thread::hardware_concurrency();
  return count == 0 ? 1 : count;
}

Pool::Pool() : limit_(hardwareThreads()) {}

void Pool::allow(unsigned threads) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (threads > limit_) limit_ = threads;
}

void Pool::submit(std::shared_ptr<Task> task) {
  std::unique_lock<std::mutex> lock(mutex_);
  jobs_.push_back(std::move(task));
  jobsWaiting_.fetch_add(1, std::memory_order_relaxed);
  waiting_.fetch_add(1, std::memory_order_release);
  wakeOrSpawn(lock);
}

void Pool::help(const std::shared_ptr<Task>& task, unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    std::unique_lock<std::mutex> lock(mutex_);
    helpers_.push_back(task);
    waiting_.fetch_add(1, std::memory_order_release);
    wakeOrSpawn(lock);
  }
}

void Pool::wakeOrSpawn(std::unique_lock<std::mutex>& lock) {
  const unsigned waiting = static_cast<unsigned>(waiting_.load(std::memory_order_relaxed));
  if (waiting > idle_ && threads_ < limit_) {
    try {
      std::thread([this] { work(); }).detach();
      threads_++;
      return;
    } catch (...) {
      if (threads_ == 0) {
        throw;  // no thread at all: the caller reports it
      }
    }
  }
  const bool spinnerWillSee = waiting == 1 && spinner_.load(std::memory_order_acquire);
  lock.unlock();
  if (!spinnerWillSee) wake_.notify_one();
}

std::shared_ptr<Task> Pool::take() {
  std::deque<std::shared_ptr<Task>>& queue = jobs_.empty() ? helpers_ : jobs_;
  if (!jobs_.empty()) jobsWaiting_.fetch_sub(1, std::memory_order_relaxed);
  std::shared_ptr<Task> task = std::move(queue.front());
  queue.pop_front();
  waiting_.fetch_sub(1, std::memory_order_relaxed);
  return task;
}

void Pool::work() noexcept {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    if (jobs_.empty() && helpers_.empty()) {
      idle_++;
      if (!spinner_.exchange(true)) {
        lock.unlock();
        const auto end = std::chrono::steady_clock::now() + kSpin;
        while (waiting_.load(std::memory_order_acquire) == 0 && std::chrono::steady_clock::now() < end) {
          for (int i = 0; i < 16; i++) pause();
        }
        lock.lock();
        spinner_.store(false);
      }
      wake_.wait(lock, [this] { return !jobs_.empty() || !helpers_.empty(); });
      idle_--;
    }
    std::shared_ptr<Task> task = take();
    lock.unlock();
    task->execute();
    task.reset();
    lock.lock();
  }
}

}  // namespace extrema
