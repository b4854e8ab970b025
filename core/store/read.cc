// The life of a read.
//
// 1. If the page's change number is not the one last seen, another process has committed: its log
//    records are read and folded, or, after its checkpoint, everything is loaded anew.
// 2. The array's state is taken from the catalogue: from here on nothing changes but rows that are
//    replaced in place.
// 3. Under the file's gate (no replace of this process) the rows are read where they lie. If the
//    array's epoch was odd or has changed, another process replaced rows meanwhile: once more.
//    After a few times the reader takes the writer lock, shared, and reads in peace. Reads of the
//    file itself (with_rows) keep to this too: in the page cache they see the mapping's bytes, and
//    around it the kernel first brings to the disk what was stored before they began; what is
//    stored later shows in the epoch.
// 4. An epoch that stays odd while nobody holds the writer lock is a killed writer's: a writable
//    handle recovers the store, a read-only one lays the log's records over the rows in memory.
// A read-only handle on a store without LOCK has no page to look at. Writers make it before they
// change anything: while a look after each read finds none, what was read is one committed state.
#include <algorithm>
#include <optional>

#include "core/store/names.h"
#include "core/store/row_access.h"
#include "core/store/store_core.h"
#include "core/store/store_handle.h"
#include "npk/internal/text.h"

namespace npk::internal {
namespace {

constexpr int kOptimisticReads = 4;
constexpr int kReloads = 100;

}  // namespace

Status StoreCore::check_nobody_writes() const {
  if (!page_->is_detached()) return {};
  NPK_ASSIGN_OR_RETURN(const io::PathInfo lock, directory_.env->info(directory_.file(kLockFile)));
  if (lock.kind == io::PathKind::kMissing || lock.size_bytes < SharedPage::kBytes) return {};
  return Status::failed_precondition(
             "nobody wrote to the store when it was opened for reading, and now somebody does: "
             "open it again")
      .with_path(directory_.path);
}

Status StoreCore::refresh() {
  NPK_RETURN_IF_ERROR(check_nobody_writes());
  if (page_->load(SharedPage::kChange) == seen_change_.load(std::memory_order_relaxed)) return {};
  if (is_forked()) {
    // A thread of the parent may have held the mutex at the fork: then the child keeps what it saw.
    std::unique_lock position(position_mutex_, std::try_to_lock);
    return position.owns_lock() ? refresh_locked() : Status();
  }
  const std::lock_guard position(position_mutex_);
  return refresh_locked();
}

Status StoreCore::refresh_locked() {
  const uint64_t change = page_->load(SharedPage::kChange);
  if (change == seen_change_.load(std::memory_order_relaxed)) return {};
  if (!page_is_valid() ||
      page_->load(SharedPage::kCheckpoint) != committed_.superblock.checkpoint) {
    return reload();
  }
  const uint64_t end = page_->load(SharedPage::kLogEnd);
  LogReader reader(*committed_.log, committed_.superblock.log_seed(), committed_.position);
  while (reader.position().offset_bytes < end) {
    NPK_ASSIGN_OR_RETURN(const LoggedCommit commit, reader.next_commit());
    if (commit.records.empty()) return reload();
    const std::lock_guard catalog(catalog_mutex_);
    NPK_RETURN_IF_ERROR(fold(directory_, nullptr, commit.records, committed_));
    committed_.position = commit.end;
  }
  if (committed_.position.offset_bytes != end) return reload();
  seen_change_.store(change, std::memory_order_relaxed);
  return {};
}

bool StoreCore::page_agrees(const Committed& committed) const {
  return page_->load(SharedPage::kCheckpoint) != committed.superblock.checkpoint ||
         (page_->load(SharedPage::kLogEnd) == committed.position.offset_bytes &&
          page_->load(SharedPage::kNextRecord) == committed.position.next_record);
}

Status StoreCore::reload() {
  Status status;
  for (int attempt = 0; attempt < kReloads; ++attempt) {
    const uint64_t change = page_->load(SharedPage::kChange);
    const bool valid = page_is_valid();
    auto loaded =
        load(directory_, {valid ? page_.get() : nullptr, true, &committed_.catalog, false});
    // In this order: what is published meanwhile shows in one of the two that follow.
    const bool agrees = !loaded.is_ok() || !valid || page_agrees(loaded->committed);
    const bool is_quiet = page_->load(SharedPage::kWriting) == 0;
    const bool is_steady = page_->load(SharedPage::kChange) == change;
    if (!agrees && is_quiet && is_steady) {
      return Status::corruption(
                 "the shared page does not say what the log does; remove LOCK when nobody has the "
                 "store open")
          .with_path(directory_.file(kLockFile));
    }
    if (loaded.is_ok() && (is_steady || attempt + 1 == kReloads)) {
      install(std::move(loaded->committed));
      seen_change_.store(change, std::memory_order_relaxed);
      return {};
    }
    status = loaded.is_ok() ? Status() : std::move(loaded).status();
    // Files of a store that nobody changes are what they are.
    if (is_steady && is_quiet) return status;
    directory_.env->sleep_us(100);
  }
  return status;
}

Result<StatePtr> StoreCore::find(std::string_view name) {
  NPK_RETURN_IF_ERROR(refresh());
  const std::shared_lock catalog(catalog_mutex_);
  const auto found = committed_.catalog.find(name);
  if (found == committed_.catalog.end()) return array_not_found(name, committed_.catalog);
  return found->second;
}

Result<Catalog> StoreCore::catalog() {
  NPK_RETURN_IF_ERROR(refresh());
  const std::shared_lock catalog(catalog_mutex_);
  return committed_.catalog;
}

Result<bool> StoreCore::settle(const std::function<bool()>& is_settled, uint64_t* waited_us) {
  constexpr uint64_t kPatienceUs = 2'000;  // A commit takes far less.
  const uint64_t wait_us = std::clamp<uint64_t>(*waited_us / 4, 5, 500);
  directory_.env->sleep_us(wait_us);
  *waited_us += wait_us;
  if (*waited_us < kPatienceUs) return false;
  if (*waited_us > uint64_t{options_.lock_timeout_ms} * 1'000 + kPatienceUs) {
    return Status::busy(concat("a commit of another process has been under way for more than ",
                               options_.lock_timeout_ms, " ms; try again"))
        .with_path(directory_.path);
  }
  if (directory_.read_only || is_forked()) {
    const std::lock_guard reader(reader_lock_mutex_);
    NPK_RETURN_IF_ERROR(open_reader_lock());
    auto lock = WriterLock::acquire(*directory_.env, *reader_lock_file_, {true, 0});
    if (lock.status().code() == StatusCode::kBusy) return false;
    NPK_RETURN_IF_ERROR(lock.status());
    if (is_settled()) return false;
    const std::lock_guard position(position_mutex_);
    NPK_RETURN_IF_ERROR(overlay_unapplied());
    return true;
  }
  const auto turn = begin_write(0);
  // With the turn nothing is being applied: an epoch that is odd still is nobody's.
  if (turn.is_ok()) page_->end_all_epochs();
  if (turn.is_ok() || turn.status().code() == StatusCode::kBusy) return false;
  return turn.status();
}

Status StoreCore::wait_for_commit() {
  // A page of another boot says nothing, and whoever writes next recovers the store first.
  const auto is_settled = [&] {
    return !page_is_valid() || page_->load(SharedPage::kWriting) == 0;
  };
  for (uint64_t waited_us = 0; !is_settled();) {
    NPK_ASSIGN_OR_RETURN(const bool is_laid_over, settle(is_settled, &waited_us));
    if (is_laid_over) break;
  }
  return {};
}

uint64_t StoreCore::epoch_of(const ArrayState& state) const {
  // A page of another boot says nothing; whoever writes next makes it valid first.
  return page_is_valid() ? page_->epoch(state.id) : 0;
}

Status StoreCore::read_state(const ArrayState& state, const Reader& read) {
  return read_steady(state, read, false);
}

Status StoreCore::read_steady(const ArrayState& state, const Reader& read, bool is_put_back) {
  uint64_t waited_us = 0;
  bool is_laid_over = false;
  for (int attempt = 0;; ++attempt) {
    NPK_ASSIGN_OR_RETURN(const auto mapping, state.file->map(state.size_bytes()));
    std::unique_lock reader(reader_lock_mutex_, std::defer_lock);
    std::optional<WriterLock> lock;
    if (attempt >= kOptimisticReads && lock_file_ != nullptr) {
      reader.lock();
      NPK_RETURN_IF_ERROR(open_reader_lock());
      NPK_ASSIGN_OR_RETURN(auto shared, WriterLock::acquire(*directory_.env, *reader_lock_file_,
                                                            {true, options_.lock_timeout_ms}));
      lock.emplace(std::move(shared));
    }
    uint64_t epoch = 0;
    {
      const std::shared_lock gate(state.file->gate());
      epoch = epoch_of(state);
      // With the lock held, an odd epoch is a killed writer's: the rows stay as they are.
      if ((epoch & 1) == 0 || state.file->has_overlay() ||
          (lock.has_value() && (is_put_back || is_laid_over))) {
        const Status status = read(mapping);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (epoch_of(state) == epoch) {
          NPK_RETURN_IF_ERROR(check_nobody_writes());
          return status;
        }
        continue;
      }
    }
    lock.reset();
    if (reader.owns_lock()) reader.unlock();
    const auto is_settled = [&] { return (epoch_of(state) & 1) == 0; };
    NPK_ASSIGN_OR_RETURN(is_laid_over, settle(is_settled, &waited_us));
  }
}

Status StoreCore::open_reader_lock() {
  if (reader_lock_file_ != nullptr) return {};
  NPK_ASSIGN_OR_RETURN(reader_lock_file_,
                       directory_.env->open(directory_.file(kLockFile), io::OpenMode::kRead));
  return {};
}

Status StoreCore::read_array(std::string_view name, const ArrayReader& read) {
  uint64_t generation = UINT64_MAX;
  while (true) {
    NPK_ASSIGN_OR_RETURN(const StatePtr state, find(name));
    bool was_read = false;
    Status status = read_state(*state, [&](const auto& mapping) {
      was_read = true;
      return read(state, mapping);
    });
    if (was_read || status.code() != StatusCode::kNotFound) return status;
    // The generation's file was removed after the state was taken: another one has begun.
    if (state->generation == generation) {
      return Status::corruption("the rows file is missing; restore it from a backup")
          .with_path(state->file->path());
    }
    generation = state->generation;
  }
}

Status with_rows(const StoreReader& store, std::string_view name,
                 const std::function<Status(const PinnedRows&)>& read) {
  NPK_ASSIGN_OR_RETURN(const auto source, store.source());
  return source->read_array(name, [&](const StatePtr& state, const auto& mapping) -> Status {
    PinnedRows rows;
    rows.dtype = state->dtype;
    rows.shape = state->shape_of(state->live_rows());
    rows.rows = mapping->data();
    rows.physical_rows = state->rows;
    rows.row_bytes = state->row_bytes();
    rows.deleted = state->deleted;
    rows.pin = mapping;
    if (mapping->shows_file()) {
      NPK_ASSIGN_OR_RETURN(rows.file, state->file->file());
    }
    return read(rows);
  });
}

}  // namespace npk::internal
