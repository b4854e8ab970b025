#include "core/store/deleted_rows.h"

#include <algorithm>
#include <bit>
#include <map>

#include "core/store/roaring_format.h"

namespace npk::internal {
namespace {

constexpr uint64_t kWordsPerCount = 8;  // One running count for 512 rows.

uint64_t mask_below(uint64_t bit) { return bit >= 64 ? ~uint64_t{0} : (uint64_t{1} << bit) - 1; }

/// Position of the n-th zero bit (counted from 0) of a word that has more than n.
uint64_t select_zero(uint64_t word, uint64_t n) {
  uint64_t zeros = ~word;
  while (n-- > 0) zeros &= zeros - 1;
  return static_cast<uint64_t>(std::countr_zero(zeros));
}

}  // namespace

void DeletedRows::Block::recount() noexcept {
  count = 0;
  for (size_t word = 0; word < deleted.size(); ++word) {
    if (word % kWordsPerCount == 0) before[word / kWordsPerCount] = count;
    count += static_cast<uint32_t>(std::popcount(deleted[word]));
  }
}

void DeletedRows::recount() {
  before_.resize(blocks_.size());
  count_ = 0;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    before_[i] = count_;
    if (blocks_[i] != nullptr) count_ += blocks_[i]->count;
  }
}

bool DeletedRows::is_deleted(uint64_t physical) const noexcept {
  const uint64_t block = physical / kBlockRows;
  if (block >= blocks_.size() || blocks_[block] == nullptr) return false;
  const uint64_t row = physical % kBlockRows;
  return ((blocks_[block]->deleted[row / 64] >> (row % 64)) & 1) != 0;
}

uint64_t DeletedRows::logical(uint64_t physical) const noexcept {
  const uint64_t block = physical / kBlockRows;
  if (block >= blocks_.size()) return physical - count_;
  uint64_t deleted = before_[block];
  if (const Block* b = blocks_[block].get(); b != nullptr) {
    const uint64_t row = physical % kBlockRows;
    const uint64_t last = row / 64;
    deleted += b->before[row / 512];
    for (uint64_t word = row / 512 * kWordsPerCount; word < last; ++word) {
      deleted += static_cast<uint64_t>(std::popcount(b->deleted[word]));
    }
    deleted += static_cast<uint64_t>(std::popcount(b->deleted[last] & mask_below(row % 64)));
  }
  return physical - deleted;
}

uint64_t DeletedRows::physical(uint64_t logical) const noexcept {
  // The last block that begins with at most `logical` live rows before it.
  uint64_t low = 0;
  uint64_t high = blocks_.size();
  while (low < high) {
    const uint64_t middle = (low + high) / 2;
    if (middle * kBlockRows - before_[middle] <= logical) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) return logical;
  // Rows behind the last block have all deletions before them.
  if (low == blocks_.size() && logical + count_ >= blocks_.size() * kBlockRows) {
    return logical + count_;
  }
  const uint64_t block = low - 1;
  uint64_t wanted = logical - (block * kBlockRows - before_[block]);
  const Block* b = blocks_[block].get();
  if (b == nullptr) return block * kBlockRows + wanted;
  const auto* const group =
      std::partition_point(b->before.begin(), b->before.end(), [&](const uint32_t& before) {
        const auto i = static_cast<uint64_t>(&before - b->before.data());
        return i * 512 - before <= wanted;
      });
  const auto first = static_cast<uint64_t>(group - b->before.begin()) - 1;
  wanted -= first * 512 - b->before[first];
  for (uint64_t word = first * kWordsPerCount;; ++word) {
    const auto live = 64 - static_cast<uint64_t>(std::popcount(b->deleted[word]));
    if (wanted < live)
      return block * kBlockRows + word * 64 + select_zero(b->deleted[word], wanted);
    wanted -= live;
  }
}

