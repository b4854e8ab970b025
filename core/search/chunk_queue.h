// ChunkQueue: hands the rows of a source out to the threads of a scan, a chunk at a time, from
// where they are nearest.
//
// Rows in memory, and rows of a mapping that are in the page cache, stay where they are. Chunks of
// a file that are not in memory are read around the page cache by io_uring, some ahead of the
// threads; where that cannot be, the thread that takes the chunk reads it with one large pread.
// NPK_IO forces one way. Chunks of which no row is selected are not read.
//
// Chunks ascend from call to call of each thread. Memory: at most 28 MiB.
// Thread safety: next() from as many threads as it was made for.
#ifndef NPK_CORE_SEARCH_CHUNK_QUEUE_H_
#define NPK_CORE_SEARCH_CHUNK_QUEUE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "core/search/row_source.h"
#include "io/direct_reader.h"

namespace npk::internal {

/// Rows of a chunk of `rows` for a scan by `threads`.
uint64_t rows_per_chunk(const RowSource& rows, uint32_t threads);

/// Rows [begin, end). A thread gives it back by asking for the next one.
struct Chunk {
  static constexpr uint32_t kNoSlot = UINT32_MAX;
  uint64_t begin = 0;
  uint64_t end = 0;
  const std::byte* copy = nullptr;  // Where row `begin` is; null: where the source has it.
  uint32_t slot = kNoSlot;          // Of the direct reader.
  std::vector<std::byte> buffer;    // For preads; kept from chunk to chunk.
};

class ChunkQueue {
 public:
  /// `block_rows`: what threads take at once, so that chunks in memory hold as many where enough is
  /// left for all. Lifetime: of the source.
  ChunkQueue(const RowSource& rows, io::ReadMode mode, uint32_t threads, uint64_t block_rows);
  ChunkQueue(const ChunkQueue&) = delete;
  ChunkQueue& operator=(const ChunkQueue&) = delete;

  /// Puts the next chunk in place of `chunk`. False: there is none, or status() is an error.
  bool next(Chunk& chunk);
  /// Why next() ended early. Requires: no thread is in next().
  [[nodiscard]] const Status& status() const noexcept { return status_; }
  [[nodiscard]] uint64_t direct_bytes() const noexcept { return direct_bytes_; }
  [[nodiscard]] uint64_t copied_bytes() const noexcept { return copied_bytes_; }

 private:
  enum class Way : uint8_t { kInPlace, kDirect, kPread };
  struct Pending {
    uint64_t begin;
    uint64_t end;
    Way way;
    uint32_t slot = Chunk::kNoSlot;
  };
  [[nodiscard]] Way way_of(uint64_t begin, uint64_t end);
  [[nodiscard]] bool is_selected(uint64_t begin, uint64_t end) const;
  [[nodiscard]] bool has_direct_reader();
  bool take_in_place(Chunk& chunk);
  void look_ahead();
  void fill();
  Status take(Chunk& chunk, Pending& taken);
  bool fail(Status status);

  const RowSource& rows_;
  const uint64_t chunk_rows_;
  const uint64_t most_rows_;  // Of a chunk that stays where it is.
  const uint32_t threads_;
  const io::ReadMode mode_;
  const uint32_t reads_ahead_;
  // Rows from next_row_ to in_place_end_ are taken without the mutex: they stay where they are, and
  // nothing before them is pending. Where next_row_ has come to in_place_end_, both move under it.
  std::atomic<uint64_t> next_row_{0};
  std::atomic<uint64_t> in_place_end_;

  std::mutex mutex_;  // Guards what follows.
  std::deque<Pending> pending_;
  bool was_direct_tried_ = false;
  std::unique_ptr<io::DirectReader> direct_;
  std::vector<uint32_t> free_slots_;
  uint32_t under_way_ = 0;  // Of pending_.
  uint64_t direct_bytes_ = 0;
  uint64_t copied_bytes_ = 0;
  Status status_;
};

}  // namespace npk::internal

#endif  // NPK_CORE_SEARCH_CHUNK_QUEUE_H_
