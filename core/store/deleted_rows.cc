#include "core/store/deleted_rows.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <map>

#include "core/store/roaring_format.h"

namespace npk::internal {
namespace {

constexpr uint64_t kBlockWords = DeletedRows::kBlockRows / 64;
constexpr uint64_t kEveryByte = 0x0101010101010101;

uint64_t mask_below(uint64_t bit) { return bit >= 64 ? ~uint64_t{0} : (uint64_t{1} << bit) - 1; }

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

/// For each lane the last i < size for which before(lane, i), which never falls, is at most
/// wanted[lane]; 0 if there is none. In step and without branches that depend on the data, so that
/// the processor waits for the loads of all lanes at once: that is most of the time.
template <size_t kLanes, typename Before>
std::array<size_t, kLanes> last_up_to(size_t size, const std::array<uint64_t, kLanes>& wanted,
                                      const Before& before) {
  std::array<size_t, kLanes> first{};
  for (size_t half = size / 2; size > 1; size -= half, half = size / 2) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const bool is_behind = before(lane, first[lane] + half) <= wanted[lane];
      first[lane] += half & -static_cast<size_t>(is_behind);
    }
  }
  return first;
}

}  // namespace

void DeletedRows::Block::recount() noexcept {
  count = 0;
  for (size_t word = 0; word < deleted.size(); ++word) {
    if (word % 2 == 0) before[word / 2] = static_cast<uint16_t>(count);
    count += static_cast<uint32_t>(std::popcount(deleted[word]));
  }
}

const DeletedRows::Entry* DeletedRows::entry_up_to(uint64_t index) const noexcept {
  // Where every block has deletions, or all of them lie in the first ones, it is there at once.
  if (index < entries_.size() && entries_[index].index == index) return &entries_[index];
  const auto behind = std::partition_point(entries_.begin(), entries_.end(),
                                           [&](const Entry& e) { return e.index <= index; });
  return behind == entries_.begin() ? nullptr : &behind[-1];
}

const DeletedRows::Block* DeletedRows::find_block(uint64_t index) const noexcept {
  const Entry* entry = entry_up_to(index);
  return entry != nullptr && entry->index == index ? entry->block.get() : nullptr;
}

std::shared_ptr<DeletedRows::Block> DeletedRows::copy_block(uint64_t index) const {
  const Block* block = find_block(index);
  return block != nullptr ? std::make_shared<Block>(*block) : std::make_shared<Block>();
}

std::shared_ptr<const DeletedRows> DeletedRows::with_blocks(std::vector<Entry> changed) const {
  auto result = std::make_shared<DeletedRows>();
  // Of two entries with one index, std::set_union takes that of the first list.
  std::set_union(changed.begin(), changed.end(), entries_.begin(), entries_.end(),
                 std::back_inserter(result->entries_),
                 [](const Entry& a, const Entry& b) { return a.index < b.index; });
  for (Entry& entry : result->entries_) {
    entry.before = result->count_;
    result->count_ += entry.block->count;
  }
  return result;
}

bool DeletedRows::is_deleted(uint64_t physical) const noexcept {
  const Block* block = find_block(physical / kBlockRows);
  const uint64_t row = physical % kBlockRows;
  return block != nullptr && ((block->deleted[row / 64] >> (row % 64)) & 1) != 0;
}

uint64_t DeletedRows::logical(uint64_t physical) const noexcept {
  const Entry* entry = entry_up_to(physical / kBlockRows);
  if (entry == nullptr) return physical;
  const Block& block = *entry->block;
  if (entry->index != physical / kBlockRows) return physical - entry->before - block.count;
  const uint64_t row = physical % kBlockRows;
  const uint64_t word = row / 64;
  const uint64_t first_word = word % 2 == 0 ? 0 : block.deleted[word - 1];
  return physical - entry->before - block.before[word / 2] -
         static_cast<uint64_t>(std::popcount(first_word)) -
         static_cast<uint64_t>(std::popcount(block.deleted[word] & mask_below(row % 64)));
}

