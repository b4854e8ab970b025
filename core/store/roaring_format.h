// The portable 64-bit roaring format: how sets of rows lie in files and in the log.
// Specification: github.com/RoaringBitmap/RoaringFormatSpec (32-bit bitmaps, and the extension that
// counts them and puts the upper 32 bits before each). Both ways take memory for what the bytes
// say, not for the rows between, and bytes from a file are checked in full.
#ifndef NPK_CORE_STORE_ROARING_FORMAT_H_
#define NPK_CORE_STORE_ROARING_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/store/row_bits.h"
#include "npk/status.h"

namespace npk::internal {

class RoaringEncoder {
 public:
  /// Adds runs of rows, counted from first_row. Requires: ascending first_row, multiples of
  /// kContainerRows; runs as those of runs_of().
  void add_container(uint64_t first_row, std::span<const BitRun> runs);
  [[nodiscard]] std::vector<std::byte> finish() &&;

 private:
  /// The containers of rows that share the upper 32 bits.
  struct Bitmap {
    uint32_t upper;
    std::vector<std::byte> run_flags;     // A bit for each container.
    std::vector<std::byte> descriptions;  // Key and count - 1 of each.
    std::vector<uint32_t> begins;         // Of each, in `containers`.
    std::vector<std::byte> containers;
    bool has_runs = false;
  };
  static void encode(const Bitmap& bitmap, std::vector<std::byte>& out);

  std::vector<Bitmap> bitmaps_;
};

/// The bitmap of these rows. Requires: ascending; duplicates are allowed.
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
