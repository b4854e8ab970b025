#include "io/sim_memory.h"

#include <array>
#include <bit>
#include <mutex>
#include <sys/mman.h>
#include <vector>

namespace npk::io {
namespace {

constexpr size_t kMostKeptOfASize = 256;

struct Pool {
  std::mutex mutex;
  std::array<std::vector<std::byte*>, 64> free;  // by log2 of the capacity
};

Pool& pool() {
  // Never destroyed: mappings may outlive main.
  static Pool& instance = *new Pool;
  return instance;
}

}  // namespace

std::byte* acquire_range(uint64_t capacity_bytes) {
  {
    const std::lock_guard lock(pool().mutex);
    auto& free = pool().free[static_cast<size_t>(std::countr_zero(capacity_bytes))];
    if (!free.empty()) {
      std::byte* const data = free.back();
      free.pop_back();
      return data;
    }
  }
  void* const data = ::mmap(nullptr, capacity_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) return nullptr;
  // A huge page would make the first byte of a sparse range cost 2 MiB.
  ::madvise(data, capacity_bytes, MADV_NOHUGEPAGE);
  return static_cast<std::byte*>(data);
}

void release_range(std::byte* data, uint64_t capacity_bytes, bool is_zeroed) {
  if (is_zeroed) {
    const std::lock_guard lock(pool().mutex);
    auto& free = pool().free[static_cast<size_t>(std::countr_zero(capacity_bytes))];
    if (free.size() < kMostKeptOfASize) {
      free.push_back(data);
      return;
    }
  }
  ::munmap(data, capacity_bytes);
}

}  // namespace npk::io