template <size_t kLanes>
void DeletedRows::to_physical(uint64_t* rows) const noexcept {
  std::array<uint64_t, kLanes> wanted;
  std::copy_n(rows, kLanes, wanted.begin());
  // The last block with deletions that begins with at most so many live rows before it.
  const auto live_before_entry = [&](size_t, size_t i) {
    return entries_[i].index * kBlockRows - entries_[i].before;
  };
  const auto entry = last_up_to(entries_.size(), wanted, live_before_entry);
  std::array<const Block*, kLanes> block;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    block[lane] = entries_[entry[lane]].block.get();
    wanted[lane] -= live_before_entry(lane, entry[lane]);  // Wraps round before the first one.
  }
  const auto live_before_pair = [&](size_t lane, size_t pair) {
    return pair * 128 - block[lane]->before[pair];
  };
  const auto pair = last_up_to(kBlockWords / 2, wanted, live_before_pair);  // Of words.
  for (size_t lane = 0; lane < kLanes; ++lane) {
    const Entry& at = entries_[entry[lane]];
    if (wanted[lane] < kBlockRows - at.block->count) {
      const uint64_t* const words = at.block->deleted.data() + pair[lane] * 2;
      const uint64_t rest = wanted[lane] - live_before_pair(lane, pair[lane]);
      const uint64_t live_in_first = 64 - static_cast<uint64_t>(std::popcount(words[0]));
      const uint64_t is_second = rest >= live_in_first ? 1 : 0;
      rows[lane] = at.index * kBlockRows + pair[lane] * 128 + is_second * 64 +
                   select_zero(words[is_second], rest - is_second * live_in_first);
    } else if (rows[lane] >= live_before_entry(lane, entry[lane])) {
      rows[lane] += at.before + at.block->count;
    }
  }
}

void DeletedRows::to_physical(std::span<uint64_t> rows) const noexcept {
  constexpr size_t kLanes = 8;  // More need more registers than there are.
  if (entries_.empty()) return;
  for (; rows.size() >= kLanes; rows = rows.subspan(kLanes)) to_physical<kLanes>(rows.data());
  for (uint64_t& row : rows) to_physical<1>(&row);
}

void DeletedRows::deleted_words(uint64_t begin, uint64_t end, uint64_t* out) const noexcept {
  uint64_t index = UINT64_MAX;
  const Block* block = nullptr;
  const auto word_at = [&](uint64_t word) -> uint64_t {
    if (word / kBlockWords != index) {
      index = word / kBlockWords;
      block = find_block(index);
    }
    return block == nullptr ? 0 : block->deleted[word % kBlockWords];
  };
  const uint64_t shift = begin % 64;
  for (uint64_t row = begin; row < end; row += 64, ++out) {
    uint64_t bits = word_at(row / 64) >> shift;
    if (shift != 0) bits |= word_at(row / 64 + 1) << (64 - shift);
    *out = bits & mask_below(end - row);
  }
}

DeletedRows::Run DeletedRows::next_live_run(uint64_t begin, uint64_t end) const noexcept {
  // Finds the first row at or after `row` whose deleted bit is `wanted`, whole words at a time.
  const auto find = [&](uint64_t row, bool wanted) {
    while (row < end) {
      const Entry* entry = entry_up_to(row / kBlockRows);
      if (entry == nullptr || entry->index != row / kBlockRows) {
        if (!wanted) return row;
        const Entry* next = entry == nullptr ? entries_.data() : entry + 1;
        if (next == entries_.data() + entries_.size()) return end;
        row = next->index * kBlockRows;
        continue;
      }
      for (const uint64_t block_end = (entry->index + 1) * kBlockRows; row < block_end;) {
        const uint64_t word = entry->block->deleted[row % kBlockRows / 64];
        const uint64_t bits = (wanted ? word : ~word) >> (row % 64);
        if (bits != 0) return std::min(end, row + static_cast<uint64_t>(std::countr_zero(bits)));
        row = (row / 64 + 1) * 64;
      }
    }
    return end;
  };
  const uint64_t first = find(begin, false);
  return {first, find(first, true)};
}

