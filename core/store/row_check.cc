#include "core/store/row_check.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include "core/base/threads.h"
#include "npk/internal/text.h"
#include "simd/crc32c.h"

namespace npk::internal {
namespace {

constexpr uint64_t kBlockBytes = RowSums::kBlockBytes;
// Blocks that a thread reads at once: 256 KiB are still in the second-level cache when their
// checksums are taken.
constexpr uint64_t kBlocksPerRead = 4;

/// Hands out blocks to threads and collects what they find.
class Checker {
 public:
  Checker(const ArrayState& state, BlockRange among, const std::function<bool(uint64_t)>& count)
      : state_(state), end_(among.end), count_(count), next_(among.begin) {}

  Result<std::vector<BlockRange>> run(uint64_t blocks) {
    NPK_ASSIGN_OR_RETURN(file_, state_.file->file());
    if (state_.file->has_overlay()) {
      NPK_ASSIGN_OR_RETURN(mapping_, state_.file->map(state_.size_bytes()));
    }
    const uint64_t reads = (blocks + kBlocksPerRead - 1) / kBlocksPerRead;
    const uint64_t processors = std::max(1u, std::thread::hardware_concurrency());
    run_on_threads(static_cast<uint32_t>(std::min(reads, processors)),
                   [this](uint32_t) { work(); });
    NPK_RETURN_IF_ERROR(status_);
    std::ranges::sort(damaged_);
    std::vector<BlockRange> ranges;
    for (const uint64_t block : damaged_) {
      if (ranges.empty() || ranges.back().end != block) ranges.push_back({block, block});
      ranges.back().end++;
    }
    return ranges;
  }

 private:
  void work() {
    std::vector<std::byte> buffer(kBlocksPerRead * kBlockBytes);
    while (!is_over_.load(std::memory_order_relaxed)) {
      const uint64_t begin = next_.fetch_add(kBlocksPerRead);
      if (begin >= end_) return;
      const uint64_t end = std::min(end_, begin + kBlocksPerRead);
      Status status = check(begin, end, buffer);
      if (status.is_ok()) continue;
      const std::lock_guard lock(mutex_);
      is_over_ = true;
      status_ = std::move(status);
    }
  }

  Status check(uint64_t begin, uint64_t end, std::span<std::byte> buffer) {
    const uint64_t offset_bytes = begin * kBlockBytes;
    const uint64_t length_bytes =
        std::min(end * kBlockBytes, state_.sums->size_bytes()) - offset_bytes;
    io::Bytes bytes = buffer.first(length_bytes);
    if (mapping_ != nullptr) {
      bytes = {mapping_->data() + offset_bytes, length_bytes};
    } else {
      NPK_RETURN_IF_ERROR(file_->read_at(offset_bytes, buffer.first(length_bytes)));
    }
    for (uint64_t block = begin; block < end; ++block) {
      const io::Bytes rows = bytes.first(std::min<uint64_t>(kBlockBytes, bytes.size()));
      bytes = bytes.subspan(rows.size());
      if (simd::crc32c(rows) == state_.sums->sum(block)) continue;
      const std::lock_guard lock(mutex_);
      damaged_.push_back(block);
    }
    if (count_ && !count_(length_bytes)) return Status::failed_precondition("cancelled");
    return {};
  }

  const ArrayState& state_;
  const uint64_t end_;
  const std::function<bool(uint64_t)>& count_;
  io::File* file_ = nullptr;
  std::shared_ptr<io::Mapping> mapping_;  // With an overlay: the rows are not all in the file.
  std::atomic<uint64_t> next_;
  std::atomic<bool> is_over_{false};
  std::mutex mutex_;  // Guards what follows.
  std::vector<uint64_t> damaged_;
  Status status_;
};

}  // namespace

Result<std::vector<BlockRange>> find_damaged_blocks(const ArrayState& state, BlockRange among,
                                                    const std::function<bool(uint64_t)>& count) {
  among.end = std::min(among.end, state.sums->block_count());
  if (among.begin >= among.end) return std::vector<BlockRange>();
  return Checker(state, among, count).run(among.end - among.begin);
}

std::pair<uint64_t, uint64_t> rows_in(const ArrayState& state, BlockRange blocks) {
  const uint64_t end_bytes = std::min(blocks.end * kBlockBytes, state.size_bytes());
  return {blocks.begin * kBlockBytes / state.row_bytes(),
          (end_bytes + state.row_bytes() - 1) / state.row_bytes()};
}

std::pair<uint64_t, uint64_t> live_rows_in(const ArrayState& state, BlockRange blocks) {
  const auto [begin, end] = rows_in(state, blocks);
  return {state.deleted->logical(begin),
          end == state.rows ? state.live_rows() : state.deleted->logical(end)};
}

Status block_damage(const ArrayState& state, BlockRange blocks) {
  const auto [begin, end] = live_rows_in(state, blocks);
  const std::string what =
      begin == end ? std::string(
                         "deleted rows fail their checksum; compacting needs them: load and "
                         "save the array")
                   : concat("rows ", begin, " to ", end - 1,
                            " (or deleted ones between them) fail their checksum; replace these "
                            "rows by good ones, or load and save the array to take it as it is");
  return Status::corruption(concat("array '", state.name, "': ", what))
      .with_path(state.file->path())
      .with_offset(blocks.begin * kBlockBytes);
}

Status check_rows(const ArrayState& state) {
  if (state.sums == nullptr) return {};
  NPK_ASSIGN_OR_RETURN(const auto damaged,
                       find_damaged_blocks(state, {0, state.sums->block_count()}, {}));
  return damaged.empty() ? Status() : block_damage(state, damaged.front());
}

}  // namespace npk::internal
