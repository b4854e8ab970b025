// The life of a checkpoint: the log is folded into the sidecars, and a new log begins.
//
// 1. The page says that a change is under way, so that a kill anywhere below leads to recovery.
// 2. Sync the log and the changed arrays' rows: from here on the log alone can repeat everything,
//    and the sidecars to come speak of rows that are there.
// 3. Write the history of changes and the changed bitmaps, sums and sidecars to temporary files and
//    sync them; rename all but the sidecars;
//    sync the directory if sidecars will speak of names that are new in it; rename the sidecars. A
//    sidecar names the last record that it holds, so after a crash here the old log is folded onto
//    a mix of old and new sidecars with the same result.
// 4. Remove the sidecars of dropped arrays. A crash: the old log drops them again.
// 5. Make the other log ready and sync the directory: all those names survive.
// 6. Write and sync the older slot of STORE with the next checkpoint's number: this is the moment.
//    Until then the old slot and the old log count, from then on the new ones.
// 7. Remove what only the old state needed: ended generations, older bitmaps and sums. While a
//    snapshot is open, rows files and before-images that it may need stay, and a later checkpoint
//    removes them.
// Many files are synced by one call for the file system, few one by one.
#include <algorithm>

#include "core/store/codec.h"
#include "core/store/names.h"
#include "core/store/sidecar.h"
#include "core/store/snapshot_pins.h"
#include "core/store/store_core.h"
#include "npk/internal/text.h"
#include "simd/crc32c.h"

