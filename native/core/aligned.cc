#include "core/aligned.h"

#include <array>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace extrema {

namespace {

constexpr size_t kHugePage = size_t{1} << 21, kLeastHuge = size_t{1} << 22;

// Blocks come in sizes of 1, 1.25, 1.5 and 1.75 times a power of two; those up to 1 MiB are kept by the
// thread that frees them, a few of each size: a batch of small solves would otherwise return its memory to
// the system and fault it in again for every problem, all threads waiting for one lock of the kernel's.
constexpr size_t kLeast = 256, kMost = size_t{1} << 20, kMostKept = size_t{4} << 20;
constexpr int kClasses = 4 * 12 + 1, kPerClass = 12;

struct SizeClass {
  int index;
  size_t bytes;
};

SizeClass classOf(size_t bytes) {
  size_t power = kLeast;
  int index = 0;
  while (power * 2 <= bytes) {
    power *= 2;
    index += 4;
  }
  for (int quarter = 0; quarter < 4; quarter++, index++) {
    const size_t size = power + power / 4 * quarter;
    if (size >= bytes) return {index, size};
  }
  return {index, power * 2};
}

class Cache {
 public:
  ~Cache() {
    for (int c = 0; c < kClasses; c++) {
      while (counts_[c] > 0) std::free(blocks_[c][--counts_[c]]);
    }
  }
  void* take(const SizeClass& size) {
    if (counts_[size.index] == 0) return nullptr;
    total_ -= size.bytes;
    return blocks_[size.index][--counts_[size.index]];
  }
  bool keep(const SizeClass& size, void* block) {
    if (counts_[size.index] == kPerClass || total_ + size.bytes > kMostKept) return false;
    total_ += size.bytes;
    blocks_[size.index][counts_[size.index]++] = block;
    return true;
  }

 private:
  size_t total_ = 0;
  std::array<int, kClasses> counts_{};
  std::array<std::array<void*, kPerClass>, kClasses> blocks_;
};

// Sanitizers are to see every block come and go.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kCaching = false;
#else
constexpr bool kCaching = true;
#endif

thread_local Cache cache;

#if defined(__linux__)
// For the large pages that lie within a large block.
void advise(void* block, size_t bytes, int advice) noexcept {
  if (bytes < kLeastHuge) return;
  const auto from = (reinterpret_cast<uintptr_t>(block) + kHugePage - 1) / kHugePage * kHugePage;
  const auto to = (reinterpret_cast<uintptr_t>(block) + bytes) / kHugePage * kHugePage;
  if (to > from) madvise(reinterpret_cast<void*>(from), to - from, advice);
}
#endif

}  // namespace

void preferHugePages(void* block, size_t bytes) noexcept {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  // Where the system has none, things stay as they are.
  advise(block, bytes, MADV_HUGEPAGE);
#else
  (void)block, (void)bytes;
#endif
}

void gatherPages(const void* block, size_t bytes) noexcept {
#if defined(__linux__)
  // MADV_COLLAPSE, since Linux 6.1; headers may be older.
  constexpr int kCollapse = 25;
  advise(const_cast<void*>(block), bytes, kCollapse);
#else
  (void)block, (void)bytes;
#endif
}

void* takeZeroed(size_t bytes) {
  if (!kCaching || bytes > kMost) {
    void* block = std::calloc(bytes, 1);
    if (block == nullptr) throw std::bad_alloc();
    preferHugePages(block, bytes);
    return block;
  }
  const SizeClass size = classOf(bytes);
  void* block = cache.take(size);
  if (block == nullptr) block = std::malloc(size.bytes);
  if (block == nullptr) throw std::bad_alloc();
  std::memset(block, 0, bytes);
  return block;
}

void giveBack(void* block, size_t bytes) noexcept {
  if (block == nullptr) return;
  if (!kCaching || bytes > kMost || !cache.keep(classOf(bytes), block)) std::free(block);
}

}  // namespace extrema
