#include "core/store/deleted_block.h"

#include <algorithm>
#include <bit>

namespace npk::internal {
namespace {

// So many runs take 2 KB, a fifth of what bits take, and are searched through as quickly.
constexpr size_t kMostRuns = 512;
constexpr uint64_t kPieceWords = 2;
constexpr uint64_t kPieceRows = kPieceWords * 64;
constexpr uint64_t kEveryByte = 0x0101010101010101;

/// Bit n * 256 + b: position of the n-th one bit (counted from 0) of the byte b.
constexpr auto kSelectInByte = [] {
  std::array<uint8_t, 8 * 256> table{};
  for (size_t byte = 0; byte < 256; ++byte) {
    size_t ones = 0;
    for (uint8_t bit = 0; bit < 8; ++bit) {
      if ((byte >> bit & 1) != 0) table[ones++ * 256 + byte] = bit;
    }
  }
  return table;
}();

/// Position of the n-th zero bit (counted from 0) of a word that has more than n. Without branches:
/// the counts of all bytes at once (Vigna, Broadword Implementation of Rank/Select Queries, 2008).
uint64_t select_zero(uint64_t word, uint64_t n) {
  const uint64_t bits = ~word;
  uint64_t counts = bits - ((bits >> 1) & (kEveryByte * 0x55));
  counts = (counts & (kEveryByte * 0x33)) + ((counts >> 2) & (kEveryByte * 0x33));
  counts = (counts + (counts >> 4)) & (kEveryByte * 0x0f);
  counts *= kEveryByte;  // Byte i: ones in bytes 0 to i.
  const uint64_t passed = ((kEveryByte * (n | 0x80)) - counts) & (kEveryByte * 0x80);
  const uint64_t shift = (((passed >> 7) * kEveryByte) >> 56) * 8;
  const uint64_t rest = n - (((counts << 8) >> shift) & 0xff);
  return shift + kSelectInByte[rest * 256 + ((bits >> shift) & 0xff)];
}

}  // namespace

DeletedBlock::DeletedBlock(const RowBits& deleted) {
  const uint64_t runs = count_runs(deleted, kMostRuns);
  if (runs > kMostRuns) {
    bits_ = std::make_unique<const RowBits>(deleted);
    pieces_.reserve(kContainerRows / kPieceRows);
    for (uint64_t row = 0; row < kContainerRows; row += kPieceRows) {
      pieces_.push_back({static_cast<uint16_t>(row), static_cast<uint16_t>(row - count_)});
      for (uint64_t word = row / 64; word < (row + kPieceRows) / 64; ++word) {
        count_ += static_cast<uint32_t>(count_bits(deleted[word]));
      }
    }
    return;
  }
  pieces_.reserve(runs + ((deleted[0] & 1) == 0 ? 1 : 0));
  if ((deleted[0] & 1) == 0) pieces_.push_back({0, 0});
  for (const BitRun& run : runs_of(deleted)) {
    pieces_.push_back(
        {static_cast<uint16_t>(run.begin), static_cast<uint16_t>(run.begin - count_)});
    count_ += run.end - run.begin;
  }
}

size_t DeletedBlock::piece_of(uint64_t row) const noexcept {
  if (bits_ != nullptr) return row / kPieceRows;
  return last_up_to<1>({pieces_.size()}, {row},
                       [&](size_t, size_t piece) { return pieces_[piece].begin; })[0];
}

bool DeletedBlock::is_deleted(uint64_t row) const noexcept {
  if (bits_ != nullptr) return (((*bits_)[row / 64] >> (row % 64)) & 1) != 0;
  return row < end_of_run(piece_of(row));
}

uint64_t DeletedBlock::deleted_before(uint64_t row) const noexcept {
  const size_t piece = piece_of(row);
  const uint64_t before = deleted_before_piece(piece);
  if (bits_ == nullptr) return before + std::min(row, end_of_run(piece)) - pieces_[piece].begin;
  const RowBits& bits = *bits_;
  const uint64_t word = row / 64;
  const uint64_t first_word = word % kPieceWords == 0 ? 0 : bits[word - 1];
  return before + count_bits(first_word) + count_bits(bits[word] & mask_below(row % 64));
}

uint64_t DeletedBlock::next(uint64_t row, bool is_deleted) const noexcept {
  if (bits_ != nullptr) return next_row(*bits_, row, is_deleted);
  const size_t piece = piece_of(row);
  const bool is_in_run = row < end_of_run(piece);
  if (is_in_run == is_deleted) return row;
  if (is_in_run) return end_of_run(piece);
  return piece + 1 < pieces_.size() ? pieces_[piece + 1].begin : kContainerRows;
}

void DeletedBlock::add_bits(uint64_t begin, uint64_t end, uint64_t* out,
                            uint64_t at) const noexcept {
  if (bits_ == nullptr) {
    for (size_t piece = piece_of(begin); piece < pieces_.size(); ++piece) {
      const uint64_t first = std::max<uint64_t>(begin, pieces_[piece].begin);
      if (first >= end) break;
      const uint64_t last = std::min(end, end_of_run(piece));
      if (first < last) set_bits(out, at + first - begin, at + last - begin);
    }
    return;
  }
  for (uint64_t row = begin; row < end; row += 64, at += 64) {
    const uint64_t shift = row % 64;
    uint64_t bits = (*bits_)[row / 64] >> shift;
    if (shift != 0 && row / 64 + 1 < bits_->size()) {
      bits |= (*bits_)[row / 64 + 1] << (64 - shift);
    }
    bits &= mask_below(end - row);
    out[at / 64] |= bits << (at % 64);
    if (at % 64 != 0 && bits >> (64 - at % 64) != 0) out[at / 64 + 1] |= bits >> (64 - at % 64);
  }
}

RowBits DeletedBlock::bits() const noexcept {
  if (bits_ != nullptr) return *bits_;
  RowBits bits{};
  add_bits(0, kContainerRows, bits.data(), 0);
  return bits;
}

uint64_t DeletedBlock::place(size_t piece, uint64_t live) const noexcept {
  if (bits_ == nullptr) return live + deleted_before_piece(piece + 1);
  if (live >= kContainerRows - count_) return live + count_;
  const uint64_t* const words = bits_->data() + piece * kPieceWords;
  const uint64_t rest = live - pieces_[piece].live_before;
  const uint64_t live_in_first = 64 - count_bits(words[0]);
  const uint64_t is_second = rest >= live_in_first ? 1 : 0;
  return piece * kPieceRows + is_second * 64 +
         select_zero(words[is_second], rest - is_second * live_in_first);
}

template <size_t kLanes>
void DeletedBlock::to_places(const std::array<const DeletedBlock*, kLanes>& blocks,
                             std::array<uint64_t, kLanes>& rows) noexcept {
  std::array<const Piece*, kLanes> pieces;
  std::array<size_t, kLanes> sizes;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    pieces[lane] = blocks[lane]->pieces_.data();
    sizes[lane] = blocks[lane]->pieces_.size();
  }
  const auto piece = last_up_to<kLanes>(
      sizes, rows, [&](size_t lane, size_t i) { return pieces[lane][i].live_before; });
  for (size_t lane = 0; lane < kLanes; ++lane) {
    rows[lane] = blocks[lane]->place(piece[lane], rows[lane]);
  }
}

template void DeletedBlock::to_places(const std::array<const DeletedBlock*, 1>&,
                                      std::array<uint64_t, 1>&) noexcept;
template void DeletedBlock::to_places(const std::array<const DeletedBlock*, kInStep>&,
                                      std::array<uint64_t, kInStep>&) noexcept;

}  // namespace npk::internal