std::shared_ptr<const DeletedRows> DeletedRows::with(std::span<const uint64_t> rows) const {
  std::map<uint64_t, std::shared_ptr<Block>> changed;
  for (const uint64_t row : rows) {
    std::shared_ptr<Block>& block = changed[row / kBlockRows];
    if (block == nullptr) block = copy_block(row / kBlockRows);
    block->deleted[row % kBlockRows / 64] |= uint64_t{1} << (row % 64);
  }
  std::vector<Entry> entries;
  entries.reserve(changed.size());
  for (auto& [index, block] : changed) {
    block->recount();
    entries.push_back({index, std::move(block)});
  }
  return with_blocks(std::move(entries));
}

std::shared_ptr<const DeletedRows> DeletedRows::with_range(uint64_t begin, uint64_t end) const {
  std::vector<Entry> entries;
  std::shared_ptr<const Block> full;
  for (uint64_t row = begin; row < end;) {
    const uint64_t index = row / kBlockRows;
    const uint64_t first = row % kBlockRows;
    const uint64_t last = std::min(kBlockRows, end - index * kBlockRows);
    row = index * kBlockRows + last;
    if (last - first == kBlockRows && full != nullptr) {
      entries.push_back({index, full});
      continue;
    }
    const auto block = copy_block(index);
    for (uint64_t word = first / 64; word * 64 < last; ++word) {
      const uint64_t low = std::max(first, word * 64) - word * 64;
      block->deleted[word] |= mask_below(last - word * 64) & ~mask_below(low);
    }
    block->recount();
    if (block->count == kBlockRows) full = block;
    entries.push_back({index, block});
  }
  return with_blocks(std::move(entries));
}

std::vector<std::byte> DeletedRows::encode_added(const DeletedRows& before) const {
  RoaringEncoder encoder;
  for (const Entry& entry : entries_) {
    const Block* const old = before.find_block(entry.index);
    if (old == entry.block.get()) continue;
    std::array<uint64_t, kBlockRows / 64> added = entry.block->deleted;
    for (size_t word = 0; old != nullptr && word < added.size(); ++word) {
      added[word] &= ~old->deleted[word];
    }
    encoder.add_block(entry.index * kBlockRows, added);
  }
  return std::move(encoder).finish();
}

std::vector<std::byte> DeletedRows::encode() const {
  RoaringEncoder encoder;
  for (const Entry& entry : entries_) {
    encoder.add_block(entry.index * kBlockRows, entry.block->deleted);
  }
  return std::move(encoder).finish();
}

Result<std::shared_ptr<const DeletedRows>> DeletedRows::with_encoded(
    std::span<const std::byte> bytes, uint64_t row_count) const {
  std::vector<Entry> entries;
  std::shared_ptr<Block> block;
  std::shared_ptr<const Block> full;
  const auto finish_block = [&] {
    if (block == nullptr) return;
    block->recount();
    std::shared_ptr<const Block> done = std::move(block);
    if (done->count == kBlockRows) {  // One block serves for all that are deleted whole.
      if (full == nullptr) full = done;
      done = full;
    }
    entries.back().block = std::move(done);
  };
  const Status status =
      decode_roaring(bytes, row_count, [&](uint64_t first_row, uint64_t word, uint64_t bits) {
        const uint64_t index = first_row / kBlockRows;
        if (entries.empty() || entries.back().index != index) {
          finish_block();
          entries.push_back({index, nullptr});
          block = copy_block(index);
        }
        block->deleted[word] |= bits;
      });
  NPK_RETURN_IF_ERROR(status);
  finish_block();
  return with_blocks(std::move(entries));
}

}  // namespace npk::internal
