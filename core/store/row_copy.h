// Copies rows out of a mapping: ranges and lists of logical rows.
#ifndef NPK_CORE_STORE_ROW_COPY_H_
#define NPK_CORE_STORE_ROW_COPY_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/store/array_state.h"

namespace npk::internal {

/// Logical rows [begin, end) of `state`, whose physical rows lie at `rows`.
void copy_row_range(const ArrayState& state, const std::byte* rows, uint64_t begin, uint64_t end,
                    std::byte* out);
/// Logical rows in the order of the list. Requires: each is below state.live_rows().
void copy_row_list(const ArrayState& state, const std::byte* rows, std::span<const uint64_t> list,
                   std::byte* out);

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_ROW_COPY_H_
