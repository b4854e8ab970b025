#include "core/search/chunk_queue.h"

#include <algorithm>
#include <array>

#include "core/search/scan.h"

namespace npk::internal {
namespace {

// Small enough to share the work evenly, large enough to make handing chunks out cheap and for a
// disk to read at its full speed (measured: memory is flat between 0.5 and 1 MiB).
constexpr uint64_t kChunkBytes = 1u << 19;
// Of few rows smaller ones, so that no thread waits long for the last of the others.
constexpr uint64_t kChunksPerThread = 8;
constexpr uint64_t kLeastChunkBytes = 64u << 10;
// Those that stay in memory may be larger, if they are taken at once.
constexpr uint64_t kMostChunkBytes = 2u << 20;
// A thread takes at most one in so many of its share of what is left.
constexpr uint64_t kSharesOfRest = 4;
// All buffers of the threads together.
constexpr uint64_t kThreadsBytes = 20u << 20;
// Reads under way at once. Disks finish many at about the same time, and the next ones start only
// as these are worked off (measured, of the speed of bare reads: 8 of 1 MiB 0.87, 12 of 1 MiB 0.90,
// 24 of 512 KiB 0.94, 40 of 256 KiB 0.88).
constexpr uint32_t kMostReadsAhead = 24;
constexpr uint32_t kLeastReadsAhead = 4;
// All buffers; where rows are so large that it takes more, they are left to the mapping.
constexpr uint64_t kMostBytes = 28u << 20;
// Of less than this a mapping has read all before a ring is set up.
constexpr uint64_t kLeastColdBytes = 16u << 20;
// Chunks that are looked for in memory at once: a call of the kernel for each of them, made while
// the other threads wait, would show in the time of a scan.
constexpr uint64_t kLookAhead = 16;

}  // namespace

uint64_t rows_per_chunk(const RowSource& rows, uint32_t threads) {
  const uint64_t most = std::min(kChunkBytes, kThreadsBytes / std::max(1u, threads));
  const uint64_t share =
      rows.rows() * rows.row_bytes() / (kChunksPerThread * std::max(1u, threads));
  const uint64_t bytes = std::min(most, std::max(kLeastChunkBytes, share));
  const uint64_t fit = bytes / std::max<uint64_t>(1, rows.row_bytes());
  return fit > kBlockRows ? fit - fit % kBlockRows : std::max<uint64_t>(1, fit);
}

namespace {

uint64_t most_rows_in_place(const RowSource& rows, uint64_t chunk_rows, uint64_t block_rows) {
  const uint64_t fit = kMostChunkBytes / std::max<uint64_t>(1, rows.row_bytes());
  return std::max(chunk_rows, std::min(fit, block_rows));
}

/// 0: all rows are left to the mapping.
uint32_t reads_ahead(const RowSource& rows, io::ReadMode mode, uint32_t threads) {
  if (rows.file().file == nullptr || mode == io::ReadMode::kMapping) return 0;
  if (mode == io::ReadMode::kAuto && rows.rows() * rows.row_bytes() < kLeastColdBytes) return 0;
  const uint64_t chunk_bytes = rows_per_chunk(rows, threads) * rows.row_bytes();
  // Each thread keeps a buffer while it works on it.
  const uint64_t buffers = chunk_bytes == 0 ? 0 : kMostBytes / chunk_bytes;
  if (buffers < threads + kLeastReadsAhead) return 0;
  return static_cast<uint32_t>(std::min<uint64_t>(kMostReadsAhead, buffers - threads));
}

}  // namespace

ChunkQueue::ChunkQueue(const RowSource& rows, io::ReadMode mode, uint32_t threads,
                       uint64_t block_rows)
    : rows_(rows),
      chunk_rows_(rows_per_chunk(rows, threads)),
      most_rows_(most_rows_in_place(rows, chunk_rows_, block_rows)),
      threads_(threads),
      mode_(mode),
      reads_ahead_(reads_ahead(rows, mode, threads)),
      in_place_end_(reads_ahead_ > 0 ? 0 : rows.rows()) {}

bool ChunkQueue::next(Chunk& chunk) {
  chunk.copy = nullptr;
  if (chunk.slot == Chunk::kNoSlot && take_in_place(chunk)) return true;
  Pending taken{};
  {
    const std::lock_guard lock(mutex_);
    if (chunk.slot != Chunk::kNoSlot) free_slots_.push_back(chunk.slot);
    chunk.slot = Chunk::kNoSlot;
    for (;;) {
      if (!status_.is_ok()) return false;
      if (take_in_place(chunk)) return true;
      if (pending_.empty()) look_ahead();
      // Other threads may take all that was found before this one does.
      if (next_row_.load(std::memory_order_relaxed) >= in_place_end_) break;
    }
    fill();
    if (pending_.empty()) return false;
    status_ = take(chunk, taken);
    if (!status_.is_ok()) return false;
  }
  if (taken.way != Way::kPread) return true;
  const uint64_t bytes = (taken.end - taken.begin) * rows_.row_bytes();
  if (chunk.buffer.size() < bytes) chunk.buffer.resize(bytes);
  chunk.copy = chunk.buffer.data();
  const Status status = rows_.file().file->read_at(taken.begin * rows_.row_bytes(),
                                                   std::span(chunk.buffer).first(bytes));
  return status.is_ok() || fail(status);
}

bool ChunkQueue::take_in_place(Chunk& chunk) {
  uint64_t begin = next_row_.load(std::memory_order_relaxed);
  while (begin < in_place_end_.load(std::memory_order_relaxed)) {
    const uint64_t share = (rows_.rows() - begin) / (threads_ == 1 ? 1 : kSharesOfRest * threads_);
    const uint64_t count = std::clamp(share - share % kBlockRows, chunk_rows_, most_rows_);
    const uint64_t end = std::min(begin + count, in_place_end_.load(std::memory_order_relaxed));
    if (!next_row_.compare_exchange_weak(begin, end, std::memory_order_relaxed)) continue;
    chunk.begin = begin;
    chunk.end = end;
    return true;
  }
  return false;
}

bool ChunkQueue::fail(Status status) {
  const std::lock_guard lock(mutex_);
  if (status_.is_ok()) status_ = std::move(status);
  return false;
}

void ChunkQueue::look_ahead() {
  uint64_t end = next_row_.load(std::memory_order_relaxed);
  for (uint64_t i = 0; i < kLookAhead && end < rows_.rows(); ++i) {
    const uint64_t begin = end;
    end = std::min(begin + chunk_rows_, rows_.rows());
    if (way_of(begin, end) != Way::kInPlace) return;
    in_place_end_.store(end, std::memory_order_relaxed);
  }
}

void ChunkQueue::fill() {
  const uint64_t row_bytes = rows_.row_bytes();
  while (pending_.size() < reads_ahead_) {
    // What is in memory is not run ahead of.
    if (!pending_.empty() && under_way_ == 0) break;
    const uint64_t begin = next_row_.load(std::memory_order_relaxed);
    if (begin >= rows_.rows()) break;
    Pending next = {begin, std::min(begin + chunk_rows_, rows_.rows()), Way::kInPlace};
    next.way = way_of(next.begin, next.end);
    if (next.way == Way::kDirect) {
      next.slot = free_slots_.back();
      free_slots_.pop_back();
      direct_->start(next.slot, begin * row_bytes, (next.end - begin) * row_bytes);
      ++under_way_;
    }
    next_row_.store(next.end, std::memory_order_relaxed);
    pending_.push_back(next);
  }
}

Status ChunkQueue::take(Chunk& chunk, Pending& taken) {
  taken = pending_.front();
  pending_.pop_front();
  chunk.begin = taken.begin;
  chunk.end = taken.end;
  chunk.slot = taken.slot;
  const uint64_t bytes = (taken.end - taken.begin) * rows_.row_bytes();
  if (taken.way == Way::kPread) copied_bytes_ += bytes;
  if (taken.way != Way::kDirect) return {};
  --under_way_;
  direct_bytes_ += bytes;
  NPK_ASSIGN_OR_RETURN(chunk.copy, direct_->finish(taken.slot));
  return {};
}

ChunkQueue::Way ChunkQueue::way_of(uint64_t begin, uint64_t end) {
  const uint64_t row_bytes = rows_.row_bytes();
  const RowFile& of = rows_.file();
  if (mode_ == io::ReadMode::kAuto &&
      of.file->is_resident(*of.mapping, begin * row_bytes, (end - begin) * row_bytes)) {
    return Way::kInPlace;
  }
  if (!is_selected(begin, end)) return Way::kInPlace;
  return mode_ != io::ReadMode::kPread && has_direct_reader() ? Way::kDirect : Way::kPread;
}

bool ChunkQueue::is_selected(uint64_t begin, uint64_t end) const {
  if (rows_.selection() == nullptr) return true;
  std::array<uint64_t, kBlockRows / 64> words{};
  for (uint64_t row = begin; row < end; row += kBlockRows) {
    words.fill(0);
    rows_.selection()->selected_words(row, std::min(row + kBlockRows, end), words.data());
    if (std::any_of(words.begin(), words.end(), [](uint64_t word) { return word != 0; })) {
      return true;
    }
  }
  return false;
}

bool ChunkQueue::has_direct_reader() {
  if (!was_direct_tried_) {
    was_direct_tried_ = true;
    const uint32_t slots = reads_ahead_ + threads_;
    auto reader = rows_.file().file->direct_reader({slots, chunk_rows_ * rows_.row_bytes()});
    if (reader.is_ok()) {
      direct_ = *std::move(reader);
      for (uint32_t slot = slots; slot > 0; --slot) free_slots_.push_back(slot - 1);
    }
  }
  return direct_ != nullptr;
}

}  // namespace npk::internal
