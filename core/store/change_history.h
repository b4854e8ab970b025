// ChangeHistory: which rows of which array were changed by which commits, as far back as it goes.
//
// It is made from the log's records and kept across checkpoints in the file CHANGES, which each
// checkpoint writes anew; commits pay nothing for it. Rows are physical here. It is bounded: what
// is old is told less exactly at first (of a run of commits as one, or in larger pieces), then not
// at all; it never says less than what has changed. A restart of the machine ends it: what was
// written without a sync may then be on the disk in part, so nobody knows what has changed.
//
// Thread safety: none; StoreCore guards the one that it has.
#ifndef NPK_CORE_STORE_CHANGE_HISTORY_H_
#define NPK_CORE_STORE_CHANGE_HISTORY_H_

#include <cstdint>
#include <span>
#include <vector>

#include "core/store/array_state.h"
#include "core/store/log.h"
#include "npk/status.h"
#include "npk/store.h"

namespace npk::internal {

class ChangeHistory {
 public:
  /// On disk: never renumber or reuse.
  enum class Kind : uint8_t {
    kAppended = 1,
    kReplaced = 2,
    kDeleted = 3,
    kWhole = 4,  ///< Any row may be another: a new generation, rows replaced without a log.
  };
  struct Change {
    Kind kind = Kind::kWhole;
    uint64_t array = 0;
    uint64_t first = 0;          ///< It tells of the commits with these record numbers, ...
    uint64_t last = 0;           ///< ... both included.
    std::vector<RowRun> places;  ///< Ascending physical rows; none: of kWhole.
  };

  /// Knows nothing up to `commit_number`, and that nothing has happened since.
  explicit ChangeHistory(uint64_t commit_number = 0) : floor_(commit_number), end_(commit_number) {}

  /// The commit number up to which it tells what has happened.
  [[nodiscard]] uint64_t end() const noexcept { return end_; }
  /// Adds a record that was read from `log`. Errors: IoError; Corruption of a bitmap.
  Status add(const io::File& log, const Record& record);
  /// Forgets what it has from record `number` on: that log is about to be read again.
  void rewind(uint64_t number);
  /// What has happened to the array between `since` and `state`, which is of commit end().
  [[nodiscard]] RowChanges changes_since(const ArrayState& state, uint64_t since) const;

  [[nodiscard]] std::vector<std::byte> encode() const;
  /// Errors: Corruption.
  static Result<ChangeHistory> decode(std::span<const std::byte> bytes);

 private:
  void put(Change change);
  void forget(uint64_t array);
  void shorten();

  uint64_t floor_;  // It does not tell of commits up to this one.
  uint64_t end_;
  std::vector<Change> changes_;
  uint64_t words_ = 0;  // What changes_ takes on disk.
};

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_CHANGE_HISTORY_H_
