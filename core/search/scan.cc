#include "core/search/scan.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <mutex>
#include <thread>

#include "core/base/threads.h"
#include "core/search/chunk_queue.h"

namespace npk::internal {
namespace {

// Less work than this is not shared. A thread that has just worked comes at once, one that sleeps
// takes as long to wake up as reading some 5 MB (measured, cosine top-10 of 5 MB, two threads
// against one, on a virtual machine: one search after the other 0.13 ms against 0.17, with 5 ms
// between them 0.58 against 0.53).
constexpr uint64_t kBytesPerThread = 2u << 20;
// Of blocks of which some rows are not wanted, or which are copied first.
constexpr uint64_t kSmallBlockBytes = 512u << 10;
// Of the first block of a thread.
constexpr uint64_t kFirstRows = 4 * kBlockRows;
// Rows that are copied together; must fit the second-level cache.
constexpr uint64_t kGatherBytes = 128u << 10;

constexpr auto kAllWords = [] {
  std::array<uint64_t, kMostBlockRows / 64> words{};
  words.fill(~uint64_t{0});
  return words;
}();

/// Tells the caller how far the scan is and stops it if it is to be.
class Control {
 public:
  Control(const Progress& progress, uint64_t total_rows)
      : progress_(progress), total_rows_(total_rows) {}

  /// False: stop.
  bool done(uint64_t rows) {
    if (!progress_) return true;
    const uint64_t sum = done_rows_.fetch_add(rows) + rows;
    const std::scoped_lock lock(mutex_);
    told_rows_ = std::max(told_rows_, sum);
    if (!is_cancelled_ && !progress_(told_rows_, total_rows_)) is_cancelled_ = true;
    return !is_cancelled_;
  }
  [[nodiscard]] bool is_cancelled() const { return is_cancelled_; }

 private:
  const Progress& progress_;
  uint64_t total_rows_;
  std::atomic<uint64_t> done_rows_{0};
  std::mutex mutex_;
  uint64_t told_rows_ = 0;
  std::atomic<bool> is_cancelled_{false};
};

/// Of a block. Where some rows are not wanted it must be small enough to tell where they are many;
/// copies should still be in the cache when they are looked at.
uint64_t block_rows(const RowSource& rows, const BlockSink& sink) {
  if (rows.selection() == nullptr && rows.is_direct()) return sink.block_rows();
  const uint64_t fit = kSmallBlockBytes / std::max<uint64_t>(1, rows.block_row_bytes());
  return std::clamp<uint64_t>(fit - fit % kBlockRows, kBlockRows, sink.block_rows());
}

/// One thread's way through its chunks.
class Walker {
 public:
  Walker(const RowSource& rows, BlockSink& sink)
      : rows_(rows), given_(rows), sink_(sink), block_rows_(block_rows(rows, sink)) {
    const uint64_t fit = kGatherBytes / std::max<uint64_t>(1, rows.block_row_bytes());
    gather_rows_ = std::clamp<uint64_t>(fit, 1, block_rows_);
    scattered_ = simd::scattered_ahead(rows.block_row_bytes());
    if (is_list()) upcoming_rows_ = scattered_.rows;
  }

  SearchStats run(ChunkQueue& queue, Control& control) {
    Chunk chunk;
    while (queue.next(chunk)) {
      if (chunk.copy != nullptr) {
        flush();
        rows_ = given_.moved(chunk.copy, chunk.begin);
      }
      stays_ = chunk.copy == nullptr && given_.is_direct();
      for (uint64_t row = chunk.begin; row < chunk.end;) {
        // What the sink has learnt of some rows serves for no more than as many.
        const uint64_t like_before = std::max(kFirstRows, seen_rows_ - seen_rows_ % kBlockRows);
        const uint64_t end = std::min(row + std::min(like_before, block_rows_), chunk.end);
        next_ = rows_.address(end);
        take_block(row, end);
        seen_rows_ += end - row;
        row = end;
      }
      if (chunk.copy != nullptr) {
        flush();  // Before the queue uses the memory again.
        rows_ = given_;
      }
      if (!control.done(chunk.end - chunk.begin)) return stats_;
    }
    flush();
    return stats_;
  }

 private:
  void take_block(uint64_t begin, uint64_t end) {
    const size_t count = end - begin;
    if (rows_.selection() == nullptr) {
      stats_.scored_rows += count;
      return give(begin, count, kAllWords);
    }
    std::array<uint64_t, kMostBlockRows / 64> words{};
    rows_.selection()->selected_words(begin, end, words.data());
    size_t selected = 0;
    for (size_t w = 0; w * 64 < count; ++w) {
      selected += static_cast<size_t>(std::popcount(words[w]));
    }
    if (selected == 0) return;
    stats_.scored_rows += selected;
    // Memory in sequence is so much faster that reading some of it in vain does not matter.
    if (selected * 8 >= count * simd::prefetch_policy().whole_eighths) {
      flush();
      return give(begin, count, words);
    }
    for (size_t w = 0; w * 64 < count; ++w) {
      for (uint64_t bits = words[w]; bits != 0; bits &= bits - 1) {
        gather(begin + w * 64 + static_cast<uint64_t>(std::countr_zero(bits)));
      }
    }
  }

