#include "core/store/deleted_rows.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "core/store/roaring_format.h"

namespace npk::internal {

/// The blocks that are other than in a set, made one after the other, by ascending index.
class DeletedRows::Changes {
 public:
  explicit Changes(const DeletedRows& from) : from_(from) {}

  /// The block to change, as it is so far.
  RowBits& block(uint64_t index) {
    if (!is_open_ || index != index_) open(index);
    return bits_;
  }

  /// Every row of the block.
  void add_whole(uint64_t index) {
    if (whole_ == nullptr) {
      close();
      bits_.fill(~uint64_t{0});
      whole_ = std::make_shared<const DeletedBlock>(bits_);
    }
    close();
    entries_.push_back({index, whole_, 0});
  }

  std::shared_ptr<const DeletedRows> finish() {
    close();
    auto result = std::make_shared<DeletedRows>();
    std::vector<Entry>& all = result->entries_;
    if (from_.entries_.empty()) {
      all = std::move(entries_);
    } else {
      all.reserve(entries_.size() + from_.entries_.size());
      // Of two entries with one index, std::set_union takes that of the first list.
      std::set_union(entries_.begin(), entries_.end(), from_.entries_.begin(), from_.entries_.end(),
                     std::back_inserter(all),
                     [](const Entry& a, const Entry& b) { return a.index < b.index; });
    }
    for (Entry& entry : all) {
      entry.before = result->count_;
      result->count_ += entry.block->count();
    }
    return result;
  }

 private:
  void open(uint64_t index) {
    close();
    is_open_ = true;
    index_ = index;
    const DeletedBlock* old = from_.find_block(index);
    bits_ = old != nullptr ? old->bits() : RowBits{};
  }

  void close() {
    if (is_open_) entries_.push_back({index_, std::make_shared<const DeletedBlock>(bits_), 0});
    is_open_ = false;
  }

  const DeletedRows& from_;
  std::vector<Entry> entries_;
  std::shared_ptr<const DeletedBlock> whole_;
  bool is_open_ = false;  // The one with index_ is in bits_.
  uint64_t index_ = 0;
  RowBits bits_;
};

const DeletedRows::Entry* DeletedRows::entry_up_to(uint64_t index) const noexcept {
  // Where every block has deletions, or all of them lie in the first ones, it is there at once.
  if (index < entries_.size() && entries_[index].index == index) return &entries_[index];
  const auto behind = std::partition_point(entries_.begin(), entries_.end(),
                                           [&](const Entry& e) { return e.index <= index; });
  return behind == entries_.begin() ? nullptr : &behind[-1];
}

const DeletedBlock* DeletedRows::find_block(uint64_t index) const noexcept {
  const Entry* entry = entry_up_to(index);
  return entry != nullptr && entry->index == index ? entry->block.get() : nullptr;
}

bool DeletedRows::is_deleted(uint64_t physical) const noexcept {
  const DeletedBlock* block = find_block(physical / kContainerRows);
  return block != nullptr && block->is_deleted(physical % kContainerRows);
}

uint64_t DeletedRows::logical(uint64_t physical) const noexcept {
  const Entry* entry = entry_up_to(physical / kContainerRows);
  if (entry == nullptr) return physical;
  const uint64_t in_block = entry->index == physical / kContainerRows
                                ? entry->block->deleted_before(physical % kContainerRows)
                                : entry->block->count();
  return physical - entry->before - in_block;
}

template <size_t kLanes>
void DeletedRows::to_physical(uint64_t* rows) const noexcept {
  std::array<uint64_t, kLanes> wanted;
  std::copy_n(rows, kLanes, wanted.begin());
  // The last block with deletions that begins with at most so many live rows before it.
  const auto live_before = [&](size_t, size_t i) {
    return entries_[i].index * kContainerRows - entries_[i].before;
  };
  std::array<size_t, kLanes> sizes;
  sizes.fill(entries_.size());
  const auto entry = last_up_to<kLanes>(sizes, wanted, live_before);
  std::array<const DeletedBlock*, kLanes> blocks;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    blocks[lane] = entries_[entry[lane]].block.get();
    wanted[lane] -= live_before(lane, entry[lane]);  // Wraps round before the first one.
  }
  DeletedBlock::to_places(blocks, wanted);
  for (size_t lane = 0; lane < kLanes; ++lane) {
    if (rows[lane] < live_before(lane, entry[lane])) continue;
    rows[lane] = entries_[entry[lane]].index * kContainerRows + wanted[lane];
  }
}

