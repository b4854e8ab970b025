// Opening a store, and recovery: the one way back from a kill, a power cut or an I/O error.
//
// A store is made in a directory of its own: LOCK and log.0 first, STORE last, through a temporary
// file; without STORE there is no store yet, and opening starts over.
//
// Recovery runs under the writer lock when the shared page was not written in this boot, or says
// that a commit or checkpoint was under way when its writer died:
// 1. load() reads what is committed.
// 2. The log's records that change rows are applied again, as far as neither the page nor the
//    array's sidecar knows them to be applied; those of durability power after a sync of the log.
//    Killed here: the next recovery applies them once more. (What a sidecar has was synced before
//    it, and the next checkpoint would not sync it again.)
// 3. Files that nothing refers to are removed: rows files of commits that never were, ended
//    generations, temporaries.
// 4. After a restart of the machine: a checkpoint, so that the log's doubtful end is left behind.
//    The next record's number then leaves a gap, for commits that were lost with their numbers:
//    none is used for another commit.
// 5. The page is set: from here on the store is as if its writer had not died.
// A read-only opener does 1, and 2 in memory only.
#include <algorithm>
#include <array>
#include <atomic>
#include <set>

#include <pthread.h>

#include "core/store/apply.h"
#include "core/store/names.h"
#include "core/store/snapshot_pins.h"
#include "core/store/store_core.h"
#include "io/paths.h"
#include "npk/internal/text.h"

namespace npk::internal {
namespace {

// More records than an unsynced log can have held.
constexpr uint64_t kRestartGap = uint64_t{1} << 32;

std::atomic<uint64_t> g_fork_count{0};

/// How many forks lie between the process's start and now.
uint64_t fork_count() {
  static const int registered =
      ::pthread_atfork(nullptr, nullptr, [] { g_fork_count.fetch_add(1); });
  (void)registered;
  return g_fork_count.load(std::memory_order_relaxed);
}

/// Whether what is in the directory can be the beginning of a store that was never finished.
bool is_unfinished(const std::vector<std::string>& names) {
  return std::ranges::all_of(names, [](const std::string& name) {
    const FileKind kind = file_kind(name);
    return kind == FileKind::kLock || kind == FileKind::kLog || kind == FileKind::kTemporary;
  });
}

Status no_store(const std::string& path, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (file_kind(name) == FileKind::kSidecar || file_kind(name) == FileKind::kRows) {
      return Status::corruption("STORE is missing, but arrays are there; restore it from a backup")
          .with_path(path + "/" + std::string(kStoreFile));
    }
    if (name == "metadata.npkm") {
      return Status::failed_precondition(
                 "this is a NumPack store (metadata.npkm), not an npk store; open another path")
          .with_path(path);
    }
  }
  return Status::failed_precondition(
             concat("the directory is no npk store: it has no file STORE, but ", names.size(),
                    " other files; choose a new or an empty directory"))
      .with_path(path);
}

Status check_filesystem(io::Env& env, const std::string& directory, const StoreOptions& options) {
  if (options.allow_unsafe_filesystem) return {};
  NPK_ASSIGN_OR_RETURN(const std::string unsafe, env.unsafe_filesystem(directory));
  if (unsafe.empty()) return {};
  return Status::failed_precondition(
             concat("the file system is ", unsafe,
                    ", where locks and mappings do not keep the store's promises: put it on a "
                    "local disk, or open with allow_unsafe_filesystem and use it from one machine "
                    "only"))
      .with_path(directory);
}

}  // namespace

Status make_store_directory(io::Env& env, const std::string& path, const StoreOptions& options) {
  Status made = check_filesystem(env, io::parent_directory(path), options);
  if (made.is_ok()) made = env.make_directory(path);
  if (made.code() == StatusCode::kNotFound) {
    return Status::not_found("the directory that would hold the store is missing; make it first")
        .with_path(path);
  }
  return made.code() == StatusCode::kAlreadyExists ? Status() : made;
}

bool StoreCore::is_forked() const noexcept { return fork_count() != fork_count_; }

StoreCore::StoreCore(Directory directory, const StoreOptions& options)
    : directory_(std::move(directory)),
      options_(options),
      boot_id_(directory_.env->boot_id()),
      fork_count_(fork_count()) {}

