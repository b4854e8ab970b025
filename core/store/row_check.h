// Rows compared with their checksums: what verify and compaction read before they believe.
#ifndef NPK_CORE_STORE_ROW_CHECK_H_
#define NPK_CORE_STORE_ROW_CHECK_H_

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "core/store/array_state.h"
#include "npk/status.h"

namespace npk::internal {

/// Blocks [begin, end) of RowSums.
struct BlockRange {
  uint64_t begin = 0;
  uint64_t end = 0;
};

/// Those of the blocks in `among` whose rows are not what the checksums say; adjacent ones as one.
/// Reads on all processors, in buffers of its own. `count(bytes)`, from any of its threads, learns
/// how many more were read, and returns false to cancel.
/// Requires: state.sums. Errors: IoError, Corruption (the file ends before), FailedPrecondition.
Result<std::vector<BlockRange>> find_damaged_blocks(const ArrayState& state, BlockRange among,
                                                    const std::function<bool(uint64_t)>& count);

/// The physical rows that have bytes in these blocks, [first, second).
std::pair<uint64_t, uint64_t> rows_in(const ArrayState& state, BlockRange blocks);
/// The same by their logical numbers: those of them that are not deleted.
std::pair<uint64_t, uint64_t> live_rows_in(const ArrayState& state, BlockRange blocks);

/// What is wrong with these blocks and what to do: Corruption, with path and offset.
Status block_damage(const ArrayState& state, BlockRange blocks);

/// Corruption for the first damaged block; OK if there is none, or no checksums.
Status check_rows(const ArrayState& state);

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_ROW_CHECK_H_
