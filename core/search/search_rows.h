// The searches themselves, over rows wherever they lie: what VectorEngine and
// StreamingVectorEngine have in common.
//
// Thread safety: as many at once as there are callers.
#ifndef NPK_CORE_SEARCH_SEARCH_ROWS_H_
#define NPK_CORE_SEARCH_SEARCH_ROWS_H_

#include <vector>

#include "core/search/row_source.h"
#include "core/store/deleted_rows.h"
#include "npk/search.h"

namespace npk::internal {

/// Rows in memory or in a mapping, of which `deleted` (may be null) do not count.
struct SearchedRows {
  ArrayView rows;  // Physical.
  const DeletedRows* deleted = nullptr;
  RowFile file = {};
};

/// Top-k, or range search if `is_range`: then k has no say and a threshold must be given.
enum class Extent : uint8_t { kTopK, kRange };

/// One answer for each row of `queries`: (count, dimensions).
Result<std::vector<TopK>> search_rows(const SearchedRows& searched, const ArrayView& queries,
                                      const SearchOptions& options, Extent extent);
/// `query`: (dimensions) or (1, dimensions).
Result<TopK> search_rows_once(const SearchedRows& searched, const ArrayView& query,
                              const SearchOptions& options, Extent extent);
/// The score of every live row: (rows) for a query of one axis, (count, rows) for two.
Result<Array> score_rows(const SearchedRows& searched, const ArrayView& queries,
                         const SearchOptions& options);

}  // namespace npk::internal

#endif  // NPK_CORE_SEARCH_SEARCH_ROWS_H_
