// prefetch_ahead: how the kernels ask for the memory that they will read.
//
// Twice: far ahead into the second-level cache, which can have many more lines under way than the
// first-level one and keeps going while a row is finished, and near ahead from there into the
// first. How far is best differs: sequential_ahead() knows.
#ifndef NPK_SIMD_PREFETCH_H_
#define NPK_SIMD_PREFETCH_H_

#include <cstddef>
#include <cstdint>

namespace npk::simd {

/// How far ahead of what a kernel reads it asks for memory: into the second-level cache and into
/// the first. 0: nowhere, where what follows is not wanted.
struct Ahead {
  size_t far_bytes = 0;
  size_t near_bytes = 0;
};

/// What is best on this processor for rows that are read one after the other.
Ahead sequential_ahead() noexcept;

/// Asks for two lines behind `at`. An address past the end is no access: prefetches do not fault.
/// Always inlined: a copy could be compiled for one target and be run on another.
__attribute__((always_inline)) inline void prefetch_ahead(const void* at, Ahead ahead) {
  const auto address = reinterpret_cast<uintptr_t>(at);
  __builtin_prefetch(reinterpret_cast<const void*>(address + ahead.far_bytes), 0, 2);
  __builtin_prefetch(reinterpret_cast<const void*>(address + ahead.near_bytes), 0, 3);
}

/// Asks for a row that is read some rows later, into the second-level cache: AMD's prefetchers drag
/// in what lies beside if it is the first (measured on Zen 4: a third slower).
__attribute__((always_inline)) inline void prefetch_row(const void* row, size_t bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(row);
  for (uintptr_t at = begin & ~uintptr_t{63}; at < begin + bytes; at += 64) {
    __builtin_prefetch(reinterpret_cast<const void*>(at), 0, 2);
  }
}

/// How many rows ahead, of rows that lie scattered: twice what a core can have under way.
inline constexpr size_t kScatteredBytesAhead = 8192;
__attribute__((always_inline)) inline size_t scattered_rows_ahead(size_t row_bytes) {
  return kScatteredBytesAhead / (row_bytes == 0 ? 1 : row_bytes) + 1;
}

}  // namespace npk::simd

#endif  // NPK_SIMD_PREFETCH_H_
