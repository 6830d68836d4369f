#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace extrema {

// Zeroed memory, which the thread keeps for its next small blocks when it is given back.
void* takeZeroed(size_t bytes);
void giveBack(void* block, size_t bytes) noexcept;
// Asks for large pages under a large block: fewer faults where it is new, fewer misses of the translation
// buffer where it is read across rows. Only Linux waits to be asked.
void preferHugePages(void* block, size_t bytes) noexcept;
// Moves a large block that has its pages already to large ones, once for many reads of it: it costs about as
// much as to copy it. Where the system cannot, things stay as they are.
void gatherPages(const void* block, size_t bytes) noexcept;

// Zeroed memory on cache-line borders, padded so that whole vectors may be read and written past the last
// element.
template <class T>
class Aligned {
 public:
  static constexpr size_t kPad = 64 / sizeof(T) * 2;

  Aligned() = default;
  explicit Aligned(size_t size) : size_(size), bytes_((size + kPad) * sizeof(T) + 64) {
    raw_ = takeZeroed(bytes_);
    const auto address = reinterpret_cast<uintptr_t>(raw_);
    data_ = reinterpret_cast<T*>((address + 63) / 64 * 64);
  }
  ~Aligned() { giveBack(raw_, bytes_); }
  Aligned(Aligned&& other) noexcept { swap(other); }
  Aligned& operator=(Aligned&& other) noexcept {
    swap(other);
    return *this;
  }

  T* data() noexcept { return data_; }
  const T* data() const noexcept { return data_; }
  size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  T& operator[](size_t i) noexcept { return data_[i]; }
  const T& operator[](size_t i) const noexcept { return data_[i]; }
  T* begin() noexcept { return data_; }
  T* end() noexcept { return data_ + size_; }
  const T* begin() const noexcept { return data_; }
  const T* end() const noexcept { return data_ + size_; }

  void clear() noexcept { std::memset(static_cast<void*>(data_), 0, size_ * sizeof(T)); }

 private:
  void swap(Aligned& other) noexcept {
    std::swap(raw_, other.raw_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(bytes_, other.bytes_);
  }
  void* raw_ = nullptr;
  T* data_ = nullptr;
  size_t size_ = 0;
  size_t bytes_ = 0;
};

// `count` elements of T rounded up to whole cache lines: the row pitch of padded matrices.
template <class T>
constexpr size_t padded(size_t count) {
  constexpr size_t line = 64 / sizeof(T);
  return (count + line - 1) / line * line;
}

}  // namespace extrema