Result<std::shared_ptr<StoreCore>> StoreCore::open(io::Env& env, const std::string& path,
                                                   const StoreOptions& options) {
  NPK_ASSIGN_OR_RETURN(io::PathInfo info, env.info(path));
  if (info.kind == io::PathKind::kFile || info.kind == io::PathKind::kOther) {
    return Status::failed_precondition(
               "a store is a directory, but this is a file; choose another path")
        .with_path(path);
  }
  const bool may_create = options.create_if_missing && !options.read_only;
  const auto missing = [&] {
    return Status::not_found("there is no store here; check the path, or let it be created")
        .with_path(path);
  };
  if (info.kind == io::PathKind::kMissing) {
    if (!may_create) return missing();
    NPK_RETURN_IF_ERROR(make_store_directory(env, path, options));
  } else {
    NPK_RETURN_IF_ERROR(check_filesystem(env, path, options));
  }
  auto core = std::shared_ptr<StoreCore>(new StoreCore({&env, path, options.read_only}, options));
  NPK_ASSIGN_OR_RETURN(info, env.info(core->directory_.file(kStoreFile)));
  if (info.kind == io::PathKind::kMissing) {
    NPK_ASSIGN_OR_RETURN(const auto names, env.list(path));
    if (std::ranges::find(names, kStoreFile) == names.end()) {  // Not made by another just now.
      if (!is_unfinished(names)) return no_store(path, names);
      if (!may_create) return missing();
      NPK_RETURN_IF_ERROR(core->create_files());
    }
  }
  NPK_RETURN_IF_ERROR(options.read_only ? core->attach_read_only() : core->attach());
  return core;
}

Status StoreCore::create_files() {
  io::Env& env = *directory_.env;
  NPK_ASSIGN_OR_RETURN(const auto lock_file,
                       env.open(directory_.file(kLockFile), io::OpenMode::kCreateOrOpen));
  NPK_ASSIGN_OR_RETURN(const WriterLock lock,
                       WriterLock::acquire(env, *lock_file, {false, options_.lock_timeout_ms}));
  NPK_ASSIGN_OR_RETURN(const io::PathInfo info, env.info(directory_.file(kStoreFile)));
  if (info.kind != io::PathKind::kMissing) return {};  // Another process was faster.
  is_new_ = true;
  NPK_ASSIGN_OR_RETURN(const auto log,
                       env.open(directory_.file(log_file(0)), io::OpenMode::kTruncate));
  NPK_RETURN_IF_ERROR(log->sync());
  Superblock superblock;
  superblock.first_record = 1;
  env.random_bytes(superblock.uuid);
  std::array<std::byte, kSlotBytes * kSlots> slots;
  for (uint64_t checkpoint = 0; checkpoint < kSlots; ++checkpoint) {
    // Both slots are valid from the start; they differ by their number and by it in the log's seed.
    superblock.checkpoint = checkpoint;
    encode_slot(superblock, std::span<std::byte, kSlotBytes>(slots.data() + checkpoint * kSlotBytes,
                                                             kSlotBytes));
  }
  const std::string path = directory_.file(kStoreFile);
  const std::string temporary = path + std::string(kTemporarySuffix);
  NPK_ASSIGN_OR_RETURN(const auto file, env.open(temporary, io::OpenMode::kTruncate));
  NPK_RETURN_IF_ERROR(file->write_at(0, slots));
  NPK_RETURN_IF_ERROR(file->sync());
  NPK_RETURN_IF_ERROR(env.rename(temporary, path));
  NPK_RETURN_IF_ERROR(env.sync_directory(directory_.path));
  return env.sync_directory(io::parent_directory(directory_.path));  // The store's own name.
}

bool StoreCore::page_is_valid() const {
  return page_->is_valid(boot_id_, store_id_.load(std::memory_order_relaxed));
}

void StoreCore::install(Committed committed) {
  const std::lock_guard catalog(catalog_mutex_);
  committed_ = std::move(committed);
  store_id_.store(committed_.superblock.uuid_hash());
  reserved_log_bytes_ = 0;
}

