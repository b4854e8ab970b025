// The life of a change feed: from the log and CHANGES to RowChanges.
//
// A commit's records are the history of what changed. A checkpoint, before its log is used again,
// adds what is in it to the file CHANGES. Who asks reads that file once and then, each time, what
// the log has more. CHANGES is written before the checkpoint is made, so after a kill it may tell
// of the log's records too: those are forgotten and read from the log again. If it is damaged, or
// ends before the log begins, the history begins with the log.
#include "core/store/load.h"
#include "core/store/names.h"
#include "core/store/store_core.h"

namespace npk::internal {
namespace {

// How often the log may be taken away by checkpoints while it is read.
constexpr int kAttempts = 100;

}  // namespace

Result<uint64_t> StoreCore::commit_number() {
  NPK_RETURN_IF_ERROR(refresh());
  const std::lock_guard position(position_mutex_);
  return committed_.position.next_record - 1;
}

ChangeHistory StoreCore::read_history(uint64_t first_record) const {
  const auto bytes = read_whole(directory_, std::string(kChangesFile));
  if (bytes.is_ok()) {
    auto history = ChangeHistory::decode(*bytes);
    if (history.is_ok() && history->end() + 1 >= first_record) {
      history->rewind(first_record);
      return *std::move(history);
    }
  }
  return ChangeHistory(first_record - 1);
}

/// Brings feed_ to `end`; false if the log is no longer the one of this superblock.
Result<bool> StoreCore::follow_changes(const Superblock& superblock, const io::File& log,
                                       const LogPosition& end) {
  if (feed_.checkpoint != superblock.checkpoint || feed_.position.offset_bytes > end.offset_bytes) {
    feed_.history = read_history(superblock.first_record);
    feed_.position = {0, superblock.first_record, 0};
  }
  feed_.checkpoint = ChangeFeed::kNowhere;  // Until it has got there.
  LogReader reader(log, superblock.log_seed(), feed_.position);
  while (reader.position().offset_bytes < end.offset_bytes) {
    NPK_ASSIGN_OR_RETURN(const LoggedCommit commit, reader.next_commit());
    if (commit.records.empty()) return false;
    for (const Record& record : commit.records) {
      NPK_RETURN_IF_ERROR(feed_.history.add(log, record));
    }
  }
  feed_.position = reader.position();
  feed_.checkpoint = superblock.checkpoint;
  return true;
}

std::vector<std::byte> StoreCore::encode_history() {
  const std::lock_guard feed(feed_mutex_);
  const Result<bool> is_whole =
      follow_changes(committed_.superblock, *committed_.log, committed_.position);
  const uint64_t end = committed_.position.next_record - 1;
  // Not so after a restart, or if the log cannot be read just now: then what is known ends there. A
  // checkpoint does not fail for want of the history.
  const bool is_known = is_whole.is_ok() && *is_whole && feed_.history.end() == end;
  return is_known ? feed_.history.encode() : ChangeHistory(end).encode();
}

Result<RowChanges> StoreCore::rows_changed_since(std::string_view name, uint64_t since) {
  const std::lock_guard feed(feed_mutex_);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    NPK_RETURN_IF_ERROR(refresh());
    Superblock superblock;
    std::shared_ptr<io::File> log;
    LogPosition end;
    StatePtr state;
    {
      const std::lock_guard position(position_mutex_);
      const auto found = committed_.catalog.find(name);
      if (found == committed_.catalog.end()) return array_not_found(name, committed_.catalog);
      state = found->second;
      superblock = committed_.superblock;
      log = committed_.log;
      end = committed_.position;
    }
    NPK_ASSIGN_OR_RETURN(const bool is_there, follow_changes(superblock, *log, end));
    if (is_there) return feed_.history.changes_since(*state, since);
  }
  return Status::busy("checkpoints came too fast to tell what has changed; try again")
      .with_path(directory_.path);
}

}  // namespace npk::internal
