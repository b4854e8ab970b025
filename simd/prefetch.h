// How the kernels ask for the memory that they will read, and in which order they read it.
//
// Rows in sequence: far ahead into the second-level cache, which can have many more lines under way
// than the first-level one and keeps going while a row is finished, and nearer into the first. Rows
// that lie scattered: those 8 KiB further on. How far, and in which order, is best differs between
// processors: prefetch_policy() knows.
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

/// In which order rows that lie scattered are asked for.
enum class ScatteredOrder : uint8_t {
  /// Into the first-level cache, each line beside the same one of the row that is read.
  kByRow,
  /// Into the second-level cache, a group of rows while the one before is worked on: the first line
  /// of each, then the second of each, and so on.
  kByGroup,
};

/// How a processor is best asked for memory.
struct PrefetchPolicy {
  Ahead sequential;  // Rows that are read one after the other.
  /// Whether rows that lie back to back are read in the four quarters of their block at once, and
  /// asked for sequential.near_bytes ahead in each.
  bool in_quarters = false;
  ScatteredOrder scattered = ScatteredOrder::kByRow;
  /// Of a block of which so many eighths of the rows are wanted, or more, all are read.
  size_t whole_eighths = 8;
};

/// What is best on this processor.
const PrefetchPolicy& prefetch_policy() noexcept;

/// Asks for the nearer line behind `at`, into the first-level cache. An address past the end is no
/// access: prefetches do not fault. Always inlined: a copy could be compiled for one target and be
/// run on another.
__attribute__((always_inline)) inline void prefetch_near(const void* at, Ahead ahead) {
  const auto address = reinterpret_cast<uintptr_t>(at) + ahead.near_bytes;
  __builtin_prefetch(reinterpret_cast<const void*>(address), 0, 3);
}

/// Asks for both lines behind `at`.
__attribute__((always_inline)) inline void prefetch_ahead(const void* at, Ahead ahead) {
  if (ahead.far_bytes == 0) return;
  const auto address = reinterpret_cast<uintptr_t>(at) + ahead.far_bytes;
  __builtin_prefetch(reinterpret_cast<const void*>(address), 0, 2);
  prefetch_near(at, ahead);
}

/// Asks for the line of `at`, into the first-level cache.
__attribute__((always_inline)) inline void prefetch_line(const void* at) {
  __builtin_prefetch(at, 0, 3);
}

/// The same for the line that a row ends in: rows may begin anywhere in a line.
__attribute__((always_inline)) inline void prefetch_row_end(const void* row, size_t row_bytes) {
  prefetch_line(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(row) + row_bytes - 1));
}

/// What is read next: to be asked for while something else is computed, so that memory and
/// arithmetic are busy at once. Never dereferenced.
struct Upcoming {
  const void* at = nullptr;
  size_t bytes = 0;
};

/// Asks for part `part` of `parts` of it, evenly in so many steps, into the second-level cache.
class UpcomingRequests {
 public:
  __attribute__((always_inline))
  UpcomingRequests(const Upcoming& upcoming, size_t part, size_t parts, size_t steps)
      : at_(reinterpret_cast<uintptr_t>(upcoming.at) + upcoming.bytes / parts * part),
        step_bytes_(upcoming.bytes / parts / (steps + 1) + 1) {}
  __attribute__((always_inline)) void ask() {
    __builtin_prefetch(reinterpret_cast<const void*>(at_), 0, 2);
    at_ += step_bytes_;
  }

 private:
  uintptr_t at_;
  size_t step_bytes_;
};

/// How rows that lie scattered are asked for.
struct ScatteredAhead {
  /// So many rows before they are read, or in groups of so many: a power of 2, at most
  /// kMostScatteredRows.
  size_t rows = 1;
  ScatteredOrder order = ScatteredOrder::kByRow;
};

inline constexpr size_t kMostScatteredRows = 64;

/// What is best on this processor for rows of so many bytes.
ScatteredAhead scattered_ahead(size_t row_bytes) noexcept;

/// Asks for a group of rows, row i at rows + numbers[i] * row_bytes, into the second-level cache:
/// for the first line of each row, then for the second of each, and so on.
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
