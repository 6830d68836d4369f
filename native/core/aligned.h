#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace extrema {

// Zeroed memory on cache-line borders, padded so that whole vectors may be read and written past the last
// element.
template <class T>
class Aligned {
 public:
  static constexpr size_t kPad = 64 / sizeof(T) * 2;

  Aligned() = default;
  explicit Aligned(size_t size) : size_(size) {
    const size_t bytes = (size + kPad) * sizeof(T) + 64;
    // Small blocks come faster from malloc's thread cache, large ones come zeroed from the system.
    const bool small = bytes <= (size_t{1} << 16);
    raw_ = small ? std::malloc(bytes) : std::calloc(bytes, 1);
    if (raw_ == nullptr) throw std::bad_alloc();
    if (small) std::memset(raw_, 0, bytes);
    const auto address = reinterpret_cast<uintptr_t>(raw_);
    data_ = reinterpret_cast<T*>((address + 63) / 64 * 64);
  }
  ~Aligned() { std::free(raw_); }
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
  }
  void* raw_ = nullptr;
  T* data_ = nullptr;
  size_t size_ = 0;
};

// `count` elements of T rounded up to whole cache lines: the row pitch of padded matrices.
template <class T>
constexpr size_t padded(size_t count) {
  constexpr size_t line = 64 / sizeof(T);
  return (count + line - 1) / line * line;
}

}  // namespace extrema