namespace npk::internal {
namespace {

// From this many changed arrays on, one sync of the file system is cheaper than one of each file.
constexpr size_t kManyArrays = 8;

/// The files that the state's sidecar will name.
SideFiles side_files(const ArrayState& state) {
  SideFiles files;
  if (!state.deleted->empty()) {
    files.deleted = deleted_file(state.stem, state.generation, state.last_record);
  }
  if (state.sums != nullptr) {
    files.sums = sums_file(state.stem, state.generation, state.last_record);
  }
  return files;
}

void move_to(std::vector<std::string>& all, std::vector<std::string> more) {
  std::ranges::move(more, std::back_inserter(all));
}

}  // namespace

Status StoreCore::checkpoint() {
  NPK_ASSIGN_OR_RETURN(const WriteTurn turn, begin_write(options_.lock_timeout_ms));
  return checkpoint_in_turn();
}

Status StoreCore::close() {
  if (directory_.read_only || is_forked()) return {};
  auto turn = begin_write(0);
  if (!turn.is_ok()) {
    // A poisoned handle said so at the write that failed; a busy writer checkpoints for itself.
    const StatusCode code = turn.status().code();
    if (code == StatusCode::kBusy || code == StatusCode::kFailedPrecondition) return {};
    return std::move(turn).status();
  }
  return checkpoint_in_turn();
}

Status StoreCore::checkpoint_in_turn(std::span<const std::string> unborn) {
  if (committed_.position.offset_bytes == 0 &&
      committed_.position.next_record == committed_.superblock.first_record) {
    remove_ended({}, unborn);
    return {};
  }
  std::vector<StatePtr> dirty;
  for (const auto& [name, state] : committed_.catalog) {
    const auto sidecar = committed_.sidecars.find(state->stem);
    if (sidecar == committed_.sidecars.end() || sidecar->second.id != state->id ||
        sidecar->second.last_record != state->last_record) {
      dirty.push_back(state);
    }
  }
  const bool is_many = dirty.size() >= kManyArrays;
  page_->store(SharedPage::kWriting, SharedPage::kBusy);       // 1
  if (!is_many) NPK_RETURN_IF_ERROR(sync_rows(dirty, false));  // 2
  NPK_RETURN_IF_ERROR(write_sidecars(dirty, is_many));         // 3
  std::vector<std::string> stale = committed_.garbage;
  for (auto sidecar = committed_.sidecars.begin(); sidecar != committed_.sidecars.end();) {  // 4
    const auto name = committed_.names.find(sidecar->second.id);
    const bool is_live = name != committed_.names.end();
    if (is_live || std::ranges::any_of(dirty, [&](const StatePtr& state) {
          return state->stem == sidecar->first;
        })) {
      ++sidecar;
      continue;
    }
    const Status removed = directory_.env->remove(directory_.file(sidecar_file(sidecar->first)));
    if (!removed.is_ok() && removed.code() != StatusCode::kNotFound) return poison(removed);
    move_to(stale, sidecar->second.files.names());
    sidecar = committed_.sidecars.erase(sidecar);
  }
  Superblock next = committed_.superblock;
  next.checkpoint++;
  next.log_index ^= 1;
  next.first_record = committed_.position.next_record;
  next.generation_floor = committed_.generation_floor;
  next.arrays = committed_.catalog.size();
  next.incompatible_features = 0;
  for (const auto& [name, state] : committed_.catalog) {
    if (state->sums != nullptr) next.incompatible_features |= kFeatureChecksums;
  }
  auto log = prepare_log(next.log_index);  // 5
  if (!log.is_ok()) return poison(std::move(log).status());
  Status synced = directory_.env->sync_directory(directory_.path);
  if (!synced.is_ok()) return poison(synced);
  {
    auto store = directory_.env->open(directory_.file(kStoreFile), io::OpenMode::kReadWrite);
    synced = store.is_ok() ? write_superblock(**store, next) : std::move(store).status();  // 6
    if (!synced.is_ok()) return poison(synced);
  }
  for (const StatePtr& state : dirty) {
    SidecarOnDisk& sidecar = committed_.sidecars[state->stem];
    move_to(stale, sidecar.files.names());
    sidecar = {state->id, state->generation, state->last_record, side_files(*state)};
  }
  const std::lock_guard position(position_mutex_);
  committed_.superblock = next;
  committed_.expected_arrays = next.arrays;
  committed_.log = *std::move(log);
  committed_.position = {0, next.first_record, 0};
  committed_.has_unsynced_commits = false;
  committed_.garbage.clear();
  committed_.garbage_bytes = 0;
  reserved_log_bytes_ = 0;
  remove_ended(std::move(stale), unborn);  // 7
  publish_page(true);
  return {};
}

Status StoreCore::sync_rows(const std::vector<StatePtr>& dirty, bool whole_filesystem) {
  const auto sync_all = [&]() -> Status {
    if (whole_filesystem) return directory_.env->sync_filesystem(directory_.path);
    NPK_RETURN_IF_ERROR(committed_.log->sync());
    for (const StatePtr& state : dirty) {
      NPK_ASSIGN_OR_RETURN(io::File * file, state->file->file());
      NPK_RETURN_IF_ERROR(file->sync());
    }
    return {};
  };
  const Status synced = sync_all();
  return synced.is_ok() ? synced : poison(synced);
}

Status StoreCore::write_sidecars(const std::vector<StatePtr>& dirty, bool whole_filesystem) {
  std::vector<std::string> sidecars;
  bool has_new_names = false;  // Of bitmaps, sums and rows files, which the sidecars will speak of.
  const auto rename_temporary = [&](const std::string& name) {
    const std::string path = directory_.file(name);
    return directory_.env->rename(path + std::string(kTemporarySuffix), path);
  };
  const auto write_side_file = [&](const std::string& name, io::Bytes bytes) -> Status {
    NPK_RETURN_IF_ERROR(write_temporary(name, bytes, !whole_filesystem));
    return rename_temporary(name);
  };
  const auto write_all = [&]() -> Status {
    const std::vector<std::byte> history = encode_history();
    // Without it the history ends here, because the file ends before the next log begins: no reason
    // for a checkpoint to fail.
    const std::string changes(kChangesFile);
    Status told = write_temporary(changes, history, !whole_filesystem);
    if (!poisoned_.is_ok()) return told;
    if (told.is_ok()) told = rename_temporary(changes);
    if (!told.is_ok()) remove_unneeded({changes + std::string(kTemporarySuffix)});
    for (const StatePtr& state : dirty) {
      const SideFiles files = side_files(*state);
      if (!files.deleted.empty()) {
        std::vector<std::byte> bytes = state->deleted->encode();
        append_le(bytes, simd::crc32c(bytes));
        NPK_RETURN_IF_ERROR(write_side_file(files.deleted, bytes));
      }
      if (!files.sums.empty()) {
        NPK_RETURN_IF_ERROR(write_side_file(files.sums, state->sums->encode()));
      }
      sidecars.push_back(sidecar_file(state->stem));
      NPK_RETURN_IF_ERROR(write_temporary(sidecars.back(), as_bytes(encode_sidecar(*state, files)),
                                          !whole_filesystem));
      const auto old = committed_.sidecars.find(state->stem);
      has_new_names |= !files.names().empty() || old == committed_.sidecars.end() ||
                       old->second.id != state->id || old->second.generation != state->generation;
    }
    if (whole_filesystem) NPK_RETURN_IF_ERROR(sync_rows(dirty, true));
    if (has_new_names && !whole_filesystem) {
      const Status synced = directory_.env->sync_directory(directory_.path);
      if (!synced.is_ok()) return poison(synced);
    }
    for (const std::string& name : sidecars) NPK_RETURN_IF_ERROR(rename_temporary(name));
    return {};
  };
  const Status written = write_all();
  if (!written.is_ok()) {  // A full disk, say: what was not renamed is of no use.
    for (const StatePtr& state : dirty) {
      std::vector<std::string> names = side_files(*state).names();
      names.push_back(sidecar_file(state->stem));
      for (std::string& name : names) name += kTemporarySuffix;
      remove_unneeded(names);
    }
  }
  return written;
}

Status StoreCore::write_temporary(const std::string& name, io::Bytes bytes, bool sync) {
  const std::string path = directory_.file(name) + std::string(kTemporarySuffix);
  NPK_ASSIGN_OR_RETURN(const auto file, directory_.env->open(path, io::OpenMode::kTruncate));
  NPK_RETURN_IF_ERROR(file->write_at(0, bytes));
  if (!sync) return {};
  const Status synced = file->sync();
  return synced.is_ok() ? synced : poison(synced);
}

Result<std::shared_ptr<io::File>> StoreCore::prepare_log(uint32_t index) {
  const std::string path = directory_.file(log_file(index));
  NPK_ASSIGN_OR_RETURN(const io::PathInfo info, directory_.env->info(path));
  // A commit may have needed a log of any length; that length is not kept.
  if (info.kind != io::PathKind::kMissing && info.size_bytes > 2 * options_.log_bytes) {
    NPK_RETURN_IF_ERROR(directory_.env->remove(path));
  }
  NPK_ASSIGN_OR_RETURN(auto file, directory_.env->open(path, io::OpenMode::kCreateOrOpen));
  return std::shared_ptr<io::File>(std::move(file));
}

void StoreCore::remove_ended(std::vector<std::string> files, std::span<const std::string> unborn) {
  const uint64_t now = committed_.position.next_record - 1;
  const auto pins = SnapshotPins::find(*lock_file_);
  const uint64_t lowest_pin = !pins.is_ok() ? 0 : *pins ? (*pins)->lowest : UINT64_MAX;
  const bool is_kept = lowest_pin < now;
  const uint64_t ended_kept = page_->load(SharedPage::kEndedKept);
  if (ended_kept != 0 || page_->load(SharedPage::kMayHaveImages) != 0) {
    std::vector<std::string> kept(unborn.begin(), unborn.end());
    if (is_kept) kept.insert(kept.end(), files.begin(), files.end());
    const auto are_removed = remove_orphans(committed_, kept, ended_kept);
    if (are_removed.is_ok() && *are_removed) page_->store(SharedPage::kEndedKept, 0);
    if (are_removed.is_ok() && lowest_pin == UINT64_MAX) {
      page_->store(SharedPage::kMayHaveImages, 0);
    }
  }
  const auto is_rows = [](const std::string& name) { return file_kind(name) == FileKind::kRows; };
  if (is_kept && std::erase_if(files, is_rows) != 0) page_->store(SharedPage::kEndedKept, now);
  remove_unneeded(files);
}

void StoreCore::remove_unneeded(const std::vector<std::string>& files) {
  for (const std::string& name : files) {
    // Nothing refers to them any more: what cannot be removed now, recovery removes.
    directory_.env->remove(directory_.file(name)).ignore();
  }
}

}  // namespace npk::internal