Status StoreCore::attach() {
  io::Env& env = *directory_.env;
  NPK_ASSIGN_OR_RETURN(auto read, read_superblock(env, directory_.file(kStoreFile)));
  committed_.superblock = read.superblock;
  store_id_.store(committed_.superblock.uuid_hash());
  NPK_ASSIGN_OR_RETURN(lock_file_,
                       env.open(directory_.file(kLockFile), io::OpenMode::kCreateOrOpen));
  NPK_ASSIGN_OR_RETURN(page_, SharedPage::map(*lock_file_, true));
  // Another process may hold the lock for long (a compaction); then what it has published is what
  // there is to see. Only if nothing is published yet must it be waited for.
  const auto is_quiet = [&] { return page_is_valid() && page_->load(SharedPage::kWriting) == 0; };
  if (is_quiet()) return reload();
  const bool is_alive = page_is_valid();
  auto lock =
      WriterLock::acquire(env, *lock_file_, {false, is_alive ? 0 : options_.lock_timeout_ms});
  if (lock.is_ok()) {
    if (is_quiet()) return reload();
    NPK_ASSIGN_OR_RETURN(const bool must_checkpoint, recover(page_is_valid()));
    return finish_recovery(must_checkpoint);
  }
  if (lock.status().code() != StatusCode::kBusy || !is_alive) return std::move(lock).status();
  return reload();
}

Result<bool> StoreCore::recover(bool page_is_valid) {
  NPK_ASSIGN_OR_RETURN(Loaded loaded, load(directory_, {page_is_valid ? page_.get() : nullptr,
                                                        false, &committed_.catalog}));  // 1
  const uint64_t applied = page_is_valid && page_->load(SharedPage::kCheckpoint) ==
                                                loaded.committed.superblock.checkpoint
                               ? page_->load(SharedPage::kApplied)
                               : 0;
  if (std::ranges::any_of(loaded.row_records, [&](const Record& record) {
        return record.number >= applied && (record.flags & kFlagSynced) != 0;
      })) {
    // The writer may have been killed while it synced them. Rows must not reach the disk before the
    // record that says so.
    NPK_RETURN_IF_ERROR(loaded.committed.log->sync());
  }
  NPK_RETURN_IF_ERROR(apply_records(loaded.committed, loaded.row_records, applied));  // 2
  const uint64_t ended_kept = loaded.committed.position.next_record - 1;
  NPK_ASSIGN_OR_RETURN(const bool are_removed,
                       remove_orphans(loaded.committed, {}, ended_kept));  // 3
  const bool must_checkpoint = !page_is_valid || loaded.was_cut;
  if (loaded.was_cut) {
    // The commits that were left out are still in the log: if this recovery is killed, the next
    // one, in the same boot, must not take them for ones that a killed writer had just made.
    const std::array<std::byte, kRecordAlignment> nothing{};
    NPK_RETURN_IF_ERROR(
        loaded.committed.log->write_at(loaded.committed.position.offset_bytes, io::Bytes(nothing)));
  }
  install(std::move(loaded.committed));
  if (must_checkpoint) page_->store(SharedPage::kMagicWord, 0);  // Until all is done.
  if (!page_is_valid && !is_new_) committed_.position.next_record += kRestartGap;
  page_->end_all_epochs();
  // A killed writer may have saved images, and not said so.
  page_->store(SharedPage::kImages, page_->load(SharedPage::kImages) + 1);
  page_->store(SharedPage::kEndedKept, are_removed ? 0 : ended_kept);
  page_->store(SharedPage::kMayHaveImages, 1);
  page_->store(SharedPage::kStore, committed_.superblock.uuid_hash());
  page_->store(SharedPage::kBoot, boot_id_);
  publish_page(true);
  return must_checkpoint;
}

Status StoreCore::finish_recovery(bool must_checkpoint) {
  if (must_checkpoint) NPK_RETURN_IF_ERROR(checkpoint_in_turn());  // 4
  page_->store(SharedPage::kMagicWord, SharedPage::kMagic);        // 5
  return {};
}

