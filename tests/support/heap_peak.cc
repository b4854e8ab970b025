#include "tests/support/heap_peak.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#include <malloc.h>

namespace {

std::atomic<int64_t> taken{0};
std::atomic<int64_t> most{0};

void* counted(void* memory) {
  if (memory == nullptr) std::abort();
  const auto bytes = static_cast<int64_t>(malloc_usable_size(memory));
  const int64_t now = taken.fetch_add(bytes) + bytes;
  int64_t known = most.load();
  while (now > known && !most.compare_exchange_weak(known, now)) {
  }
  return memory;
}

void give_back(void* memory) {
  if (memory == nullptr) return;
  taken.fetch_sub(static_cast<int64_t>(malloc_usable_size(memory)));
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t bytes) { return counted(std::malloc(std::max<size_t>(1, bytes))); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  const auto unit = static_cast<std::size_t>(alignment);
  return counted(std::aligned_alloc(unit, (std::max<size_t>(1, bytes) + unit - 1) / unit * unit));
}
// std::stable_sort takes its buffer with this one, and gives it back with the usual one.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  void* memory = std::malloc(std::max<size_t>(1, bytes));
  return memory == nullptr ? nullptr : counted(memory);
}
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { give_back(memory); }

namespace npk::testing {

HeapPeak::HeapPeak() : before_(taken.load()) { most.store(before_); }

uint64_t HeapPeak::bytes() const { return static_cast<uint64_t>(most.load() - before_); }

}  // namespace npk::testing
