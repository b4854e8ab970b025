// What of a log's commits has arrived: after a power cut the log may be there without the rows and
// the files that it speaks of. Step 3 of load.h.
#ifndef NPK_CORE_STORE_ARRIVAL_H_
#define NPK_CORE_STORE_ARRIVAL_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "core/store/committed.h"
#include "core/store/log.h"
#include "npk/status.h"

namespace npk::internal {

/// States by array and generation: of each generation that was there after some commit the last.
using Generations = std::map<std::pair<uint64_t, uint64_t>, StatePtr>;

struct Arrival {
  struct Damaged {
    const Record* record;
    StatePtr state;
  };
  size_t commits = 0;  ///< So many, from the first on, leave a state in which nothing is missing.
  std::vector<Damaged> damaged;  ///< In those: what must have been there, and is not.
};

/// Whether the array's sidecar (`before` the log was read) has what the record says: then a
/// checkpoint has synced its rows.
bool is_folded(const Committed& before, const Record& record);

/// Looks at what the commits need after the last of them, in the files of `generations`. If
/// something of a commit that was not synced is missing, it and those behind it do not count, and
/// those before it need what they need without them; `keeps_all`: what is missing is damaged
/// instead, as it is of synced commits. Errors: IoError. Complexity: linear; rows are read once.
Result<Arrival> find_arrival(const Committed& before, const Generations& generations,
                             std::span<const LoggedCommit> commits, bool keeps_all);

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_ARRIVAL_H_
