// The portable 64-bit roaring format: how sets of rows lie in files and in the log.
// Specification: github.com/RoaringBitmap/RoaringFormatSpec (32-bit bitmaps, and the extension that
// counts them and puts the upper 32 bits before each). Encoding is CRoaring's; decoding is ours,
// because bytes from a file must be checked in full and Debian's CRoaring does not.
#ifndef NPK_CORE_STORE_ROARING_FORMAT_H_
#define NPK_CORE_STORE_ROARING_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "npk/status.h"

struct roaring_bitmap_s;

namespace npk::internal {

class RoaringEncoder {
 public:
  RoaringEncoder() = default;
  ~RoaringEncoder();
  RoaringEncoder(const RoaringEncoder&) = delete;
  RoaringEncoder& operator=(const RoaringEncoder&) = delete;

  /// Adds the rows first_row + i whose bit i is set. Requires: ascending first_row, multiples of
  /// 65,536.
  void add_block(uint64_t first_row, std::span<const uint64_t, 1024> words);
  /// Adds rows; those with the same upper 32 bits must come together, in ascending order of them.
  void add_rows(uint32_t upper, std::span<const uint32_t> lower);
  /// Adds [begin, end) of the rows that share the upper 32 bits.
  void add_range(uint32_t upper, uint64_t begin, uint64_t end);
  [[nodiscard]] std::vector<std::byte> finish() &&;

 private:
  roaring_bitmap_s* bitmap_of(uint32_t upper);
  std::vector<std::pair<uint32_t, roaring_bitmap_s*>> bitmaps_;  // By upper 32 bits.
};

/// The bitmap of these rows (any order, duplicates allowed).
std::vector<std::byte> encode_roaring(std::span<const uint64_t> rows);
/// The bitmap of [begin, end).
std::vector<std::byte> encode_roaring_range(uint64_t begin, uint64_t end);

/// Calls `sink(first_row, word, bits)` for the words of each container, in ascending order of
/// first_row (a multiple of 65,536). Rows must be below row_count. Every length is checked before
/// it is used. Errors: Corruption with the offset.
Status decode_roaring(std::span<const std::byte> bytes, uint64_t row_count,
                      const std::function<void(uint64_t, uint64_t, uint64_t)>& sink);

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_ROARING_FORMAT_H_
