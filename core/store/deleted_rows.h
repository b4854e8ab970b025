// DeletedRows: the set of an array's deleted rows, and the translation between logical rows
// (deleted ones left out) and physical rows (places in the file).
//
// Immutable: with() returns a new set that shares what it did not touch, so a reader keeps the
// state it began with. Rows are held in blocks of 65,536: a bitmap with running counts for a block
// that has deletions, nothing for one that has none, however many rows the array has. On disk and
// in the log the set is a 64-bit roaring bitmap in the portable format
// (github.com/RoaringBitmap/RoaringFormatSpec).
//
// Complexity, for b blocks with deletions: is_deleted and logical O(1) if no block before is
// without any, else O(log b); physical O(log b); with(m rows) O(m + b).
#ifndef NPK_CORE_STORE_DELETED_ROWS_H_
#define NPK_CORE_STORE_DELETED_ROWS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "npk/status.h"

namespace npk::internal {

class DeletedRows {
 public:
  static constexpr uint64_t kBlockRows = 65'536;

  DeletedRows() = default;

  [[nodiscard]] uint64_t count() const noexcept { return count_; }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] bool is_deleted(uint64_t physical) const noexcept;
  /// Place in the file of logical row `logical`. Requires: it is a live row of the array.
  [[nodiscard]] uint64_t physical(uint64_t logical) const noexcept {
    to_physical({&logical, 1});
    return logical;
  }
  /// As physical() for many rows, in any order, in place: several times faster than one by one.
  void to_physical(std::span<uint64_t> rows) const noexcept;
  /// Live rows before physical row `physical`: its own logical number if it is live.
  [[nodiscard]] uint64_t logical(uint64_t physical) const noexcept;
  /// Bit i of word w is 1 if row begin + 64 w + i is deleted; bits at and after `end` are 0.
  /// Requires: out holds (end - begin + 63) / 64 words.
  void deleted_words(uint64_t begin, uint64_t end, uint64_t* out) const noexcept;
  /// The longest live run that starts at or after `begin`: [run.begin, run.end), empty at `end`.
  struct Run {
    uint64_t begin = 0;
    uint64_t end = 0;
  };
  [[nodiscard]] Run next_live_run(uint64_t begin, uint64_t end) const noexcept;

  /// This set and these physical rows (any order; those already in it make no difference).
  [[nodiscard]] std::shared_ptr<const DeletedRows> with(std::span<const uint64_t> rows) const;
  /// As with(), for the range [begin, end).
  [[nodiscard]] std::shared_ptr<const DeletedRows> with_range(uint64_t begin, uint64_t end) const;

  /// As with(), for the rows of an encoded set. Errors: as decode().
  [[nodiscard]] Result<std::shared_ptr<const DeletedRows>> with_encoded(
      std::span<const std::byte> bytes, uint64_t row_count) const;

  /// Portable 64-bit roaring bytes of the rows that `before` has not.
  [[nodiscard]] std::vector<std::byte> encode_added(const DeletedRows& before) const;
  /// Portable 64-bit roaring bytes of the whole set.
  [[nodiscard]] std::vector<std::byte> encode() const;
  /// Errors: Corruption (with the offset) for bytes that are no valid bitmap, or rows at or beyond
  /// row_count. Takes memory for the blocks that the bytes name, 9 KB each, whatever row_count is.
  static Result<std::shared_ptr<const DeletedRows>> decode(std::span<const std::byte> bytes,
                                                           uint64_t row_count) {
    return DeletedRows().with_encoded(bytes, row_count);
  }

 private:
  struct Block {
    std::array<uint64_t, kBlockRows / 64> deleted{};  // Bit set: deleted.
    std::array<uint16_t, kBlockRows / 128> before{};  // Deleted rows of the block before 128 i.
    uint32_t count = 0;
    void recount() noexcept;
  };
  struct Entry {
    uint64_t index = 0;  // Of the block: its first row / kBlockRows.
    std::shared_ptr<const Block> block;
    uint64_t before = 0;  // Deleted rows before the block.
  };
  template <size_t kLanes>
  void to_physical(uint64_t* rows) const noexcept;
  /// The last entry with at most this index; null if there is none.
  [[nodiscard]] const Entry* entry_up_to(uint64_t index) const noexcept;
  [[nodiscard]] const Block* find_block(uint64_t index) const noexcept;
  /// A copy of the block to change; empty if there is none.
  [[nodiscard]] std::shared_ptr<Block> copy_block(uint64_t index) const;
  /// This set with these blocks, in order, instead of its own.
  [[nodiscard]] std::shared_ptr<const DeletedRows> with_blocks(std::vector<Entry> changed) const;

  uint64_t count_ = 0;
  std::vector<Entry> entries_;  // By index; only blocks with deletions.
};

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_DELETED_ROWS_H_
