// The scan: hands the selected rows of a source to one sink per thread, in blocks.
//
// 1. A thread takes a chunk from a shared queue, so that a slow thread takes fewer.
// 2. Of each block of rows it asks which are selected. None: nothing is read. So many that reading
//    all is quicker (simd/prefetch.h): the block goes to the sink where it lies, with the words
//    that say which count. Else their numbers are kept, and once a block of them is together they
//    go to the sink as a list, or copied back to back if the sink does not take lists.
// 3. Rows reach a sink in ascending order.
//
// Thread safety: as many scans at once as there are callers.
#ifndef NPK_CORE_SEARCH_SCAN_H_
#define NPK_CORE_SEARCH_SCAN_H_

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/search/collect.h"
#include "core/search/row_source.h"
#include "npk/search.h"

namespace npk::internal {

inline constexpr size_t kBlockRows = 256;
inline constexpr size_t kMostBlockRows = 8192;

/// At most as many rows as the sink takes of the source's row_type(): back to back, or, in a list,
/// row i at rows + numbers[i] * row_bytes.
struct SelectedBlock {
  const std::byte* rows = nullptr;
  size_t count = 0;
  RowNumbers numbers;               // Physical.
  std::span<const uint64_t> words;  // Which count.
  bool is_list = false;
  /// Numbers behind count, of a list: rows that come next.
  size_t upcoming = 0;
  /// Whether they lie in memory and stay there: what is looked at again later costs no more.
  bool stays = true;
  /// Where the rows that this sink gets next probably lie. Never dereferenced.
  const std::byte* next = nullptr;
  /// How the rows of a list are asked for.
  simd::ScatteredAhead scattered = {};

  /// The rows as kernels take them, of `dims` elements each.
  [[nodiscard]] simd::RowBlock kernel_rows(size_t dims) const noexcept {
    if (is_list) return {rows, count, dims, {}, numbers.numbers, upcoming, scattered};
    return simd::rows_in_sequence(rows, count, dims);
  }
};

/// What is done with the rows. Each belongs to one thread.
class BlockSink {
 public:
  BlockSink() = default;
  BlockSink(const BlockSink&) = delete;
  BlockSink& operator=(const BlockSink&) = delete;
  virtual ~BlockSink() = default;
  virtual void take(const SelectedBlock& block) = 0;
  [[nodiscard]] virtual bool takes_lists() const { return false; }
  /// How many rows it takes at once: a multiple of kBlockRows, at most kMostBlockRows.
  [[nodiscard]] virtual size_t block_rows() const { return kBlockRows; }
};

/// Threads for these rows: `wanted`, or if that is 0 as many as are worth it, at most one for each
/// processor. Never more than there are chunks. `passes`: how often the rows are looked at; what
/// takes twice as long as to reject most of them counts twice.
uint32_t scan_threads(const RowSource& rows, uint32_t wanted, size_t passes);

using Progress = std::function<bool(uint64_t, uint64_t)>;

/// One thread per sink. `stats` may be null.
/// Errors: FailedPrecondition if `progress` says so.
Status scan_rows(const RowSource& rows, std::span<const std::unique_ptr<BlockSink>> sinks,
                 const Progress& progress, SearchStats* stats);

}  // namespace npk::internal

#endif  // NPK_CORE_SEARCH_SCAN_H_
