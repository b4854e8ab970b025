// The content of a simulated file: a size and pages, shared between copies until one changes.
//
// A copy costs one pointer a page and no bytes; pages that hold only zeros are not kept, so that a
// sparse file of terabytes costs nothing. A power cut makes dozens of copies of every file, which
// is why this is not a vector.
//
// Invariant: beyond size_bytes() every byte is zero once trim() was called.
// Thread safety: distinct images may be used from distinct threads, even where they share pages.
#ifndef NPK_IO_SIM_IMAGE_H_
#define NPK_IO_SIM_IMAGE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "io/env.h"

namespace npk::io {

/// Counted pointer to something that is copied before it is changed. T has `owners`.
template <typename T>
class Shared {
 public:
  Shared() = default;
  /// Takes over a fresh object.
  explicit Shared(T* fresh) : at_(fresh) { at_->owners.store(1, std::memory_order_relaxed); }
  Shared(const Shared& other) : at_(other.at_) {
    if (at_ != nullptr) at_->owners.fetch_add(1, std::memory_order_relaxed);
  }
  Shared(Shared&& other) noexcept : at_(std::exchange(other.at_, nullptr)) {}
  Shared& operator=(Shared other) noexcept {
    std::swap(at_, other.at_);
    return *this;
  }
  ~Shared() {
    if (at_ != nullptr && at_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) delete at_;
  }

  [[nodiscard]] const T* get() const { return at_; }
  const T& operator*() const { return *at_; }
  const T* operator->() const { return at_; }
  /// The object for writing: a copy of its own if anybody else sees it.
  T& own() {
    if (at_->owners.load(std::memory_order_acquire) != 1) *this = Shared(new T(*at_));
    return *at_;
  }

 private:
  T* at_ = nullptr;
};

inline constexpr uint64_t kSimPageBytes = 4096;

struct SimPage {
  SimPage() = default;
  SimPage(const SimPage& other) : bytes(other.bytes) {}
  SimPage& operator=(const SimPage&) = delete;
  std::atomic<uint32_t> owners{0};
  std::array<std::byte, kSimPageBytes> bytes;
};

class SimImage {
 public:
  struct Slot {
    uint64_t number;
    Shared<SimPage> page;
  };

  SimImage() = default;
  SimImage(const SimImage& other) : size_bytes_(other.size_bytes_), slots_(other.slots_) {}
  SimImage& operator=(const SimImage&) = delete;

  [[nodiscard]] uint64_t size_bytes() const { return size_bytes_; }
  /// The pages that hold anything, by number.
  [[nodiscard]] std::span<const Slot> pages() const { return slots_; }
  /// Zeros where nothing was written; the size does not matter.
  void read(uint64_t offset_bytes, std::span<std::byte> out) const;
  /// Neither changes the size.
  void write(uint64_t offset_bytes, Bytes bytes);
  void write_zeros(uint64_t offset_bytes, uint64_t length_bytes);
  void set_size(uint64_t size_bytes) { size_bytes_ = size_bytes; }
  /// Forgets what lies beyond the size.
  void trim();
  [[nodiscard]] bool is_trimmed() const;
  /// Makes one page what it is in `other`.
  void take_page(uint64_t number, const SimImage& other);

  std::atomic<uint32_t> owners{0};

 private:
  /// Index of the first slot with that number or a later one.
  [[nodiscard]] size_t slot_at(uint64_t number) const;
  [[nodiscard]] bool holds(size_t slot, uint64_t number) const {
    return slot < slots_.size() && slots_[slot].number == number;
  }
  void write_page(uint64_t number, uint64_t from, Bytes bytes);

  uint64_t size_bytes_ = 0;
  std::vector<Slot> slots_;  // sorted by number
};

/// True if there is nothing but zeros.
bool is_all_zero(Bytes bytes);

}  // namespace npk::io

#endif  // NPK_IO_SIM_IMAGE_H_
