// Pins: how writers of any process know which snapshots are open.
//
// A snapshot of commit n holds a shared lock on byte kFirstByte + n of the LOCK file: no slot to
// run out of, nothing written, so read-only openers can, and the kernel lets go of it with the
// process. While a snapshot is being taken its commit is not known yet: then it holds kPendingByte.
// A writer looks for pins after it has said on the shared page that a commit is under way; a reader
// pins before it looks whether one is. So one of the two sees the other.
#ifndef NPK_CORE_STORE_SNAPSHOT_PINS_H_
#define NPK_CORE_STORE_SNAPSHOT_PINS_H_

#include <cstdint>
#include <optional>

#include "io/env.h"
#include "npk/status.h"

namespace npk::internal {

struct SnapshotPins {
  static constexpr uint64_t kPendingByte = 1;
  static constexpr uint64_t kFirstByte = 2;
  static constexpr uint64_t kEndByte = uint64_t{1} << 62;

  uint64_t lowest = 0;   ///< Commit number of the oldest open snapshot; 0 if it may be any.
  uint64_t highest = 0;  ///< Of the newest; UINT64_MAX if it may be any.

  /// Nothing if no snapshot is open. `lock_file`: LOCK, opened anew.
  static Result<std::optional<SnapshotPins>> find(const io::File& lock_file) {
    NPK_ASSIGN_OR_RETURN(const auto any, lock_file.find_lock(kPendingByte, kEndByte));
    if (!any) return std::optional<SnapshotPins>();
    // A snapshot that is opened or closed meanwhile makes no difference.
    uint64_t low = *any;
    uint64_t high = low;
    while (low > kPendingByte) {
      NPK_ASSIGN_OR_RETURN(const auto lower, lock_file.find_lock(kPendingByte, low));
      if (!lower) break;
      low = *lower;
    }
    if (low == kPendingByte) return std::optional(SnapshotPins{0, UINT64_MAX});
    while (true) {
      NPK_ASSIGN_OR_RETURN(const auto higher, lock_file.find_lock(high + 1, kEndByte));
      if (!higher) break;
      high = *higher;
    }
    return std::optional(SnapshotPins{low - kFirstByte, high - kFirstByte});
  }
};

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_SNAPSHOT_PINS_H_
