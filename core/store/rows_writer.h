// Writes rows to a rows file, in bounded memory, with the checksums that an APPEND_REF needs.
#ifndef NPK_CORE_STORE_ROWS_WRITER_H_
#define NPK_CORE_STORE_ROWS_WRITER_H_

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/store/array_state.h"
#include "npk/array.h"
#include "npk/status.h"

namespace npk::internal {

/// (done_bytes, total_bytes); false cancels.
using WriteProgress = std::function<bool(uint64_t, uint64_t)>;

/// Fills `out` with rows [begin, end), which are of `row_bytes` bytes each, in C order.
using FillRows = std::function<Status(uint64_t begin, uint64_t end, std::span<std::byte> out)>;

/// `row_count` rows from `fill`, asked for in order, to the file from `offset_bytes` on. Returns
/// the checksums. Errors: those of `fill`; FailedPrecondition if `progress` cancels.
struct RowSpan {
  uint64_t row_count = 0;
  uint64_t row_bytes = 0;
};
Result<std::vector<std::byte>> write_filled_rows(io::File& file, uint64_t offset_bytes,
                                                 const RowSpan& rows, const FillRows& fill,
                                                 const WriteProgress& progress);

/// Rows [begin, end) of `values` to the file from `offset_bytes` on. Returns the checksums.
Result<std::vector<std::byte>> write_rows(io::File& file, uint64_t offset_bytes,
                                          const ArrayView& values, uint64_t begin, uint64_t end);

/// The live rows of `source` to an empty file, one after the other. Returns the checksums.
/// Errors: FailedPrecondition if `progress` cancels; Corruption if checksums of the source say so.
Result<std::vector<std::byte>> copy_live_rows(const ArrayState& source, io::File& target,
                                              const WriteProgress& progress);

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_ROWS_WRITER_H_
