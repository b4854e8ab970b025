// load: what a store's files say, without changing them.
//
// 1. STORE: the newest valid slot names the checkpoint and its log.
// 2. Sidecars and bitmaps: the arrays as of that checkpoint, or newer where a checkpoint was cut
// off.
// 3. The log: every whole commit is folded in; records that a sidecar already has are passed over.
//    It ends at the first byte that does not continue its chain. In the boot in which it was
//    written, the shared page knows how far it must reach, and an earlier end is Corruption. After
//    a power cut, it also ends before the first commit whose appended rows did not arrive; a synced
//    commit behind the end is Corruption, because the log then was damaged between.
#ifndef NPK_CORE_STORE_LOAD_H_
#define NPK_CORE_STORE_LOAD_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "core/store/committed.h"
#include "core/store/shared_page.h"
#include "core/store/sidecar.h"
#include "npk/status.h"

namespace npk::internal {

struct LoadOptions {
  /// The page, if it was written in this boot; null: the machine was restarted since, or nobody has
  /// written since LOCK was made.
  const SharedPage* page = nullptr;
  /// Another process may be writing: stop where the page says that the log is committed.
  bool is_shared = false;
  /// States to share RowsFiles with; may be null.
  const Catalog* known = nullptr;
  /// Also compare appended rows with the checksums that the log has of them: for verify.
  bool check_rows = false;
};

struct Loaded {
  Committed committed;
  std::vector<Record> row_records;    ///< Those whose payload holds rows, in order, all of them
                                      ///< in committed.log.
  std::vector<Status> damaged_slots;  ///< Of STORE, survived.
  std::vector<Status> damaged_rows;   ///< Appended rows that are not what the log says.
  bool was_cut = false;               ///< Commits that had not arrived were left out.
};

/// Errors: Corruption (names file and place), Unsupported, IoError, NotFound (no STORE).
Result<Loaded> load(const Directory& directory, const LoadOptions& options);

/// All bytes of a file in the directory.
Result<std::vector<std::byte>> read_whole(const Directory& directory, const std::string& name);

/// Puts the deleted rows and the sums of a sidecar's files into `state`, which is its descriptor's.
/// Errors: Corruption, IoError.
Status read_side_files(const Directory& directory, const Descriptor& descriptor, ArrayState& state);

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_LOAD_H_
