// prefetch_ahead: how the kernels ask for the memory that they will read.
//
// Twice: far ahead into the second-level cache, which can have many more lines under way than the
// first-level one and keeps going while a row is finished, and nearer into the first. How far is
// best differs: sequential_ahead() knows.
#ifndef NPK_SIMD_PREFETCH_H_
#define NPK_SIMD_PREFETCH_H_

#include <cstddef>
#include <cstdint>

namespace npk::simd {

/// How far ahead of what a kernel reads it asks for memory: into the second-level cache and into
/// the first. 0: not at all, where what follows is not wanted or asked for already.
struct Ahead {
  size_t far_bytes = 0;
  size_t near_bytes = 0;
};

/// What is best on this processor for rows that are read one after the other.
Ahead sequential_ahead() noexcept;

/// Asks for two lines behind `at`. An address past the end is no access: prefetches do not fault.
/// Always inlined: a copy could be compiled for one target and be run on another.
__attribute__((always_inline)) inline void prefetch_ahead(const void* at, Ahead ahead) {
  if (ahead.far_bytes == 0) return;
  const auto address = reinterpret_cast<uintptr_t>(at);
  __builtin_prefetch(reinterpret_cast<const void*>(address + ahead.far_bytes), 0, 2);
  __builtin_prefetch(reinterpret_cast<const void*>(address + ahead.near_bytes), 0, 3);
}

/// Rows that lie scattered are asked for in groups of 8 KiB, each while the one before is worked
/// on. Measured on Zen 4 with a bare sum over a tenth of rows of 512 bytes: of the speed of as many
/// bytes in sequence 1.00 (pages of 4 KiB); groups of 4 KiB 0.75, of 16 KiB 0.79. The same 8 KiB
/// are best for rows of 256 to 3072 bytes.
inline constexpr size_t kScatteredBytes = 8192;
inline constexpr size_t kMostScatteredRows = 64;

/// Rows of a group: a power of 2, at most kMostScatteredRows.
__attribute__((always_inline)) inline size_t scattered_rows(size_t row_bytes) {
  size_t rows = kMostScatteredRows;
  while (rows > 1 && rows * row_bytes > kScatteredBytes) rows /= 2;
  return rows;
}

/// Asks for a group of rows, row i at rows + numbers[i] * row_bytes, into the second-level cache:
/// for the first line of each row, then for the second of each, and so on. A row at a time looks
/// like a stream to the processor, which then drags in what lies behind the row (measured as
/// above: 0.62).
__attribute__((always_inline)) inline void prefetch_rows(const void* rows, size_t row_bytes,
                                                         const uint64_t* numbers, size_t count) {
  uintptr_t begins[kMostScatteredRows];
  for (size_t i = 0; i < count; ++i) {
    begins[i] = reinterpret_cast<uintptr_t>(rows) + numbers[i] * row_bytes;
  }
  const auto ask = [&](size_t offset) __attribute__((always_inline)) {
    for (size_t i = 0; i < count; ++i) {
      __builtin_prefetch(reinterpret_cast<const void*>(begins[i] + offset), 0, 2);
    }
  };
  for (size_t offset = 0; offset < row_bytes; offset += 64) ask(offset);
  // Rows that do not begin at a line may end in one more.
  if ((reinterpret_cast<uintptr_t>(rows) | row_bytes) % 64 != 0) ask(row_bytes - 1);
}

}  // namespace npk::simd

#endif  // NPK_SIMD_PREFETCH_H_
