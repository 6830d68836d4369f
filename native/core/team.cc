#include "core/team.h"

#include <chrono>
#include <thread>

#include "core/pause.h"
#include "core/pool.h"

namespace extrema {

namespace {

// A ticket holds the round, its number of chunks and the next chunk, so that one atomic read tells whether a
// claim is good: a claimed chunk below the count keeps the leader waiting, and with it the function alive.
constexpr int kBits = 20;
constexpr uint64_t kMask = (uint64_t{1} << kBits) - 1;
uint64_t ticketOf(uint64_t round, uint64_t chunks) { return round << (2 * kBits) | chunks << kBits; }
uint64_t roundOf(uint64_t ticket) { return ticket >> (2 * kBits); }
uint64_t chunksOf(uint64_t ticket) { return ticket >> kBits & kMask; }
uint64_t nextOf(uint64_t ticket) { return ticket & kMask; }

constexpr uint64_t kRounds = (uint64_t{1} << 24) - 1;

constexpr std::chrono::microseconds kSpin{60};
constexpr unsigned kMostThreads = 64;

}  // namespace

struct Team::Shared : Task {
  std::atomic<uint64_t> ticket{0};
  std::atomic<uint32_t> done{0};
  std::atomic<bool> stop{false};
  std::atomic<unsigned> members{0};                 // helpers here or asked for
  std::atomic<uint64_t> freeWorkers{~uint64_t{1}};  // worker 0 is the leader
  Call call = nullptr;
  void* function = nullptr;
  const Monitor* monitor = nullptr;

  // Claims and runs chunks until none is left in the round.
  void drain(unsigned worker) noexcept {
    for (;;) {
      const uint64_t seen = ticket.load(std::memory_order_acquire);
      if (nextOf(seen) >= chunksOf(seen)) return;
      const uint64_t mine = ticket.fetch_add(1, std::memory_order_acq_rel);
      if (nextOf(mine) >= chunksOf(mine)) return;
      if (!monitor->cancelled()) call(function, static_cast<uint32_t>(nextOf(mine)), worker);
      done.fetch_add(1, std::memory_order_release);
    }
  }

  void execute() noexcept override {
    const unsigned worker = takeWorker();
    uint64_t round = 0;
    while (awaitRound(round)) drain(worker);
    freeWorkers.fetch_or(uint64_t{1} << worker);
    members.fetch_sub(1);
  }

  // Waits a moment for the round after `round`. A helper that finds nothing to do, or that a waiting job
  // needs more, goes back to the pool; the leader asks for another when there is work again.
  bool awaitRound(uint64_t& round) noexcept {
    const auto end = std::chrono::steady_clock::now() + kSpin;
    do {
      for (int i = 0; i < 32; i++) {
        if (stop.load(std::memory_order_acquire)) return false;
        const uint64_t now = roundOf(ticket.load(std::memory_order_acquire));
        if (now != round) {
          round = now;
          return !Pool::instance().jobsWait();
        }
        pause();
      }
    } while (std::chrono::steady_clock::now() < end);
    return false;
  }

  unsigned takeWorker() noexcept {
    uint64_t free = freeWorkers.load();
    for (;;) {
      unsigned worker = 1;
      while ((free >> worker & 1) == 0) worker++;
      if (freeWorkers.compare_exchange_weak(free, free & ~(uint64_t{1} << worker))) return worker;
    }
  }
};

Team::Team(unsigned threads, const Monitor& monitor)
    : threads_(threads == 0             ? 1
               : threads > kMostThreads ? kMostThreads
                                        : threads),
      monitor_(monitor) {}

Team::~Team() {
  if (shared_) shared_->stop.store(true, std::memory_order_release);
}

void Team::runShared(uint32_t chunks, Call call, void* function) {
  if (!shared_) {
    shared_ = std::make_shared<Shared>();
    shared_->monitor = &monitor_;
    Pool::instance().allow(threads_);
  }
  Shared& shared = *shared_;
  shared.call = call;
  shared.function = function;
  shared.done.store(0, std::memory_order_relaxed);
  const uint64_t round = (roundOf(shared.ticket.load(std::memory_order_relaxed)) + 1) & kRounds;
  shared.ticket.store(ticketOf(round, chunks), std::memory_order_release);
  const unsigned missing = threads_ - 1 - shared.members.load();
  if (missing > 0) {
    shared.members.fetch_add(missing);
    Pool::instance().help(shared_, missing);
  }
  shared.drain(0);
  for (int spins = 0; shared.done.load(std::memory_order_acquire) != chunks; spins++) {
    if (spins < 4096) {
      pause();
    } else {
      std::this_thread::yield();
    }
  }
}

}  // namespace extrema
