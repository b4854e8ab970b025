// Carries out the log's records that hold rows: for recovery, and for those who may not write.
#ifndef NPK_CORE_STORE_APPLY_H_
#define NPK_CORE_STORE_APPLY_H_

#include <cstdint>
#include <span>

#include "core/store/committed.h"
#include "npk/status.h"

namespace npk::internal {

/// Writes the rows of these records of committed.log to their files, from number `from_record` on.
/// Can be repeated. Errors: Corruption, IoError.
Status apply_records(const Committed& committed, std::span<const Record> records,
                     uint64_t from_record);
/// Lays them over the files instead, in memory only (RowsFile::overlay).
Status overlay_records(const Committed& committed, std::span<const Record> records,
                       uint64_t from_record);

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_APPLY_H_