  void give(uint64_t begin, size_t count, std::span<const uint64_t> words) {
    const std::byte* rows = rows_.block(begin, begin + count, buffer_);
    stats_.read_bytes += count * rows_.row_bytes();
    sink_.take({rows, count, {begin, nullptr}, words, false, 0, stays_, next_});
  }

  void gather(uint64_t row) {
    gathered_[gathered_count_++] = row;
    if (gathered_count_ == gather_rows_ + upcoming_rows_) give_gathered(gather_rows_);
  }

  void flush() {
    while (gathered_count_ > 0) give_gathered(std::min(gathered_count_, gather_rows_));
  }

  /// The first `count` of them. The others are asked for meanwhile.
  void give_gathered(size_t count) {
    const std::byte* rows =
        is_list() ? rows_.address(0) : rows_.gather({gathered_.data(), count}, buffer_);
    stats_.read_bytes += count * rows_.row_bytes();
    SelectedBlock block = {rows, count, {0, gathered_.data()}, kAllWords, is_list()};
    block.upcoming = gathered_count_ - count;
    block.scattered = scattered_;
    block.stays = stays_;
    block.next = rows;  // Copies go where these are.
    sink_.take(block);
    std::copy_n(gathered_.begin() + static_cast<ptrdiff_t>(count), block.upcoming,
                gathered_.begin());
    gathered_count_ = block.upcoming;
  }

  /// Whether scattered rows go to the sink where they lie.
  [[nodiscard]] bool is_list() const { return sink_.takes_lists() && rows_.is_direct(); }

  RowSource rows_;  // Where they are: as given, or copies of them.
  const RowSource& given_;
  BlockSink& sink_;
  uint64_t block_rows_;
  uint64_t seen_rows_ = 0;
  std::vector<std::byte> buffer_;
  std::array<uint64_t, kMostBlockRows + simd::kMostScatteredRows> gathered_ = {};
  size_t gathered_count_ = 0;
  size_t gather_rows_ = 1;
  simd::ScatteredAhead scattered_;
  size_t upcoming_rows_ = 0;  // So many are held back, for their memory to be asked for.
  SearchStats stats_;
  bool stays_ = true;                // Where the rows are, in memory.
  const std::byte* next_ = nullptr;  // Where the rows after the block lie.
};

}  // namespace

uint32_t scan_threads(const RowSource& rows, uint32_t wanted, size_t passes) {
  const uint64_t chunk_rows = rows_per_chunk(rows, 1);
  const uint64_t chunks = (rows.rows() + chunk_rows - 1) / chunk_rows;
  uint64_t most = wanted;
  if (wanted == 0) {
    const uint64_t work = rows.rows() * std::max<uint64_t>(1, rows.row_bytes());
    const uint64_t weight = std::max<uint64_t>(1, passes);
    const uint64_t useful = work / kBytesPerThread >= UINT32_MAX / weight
                                ? UINT32_MAX
                                : work * weight / kBytesPerThread;
    most = std::min<uint64_t>(std::thread::hardware_concurrency(), useful);
  }
  return static_cast<uint32_t>(std::max<uint64_t>(1, std::min(most, chunks)));
}

Status scan_rows(const RowSource& rows, std::span<const std::unique_ptr<BlockSink>> sinks,
                 const Progress& progress, SearchStats* stats) {
  Control control(progress, rows.rows());
  io::ReadMode mode = io::ReadMode::kMapping;
  if (rows.file().file != nullptr) {
    NPK_ASSIGN_OR_RETURN(mode, io::read_mode());
  }
  ChunkQueue queue(rows, mode, static_cast<uint32_t>(sinks.size()), block_rows(rows, *sinks[0]));
  std::vector<SearchStats> of_threads(sinks.size());
  run_on_threads(static_cast<uint32_t>(sinks.size()), [&](uint32_t thread) {
    of_threads[thread] = Walker(rows, *sinks[thread]).run(queue, control);
  });
  NPK_RETURN_IF_ERROR(queue.status());
  if (control.is_cancelled()) return Status::failed_precondition("the search was cancelled");
  if (stats == nullptr) return {};
  *stats = {.direct_bytes = queue.direct_bytes(), .copied_bytes = queue.copied_bytes()};
  for (const SearchStats& part : of_threads) {
    stats->scored_rows += part.scored_rows;
    stats->read_bytes += part.read_bytes;
  }
  return {};
}

}  // namespace npk::internal
