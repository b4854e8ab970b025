// RowBits: a bit for each of 65,536 rows, as blocks of deleted rows and roaring containers have it.
#ifndef NPK_CORE_STORE_ROW_BITS_H_
#define NPK_CORE_STORE_ROW_BITS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace npk::internal {

/// Of a container of the roaring format, and of a block of deleted rows.
inline constexpr uint64_t kContainerRows = 65'536;
using RowBits = std::array<uint64_t, kContainerRows / 64>;

/// The lowest `bit` bits, all for 64 and more.
inline uint64_t mask_below(uint64_t bit) {
  return bit >= 64 ? ~uint64_t{0} : (uint64_t{1} << bit) - 1;
}
/// How many bits are set: without the processor's instruction, which not all have, faster than the
/// compiler's function (Knuth, The Art of Computer Programming 7.1.3).
inline uint64_t count_bits(uint64_t word) {
  word -= (word >> 1) & 0x5555555555555555;
  word = (word & 0x3333333333333333) + ((word >> 2) & 0x3333333333333333);
  word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
  return (word * 0x0101010101010101) >> 56;
}
/// Sets the bits [begin, end).
void set_bits(uint64_t* words, uint64_t begin, uint64_t end);
/// The first row at or after `row` whose bit is `is_set`; kContainerRows if there is none.
[[nodiscard]] uint64_t next_row(const RowBits& bits, uint64_t row, bool is_set);
/// Rows that follow each other.
struct BitRun {
  uint32_t begin;
  uint32_t end;
};
/// Those of rows whose bits are set, ascending.
[[nodiscard]] std::vector<BitRun> runs_of(const RowBits& bits);
/// How many there are of them; above `most`, any number above it.
[[nodiscard]] uint64_t count_runs(const RowBits& bits, uint64_t most);

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_ROW_BITS_H_
