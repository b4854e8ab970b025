// A group of queries that are searched together: one scan of the rows answers all of them.
//
// Of many queries with a large k most of what is collected is displaced again: the k-th best score
// is known only when most rows have been seen. So it is estimated first, from a sample, on the safe
// side, and the scan leaves out what does not reach the estimate, as it does with any threshold.
// Where k rows reach it, the answer is what it would have been. Else the query is searched again.
//
// Thread safety: as many at once as there are callers.
#ifndef NPK_CORE_SEARCH_QUERY_GROUP_H_
#define NPK_CORE_SEARCH_QUERY_GROUP_H_

#include <vector>

#include "core/search/collect.h"
#include "core/search/plan.h"
#include "core/search/row_source.h"
#include "core/search/scan.h"
#include "npk/search.h"

namespace npk::internal {

/// Writes one answer for each plan and adds to `stats` what it did. `threads`: as SearchOptions has
/// them. Errors: FailedPrecondition if `progress` says so; those of reading the rows.
Status search_group(const RowSource& rows, std::vector<Plan> plans, const Wanted& wanted,
                    uint32_t threads, const Progress& progress, SearchStats& stats, TopK* answers);

}  // namespace npk::internal

#endif  // NPK_CORE_SEARCH_QUERY_GROUP_H_