void DeletedRows::to_physical(std::span<uint64_t> rows) const noexcept {
  constexpr size_t kInStep = DeletedBlock::kInStep;
  if (entries_.empty()) return;
  for (; rows.size() >= kInStep; rows = rows.subspan(kInStep)) to_physical<kInStep>(rows.data());
  for (uint64_t& row : rows) to_physical<1>(&row);
}

void DeletedRows::deleted_words(uint64_t begin, uint64_t end, uint64_t* out) const noexcept {
  std::fill_n(out, (end - begin + 63) / 64, 0);
  for (uint64_t row = begin, next = 0; row < end; row = next) {
    next = std::min(end, (row / kContainerRows + 1) * kContainerRows);
    const DeletedBlock* block = find_block(row / kContainerRows);
    const uint64_t first = row % kContainerRows;
    if (block != nullptr) block->add_bits(first, first + next - row, out, row - begin);
  }
}

DeletedRows::Run DeletedRows::next_live_run(uint64_t begin, uint64_t end) const noexcept {
  // The first row at or after `row` that is deleted, or that is not.
  const auto find = [&](uint64_t row, bool is_deleted) {
    while (row < end) {
      const uint64_t index = row / kContainerRows;
      const Entry* entry = entry_up_to(index);
      if (entry == nullptr || entry->index != index) {
        if (!is_deleted) return row;
        const Entry* next = entry == nullptr ? entries_.data() : entry + 1;
        if (next == entries_.data() + entries_.size()) return end;
        row = next->index * kContainerRows;
        continue;
      }
      const uint64_t found = entry->block->next(row % kContainerRows, is_deleted);
      row = index * kContainerRows + found;
      if (found < kContainerRows) return std::min(end, row);
    }
    return end;
  };
  const uint64_t first = find(begin, false);
  return {first, find(first, true)};
}

std::shared_ptr<const DeletedRows> DeletedRows::with(std::span<const uint64_t> rows) const {
  Changes changes(*this);
  for (const uint64_t row : rows) {
    changes.block(row / kContainerRows)[row % kContainerRows / 64] |= uint64_t{1} << (row % 64);
  }
  return changes.finish();
}

std::shared_ptr<const DeletedRows> DeletedRows::with_range(uint64_t begin, uint64_t end) const {
  Changes changes(*this);
  for (uint64_t row = begin, next = 0; row < end; row = next) {
    const uint64_t index = row / kContainerRows;
    next = std::min(end, (index + 1) * kContainerRows);
    if (next - row == kContainerRows) {
      changes.add_whole(index);
    } else {
      set_bits(changes.block(index).data(), row % kContainerRows,
               row % kContainerRows + next - row);
    }
  }
  return changes.finish();
}

std::vector<std::byte> DeletedRows::encode_added(const DeletedRows& before) const {
  RoaringEncoder encoder;
  for (const Entry& entry : entries_) {
    const DeletedBlock* const old = before.find_block(entry.index);
    if (old == entry.block.get()) continue;
    RowBits added = entry.block->bits();
    if (old != nullptr) {
      const RowBits known = old->bits();
      for (size_t word = 0; word < added.size(); ++word) added[word] &= ~known[word];
    }
    encoder.add_container(entry.index * kContainerRows, runs_of(added));
  }
  return std::move(encoder).finish();
}

std::vector<std::byte> DeletedRows::encode() const { return encode_added(DeletedRows()); }

Result<std::shared_ptr<const DeletedRows>> DeletedRows::with_encoded(
    std::span<const std::byte> bytes, uint64_t row_count) const {
  Changes changes(*this);
  NPK_RETURN_IF_ERROR(
      decode_roaring(bytes, row_count, [&](uint64_t first_row, uint64_t word, uint64_t bits) {
        changes.block(first_row / kContainerRows)[word] |= bits;
      }));
  return changes.finish();
}

}  // namespace npk::internal
