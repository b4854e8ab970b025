// DeletedRows: the set of an array's deleted rows, and the translation between logical rows
// (deleted ones left out) and physical rows (places in the file).
//
// Immutable: with() returns a new set that shares what it did not touch, so a reader keeps the
// state it began with. Rows are held in blocks of 65,536 (deleted_block.h), those that have
// deletions: rows that are not deleted take no memory, however many the array has. On disk and in
// the log the set is a 64-bit roaring bitmap in the portable format
// (github.com/RoaringBitmap/RoaringFormatSpec).
//
// Complexity, for b blocks with deletions: a block is found in O(1) if none before is without any,
// else in O(log b), and a row in it in O(1), or O(log r) if it has only r runs of deleted ones;
// physical O(log b); with(m rows) O(m + b).
#ifndef NPK_CORE_STORE_DELETED_ROWS_H_
#define NPK_CORE_STORE_DELETED_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/store/deleted_block.h"
#include "npk/status.h"

namespace npk::internal {

class DeletedRows {
 public:
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

  /// This set and these physical rows (ascending; those already in it make no difference).
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
  /// row_count. Takes memory for the runs and blocks that the bytes name, whatever row_count is.
  static Result<std::shared_ptr<const DeletedRows>> decode(std::span<const std::byte> bytes,
                                                           uint64_t row_count) {
    return DeletedRows().with_encoded(bytes, row_count);
  }

 private:
  struct Entry {
    uint64_t index = 0;  // Of the block: its first row / kBlockRows.
    std::shared_ptr<const DeletedBlock> block;
    uint64_t before = 0;  // Deleted rows before the block.
  };
  class Changes;
  template <size_t kLanes>
  void to_physical(uint64_t* rows) const noexcept;
  /// The last entry with at most this index; null if there is none.
  [[nodiscard]] const Entry* entry_up_to(uint64_t index) const noexcept;
  [[nodiscard]] const DeletedBlock* find_block(uint64_t index) const noexcept;

  uint64_t count_ = 0;
  std::vector<Entry> entries_;  // By index; only blocks with deletions.
};

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_DELETED_ROWS_H_