Result<bool> StoreCore::remove_orphans(const Committed& committed,
                                       std::span<const std::string> kept, uint64_t ended_kept) {
  NPK_ASSIGN_OR_RETURN(const auto pins, SnapshotPins::find(*lock_file_));
  const uint64_t lowest_pin = pins ? pins->lowest : UINT64_MAX;
  std::set<std::string, std::less<>> needed(committed.garbage.begin(), committed.garbage.end());
  for (const std::string& path : kept) needed.insert(path.substr(path.rfind('/') + 1));
  for (const auto& [name, state] : committed.catalog) {
    needed.insert(rows_file(state->stem, state->generation));
  }
  for (const auto& [stem, sidecar] : committed.sidecars) {
    for (std::string& name : sidecar.files.names()) needed.insert(std::move(name));
  }
  NPK_ASSIGN_OR_RETURN(auto names, directory_.env->list(directory_.path));
  // Before-images are of the commits of one log. Those of this log may be written by anybody.
  std::set<uint64_t> logs = {committed.superblock.first_record};
  for (const std::string& name : names) {
    if (const auto images = parse_before_images_file(name)) logs.insert(images->log_first_record);
  }
  const auto is_orphan = [&](const std::string& name) {
    switch (file_kind(name)) {
      case FileKind::kDeleted:
      case FileKind::kSums:
      case FileKind::kTemporary:
        return !needed.contains(name);
      case FileKind::kRows:
        return !needed.contains(name) && lowest_pin >= ended_kept;
      case FileKind::kBeforeImages: {
        const auto next = logs.upper_bound(parse_before_images_file(name)->log_first_record);
        return next != logs.end() && lowest_pin >= *next - 1;
      }
      default:
        return false;
    }
  };
  std::erase_if(names, [&](const std::string& name) { return !is_orphan(name); });
  if (names.empty()) return lowest_pin >= ended_kept;
  // A checkpoint that was cut off may have renamed sidecars without syncing that: a power cut would
  // bring the old ones back, and they would miss what is removed here.
  NPK_RETURN_IF_ERROR(directory_.env->sync_directory(directory_.path));
  for (const std::string& name : names) {
    const Status removed = directory_.env->remove(directory_.file(name));
    if (!removed.is_ok() && removed.code() != StatusCode::kNotFound) return removed;
  }
  return lowest_pin >= ended_kept;
}

Status StoreCore::attach_read_only() {
  io::Env& env = *directory_.env;
  auto lock_file = env.open(directory_.file(kLockFile), io::OpenMode::kRead);
  if (lock_file.is_ok()) {
    lock_file_ = *std::move(lock_file);
    NPK_ASSIGN_OR_RETURN(page_, SharedPage::map(*lock_file_, false));
  } else if (lock_file.status().code() == StatusCode::kNotFound) {
    page_ = SharedPage::detached();
  } else {
    return std::move(lock_file).status();
  }
  NPK_ASSIGN_OR_RETURN(auto read, read_superblock(env, directory_.file(kStoreFile)));
  committed_.superblock = read.superblock;
  store_id_.store(committed_.superblock.uuid_hash());
  if (page_is_valid() && page_->load(SharedPage::kWriting) == 0) return reload();
  if (lock_file_ == nullptr) return overlay_unapplied();
  auto lock =
      WriterLock::acquire(env, *lock_file_, {true, page_is_valid() ? 0 : options_.lock_timeout_ms});
  if (lock.is_ok()) return overlay_unapplied();
  if (lock.status().code() != StatusCode::kBusy || !page_is_valid()) {
    return std::move(lock).status();
  }
  return reload();  // A writer is at work: what it has published is what there is to see.
}

Status StoreCore::overlay_unapplied() {
  const bool valid = page_is_valid();
  NPK_ASSIGN_OR_RETURN(Loaded loaded, load(directory_, {valid ? page_.get() : nullptr, false,
                                                        &committed_.catalog, false}));
  const uint64_t applied = valid ? page_->load(SharedPage::kApplied) : 0;
  const uint64_t change = page_->load(SharedPage::kChange);
  NPK_RETURN_IF_ERROR(overlay_records(loaded.committed, loaded.row_records, applied));
  install(std::move(loaded.committed));
  seen_change_.store(change);
  return {};
}

}  // namespace npk::internal
