// DeletedBlock: which of 65,536 rows are deleted, and where those lie that are not.
//
// The block is cut into pieces, of which each knows how many live rows lie before it. Where the
// deleted rows form few runs, a piece begins with a run and the rest of it is live; else a piece is
// of 128 rows, with a bit for each. So few runs take few bytes, and no block takes more than 10 KB.
//
// Immutable.
#ifndef NPK_CORE_STORE_DELETED_BLOCK_H_
#define NPK_CORE_STORE_DELETED_BLOCK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/store/row_bits.h"

namespace npk::internal {

class DeletedBlock {
 public:
  explicit DeletedBlock(const RowBits& deleted);

  [[nodiscard]] uint64_t count() const noexcept { return count_; }
  [[nodiscard]] bool is_deleted(uint64_t row) const noexcept;
  /// Deleted rows before `row`. Requires: row < kContainerRows.
  [[nodiscard]] uint64_t deleted_before(uint64_t row) const noexcept;
  /// The first row at or after `row` that is deleted, or that is not; kContainerRows if there is
  /// none.
  [[nodiscard]] uint64_t next(uint64_t row, bool is_deleted) const noexcept;
  /// Sets bit at + i of `out` for each row begin + i that is deleted. Requires: they are in the
  /// block.
  void add_bits(uint64_t begin, uint64_t end, uint64_t* out, uint64_t at) const noexcept;
  [[nodiscard]] RowBits bits() const noexcept;

  /// For each lane, in place: the row of the block's live row `rows[lane]`, counted from 0, as if
  /// only live ones followed the block. In step, several times faster than one by one.
  /// Instantiated for one lane and for kInStep.
  template <size_t kLanes>
  static void to_places(const std::array<const DeletedBlock*, kLanes>& blocks,
                        std::array<uint64_t, kLanes>& rows) noexcept;
  static constexpr size_t kInStep = 8;  ///< More need more registers than there are.

 private:
  struct Piece {
    uint16_t begin;
    uint16_t live_before;
  };
  [[nodiscard]] size_t piece_of(uint64_t row) const noexcept;
  [[nodiscard]] uint64_t deleted_before_piece(size_t piece) const noexcept {
    if (piece == pieces_.size()) return count_;
    return uint64_t{pieces_[piece].begin} - pieces_[piece].live_before;
  }
  /// Behind the run that the piece begins with. Requires: no bits.
  [[nodiscard]] uint64_t end_of_run(size_t piece) const noexcept {
    return pieces_[piece].begin + deleted_before_piece(piece + 1) - deleted_before_piece(piece);
  }
  [[nodiscard]] uint64_t place(size_t piece, uint64_t live) const noexcept;

  std::vector<Piece> pieces_;  // The first begins at row 0.
  uint32_t count_ = 0;
  std::unique_ptr<const RowBits> bits_;  // Null: every piece begins with a run, or is all live.
};

/// For each lane the last i < sizes[lane] for which before(lane, i), which never falls, is at most
/// wanted[lane]; 0 if there is none. In step and without branches that depend on the data, so that
/// the processor waits for the loads of all lanes at once: that is most of the time.
template <size_t kLanes, typename Before>
std::array<size_t, kLanes> last_up_to(std::array<size_t, kLanes> sizes,
                                      const std::array<uint64_t, kLanes>& wanted,
                                      const Before& before) {
  std::array<size_t, kLanes> first{};
  size_t most = 0;
  for (const size_t size : sizes) most = size > most ? size : most;
  for (; most > 1; most -= most / 2) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const size_t half = sizes[lane] / 2;
      const bool is_behind = before(lane, first[lane] + half) <= wanted[lane];
      first[lane] += half & -static_cast<size_t>(is_behind);
      sizes[lane] -= half;
    }
  }
  return first;
}

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_DELETED_BLOCK_H_