void DeletedRows::deleted_words(uint64_t begin, uint64_t end, uint64_t* out) const noexcept {
  const auto word_at = [&](uint64_t word) -> uint64_t {
    const uint64_t block = word / (kBlockRows / 64);
    if (block >= blocks_.size() || blocks_[block] == nullptr) return 0;
    return blocks_[block]->deleted[word % (kBlockRows / 64)];
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
      const uint64_t block = row / kBlockRows;
      if (block >= blocks_.size()) return wanted ? end : row;
      if (blocks_[block] == nullptr) {
        if (!wanted) return row;
        row = (block + 1) * kBlockRows;
        continue;
      }
      const uint64_t word = blocks_[block]->deleted[row % kBlockRows / 64];
      const uint64_t bits = (wanted ? word : ~word) >> (row % 64);
      if (bits != 0) return std::min(end, row + static_cast<uint64_t>(std::countr_zero(bits)));
      row = (row / 64 + 1) * 64;
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
    if (block == nullptr) {
      const bool exists = row / kBlockRows < blocks_.size() && blocks_[row / kBlockRows] != nullptr;
      block =
          exists ? std::make_shared<Block>(*blocks_[row / kBlockRows]) : std::make_shared<Block>();
    }
    block->deleted[row % kBlockRows / 64] |= uint64_t{1} << (row % 64);
  }
  auto result = std::make_shared<DeletedRows>(*this);
  if (!changed.empty() && changed.rbegin()->first >= result->blocks_.size()) {
    result->blocks_.resize(changed.rbegin()->first + 1);
  }
  for (auto& [index, block] : changed) {
    block->recount();
    result->blocks_[index] = std::move(block);
  }
  result->recount();
  return result;
}

std::shared_ptr<const DeletedRows> DeletedRows::with_range(uint64_t begin, uint64_t end) const {
  auto result = std::make_shared<DeletedRows>(*this);
  if (begin >= end) return result;
  result->blocks_.resize(std::max<uint64_t>(blocks_.size(), (end - 1) / kBlockRows + 1));
  std::shared_ptr<const Block> full;
  for (uint64_t index = begin / kBlockRows; index * kBlockRows < end; ++index) {
    const uint64_t first = std::max(begin, index * kBlockRows) - index * kBlockRows;
    const uint64_t last = std::min(end, (index + 1) * kBlockRows) - index * kBlockRows;
    std::shared_ptr<const Block>& slot = result->blocks_[index];
    if (last - first == kBlockRows && full != nullptr) {
      slot = full;
      continue;
    }
    auto block = slot != nullptr ? std::make_shared<Block>(*slot) : std::make_shared<Block>();
    for (uint64_t word = first / 64; word * 64 < last; ++word) {
      const uint64_t low = std::max(first, word * 64) - word * 64;
      block->deleted[word] |= mask_below(last - word * 64) & ~mask_below(low);
    }
    block->recount();
    slot = block;
    if (block->count == kBlockRows) full = block;
  }
  result->recount();
  return result;
}

std::vector<std::byte> DeletedRows::encode() const {
  RoaringEncoder encoder;
  for (uint64_t index = 0; index < blocks_.size(); ++index) {
    if (blocks_[index] != nullptr) encoder.add_block(index * kBlockRows, blocks_[index]->deleted);
  }
  return std::move(encoder).finish();
}

Result<std::shared_ptr<const DeletedRows>> DeletedRows::with_encoded(
    std::span<const std::byte> bytes, uint64_t row_count) const {
  auto result = std::make_shared<DeletedRows>(*this);
  uint64_t index = UINT64_MAX;
  std::shared_ptr<Block> block;
  std::shared_ptr<const Block> full;
  const auto flush = [&] {
    if (block == nullptr) return;
    block->recount();
    std::shared_ptr<const Block> done = std::move(block);
    if (done->count == kBlockRows) {  // One block serves for all that are deleted whole.
      if (full == nullptr) full = done;
      done = full;
    }
    result->blocks_[index] = std::move(done);
  };
  const Status status =
      decode_roaring(bytes, row_count, [&](uint64_t first_row, uint64_t word, uint64_t bits) {
        if (first_row / kBlockRows != index) {
          flush();
          index = first_row / kBlockRows;
          if (index >= result->blocks_.size()) result->blocks_.resize(index + 1);
          const auto& old = result->blocks_[index];
          block = old != nullptr ? std::make_shared<Block>(*old) : std::make_shared<Block>();
        }
        block->deleted[word] |= bits;
      });
  NPK_RETURN_IF_ERROR(status);
  flush();
  result->recount();
  return std::shared_ptr<const DeletedRows>(std::move(result));
}

}  // namespace npk::internal
