// The life of a commit.
//
// 1. The write turn: the process's mutex, then the writer lock; then what other processes committed
//    is folded in, and what a killed one left is recovered.
// 2. Plan and prepare (transaction.h): check everything, stage the new states, write what nobody
//    sees yet, map what will be replaced. From here to the commit anything may fail, behind it
//    nothing should. Killed here: rows behind the end and files that nothing refers to; recovery
//    removes them.
// 3. durability power: sync those rows and the directory, so that the log never speaks of what
//    could be missing. Rows that travel in the log need no sync of their own.
// 4. The shared page says that a commit is under way. If a snapshot is open, the rows that will be
//    replaced are saved for it (before_images.h). The records go to the log by one positioned
//    write (power: and one sync). This is the commit: from here on, whoever takes the lock next
//    finds the records and applies them again; a part of them fails its checksum and is nothing.
// 5. Apply: replaced rows are stored into the mapping, with the array's epoch odd meanwhile. Every
//    application can be repeated.
// 6. Publish: the states for this process, the page's words for the others.
#include <algorithm>
#include <array>

#include "core/store/names.h"
#include "core/store/snapshot_pins.h"
#include "core/store/store_core.h"
#include "npk/internal/text.h"

namespace npk::internal {
namespace {

constexpr uint64_t kLogStepBytes = 1u << 20;
// Files of ended generations beyond this size are given back without waiting for the log to fill.
constexpr uint64_t kGarbageLimitBytes = 256u << 20;

}  // namespace

Status StoreCore::poison(Status status) {
  if (poisoned_.is_ok()) poisoned_ = status;
  return status;
}

Result<StoreCore::WriteTurn> StoreCore::begin_write(uint32_t timeout_ms) {
  if (directory_.read_only) {
    return Status::failed_precondition("the store was opened read-only; open it without read_only")
        .with_path(directory_.path);
  }
  if (is_forked()) {
    return Status::failed_precondition(
               "this handle was opened before fork(): it can read only; open the store again in "
               "the child")
        .with_path(directory_.path);
  }
  std::unique_lock mutex(write_mutex_);
  if (!poisoned_.is_ok()) {
    return Status::failed_precondition(
               concat("an earlier write failed (", poisoned_.message(),
                      "), so what is on disk is not known: close all handles and open again"))
        .with_path(directory_.path);
  }
  NPK_ASSIGN_OR_RETURN(WriterLock lock,
                       WriterLock::acquire(*directory_.env, *lock_file_, {false, timeout_ms}));
  bool must_recover = false;
  bool must_checkpoint = false;
  {
    const std::lock_guard position(position_mutex_);
    const bool valid = page_is_valid();
    must_recover = !valid || page_->load(SharedPage::kWriting) != 0;
    if (must_recover) {
      NPK_ASSIGN_OR_RETURN(must_checkpoint, recover(valid));
    } else {
      NPK_RETURN_IF_ERROR(refresh_locked());
    }
  }
  if (must_recover) NPK_RETURN_IF_ERROR(finish_recovery(must_checkpoint));
  return WriteTurn{std::move(mutex), std::move(lock)};
}

Status StoreCore::commit(Durability durability, const Plan& plan) {
  NPK_ASSIGN_OR_RETURN(const WriteTurn turn, begin_write(options_.lock_timeout_ms));
  return commit_in_turn(durability, plan);
}

Status StoreCore::commit_and_checkpoint(Durability durability, const Plan& plan) {
  NPK_ASSIGN_OR_RETURN(const WriteTurn turn, begin_write(options_.lock_timeout_ms));
  NPK_RETURN_IF_ERROR(commit_in_turn(durability, plan));
  return checkpoint_in_turn();
}

Status StoreCore::commit_in_turn(Durability durability, const Plan& plan) {
  const bool synced = durability == Durability::kPower;
  // A synced commit must not come to stand behind one that may be lost.
  if (synced && committed_.has_unsynced_commits) NPK_RETURN_IF_ERROR(checkpoint_in_turn());
  Transaction transaction(directory_, committed_, {durability, directory_.env->now_us()});
  NPK_RETURN_IF_ERROR(plan(transaction));
  transaction.add_sums();
  if (transaction.builder().empty()) return {};
  const uint64_t bytes = transaction.builder().log_bytes();
  if (committed_.position.offset_bytes > 0 &&
      (committed_.position.offset_bytes + bytes > options_.log_bytes / 4 * 3 ||
       committed_.garbage_bytes > kGarbageLimitBytes)) {
    NPK_RETURN_IF_ERROR(checkpoint_in_turn(transaction.made()));
  }
  NPK_RETURN_IF_ERROR(transaction.prepare());
  if (synced) NPK_RETURN_IF_ERROR(sync_before_commit(transaction));
  const std::lock_guard position(position_mutex_);
  NPK_RETURN_IF_ERROR(reserve_log(bytes, synced));

  page_->store(SharedPage::kWriting, SharedPage::kBusy);
  const Status saved = save_before_images(transaction);
  if (!saved.is_ok()) {
    page_->store(SharedPage::kWriting, 0);  // Nothing is in the log yet.
    return saved;
  }
  const Status written = transaction.builder().write(
      *committed_.log, committed_.superblock.log_seed(), synced, committed_.position);
  if (!written.is_ok()) {
    // The flag stays: the next turn, of this process or another, looks at the log again.
    return synced ? poison(written) : written;
  }
  transaction.keep();
  for (const auto& application : transaction.applications()) {
    const Status applied = apply(transaction.builder().records(), application);
    if (!applied.is_ok()) return poison(applied);
  }
  publish(transaction, synced);
  return {};
}

Status StoreCore::sync_before_commit(const Transaction& transaction) {
  for (const auto& rows : transaction.files_to_sync()) {
    NPK_ASSIGN_OR_RETURN(io::File * file, rows->file());
    const Status synced = file->sync();
    if (!synced.is_ok()) return poison(synced);
  }
  if (transaction.made().empty()) return {};
  const Status synced = directory_.env->sync_directory(directory_.path);
  return synced.is_ok() ? synced : poison(synced);
}

Status StoreCore::reserve_log(uint64_t bytes, bool synced) {
  const uint64_t end = committed_.position.offset_bytes + bytes + kSyncedAlignment;
  if (end <= reserved_log_bytes_) return {};
  const Status reserved = reserve_log_to(align_up(end, kLogStepBytes), synced);
  // After a failed sync nothing is tried again: what is on disk is not known.
  if (reserved.code() != StatusCode::kResourceExhausted || !poisoned_.is_ok()) return reserved;
  // A nearly full disk may have room for this commit, which may be the one that frees some.
  return reserve_log_to(align_up(end, kSyncedAlignment), synced);
}

Status StoreCore::reserve_log_to(uint64_t target, bool synced) {
  if (!synced) {
    NPK_RETURN_IF_ERROR(committed_.log->allocate(0, target));
    reserved_log_bytes_ = target;
    return {};
  }
  // A sync of blocks that were written before costs no metadata: fill them with zeros once.
  NPK_ASSIGN_OR_RETURN(const uint64_t size, committed_.log->size_bytes());
  static const std::array<std::byte, 64 * 1024> kZeros{};
  for (uint64_t at = size; at < target;) {
    const uint64_t count = std::min<uint64_t>(kZeros.size(), target - at);
    NPK_RETURN_IF_ERROR(committed_.log->write_at(at, io::Bytes(kZeros).first(count)));
    at += count;
  }
  if (size < target) {
    const Status done = committed_.log->sync();
    if (!done.is_ok()) return poison(done);
  }
  reserved_log_bytes_ = target;
  return {};
}

Status StoreCore::save_before_images(const Transaction& transaction) {
  if (transaction.applications().empty()) return {};
  NPK_ASSIGN_OR_RETURN(const auto pins, SnapshotPins::find(*lock_file_));
  if (!pins) return {};
  page_->store(SharedPage::kMayHaveImages, 1);
  const uint64_t images = page_->load(SharedPage::kImages);
  const Status saved = image_writer_.save(
      *directory_.env, transaction.applications(),
      {committed_.position.next_record, committed_.superblock.first_record, pins->highest, images});
  // Also if that failed: some may be there, and somebody may have read them.
  page_->store(SharedPage::kImages, images + 1);
  return saved;
}

Status StoreCore::apply(std::span<const Record> records,
                        const Transaction::Application& application) {
  if (application.bytes.empty()) return {};
  std::vector<std::byte> logged;
  const std::byte* from = application.bytes.data();
  if (application.is_in_log) {
    const Record& record = records[application.record];
    logged.resize(application.bytes.size());
    NPK_RETURN_IF_ERROR(committed_.log->read_at(
        record.offset_bytes + RecordLayout::kHeaderBytes + record.payload.size(), logged));
    from = logged.data();
  }
  const std::lock_guard gate(application.file->gate());
  page_->begin_epoch(application.array);
  for (const uint64_t row : application.rows) {
    application.mapping->store(row * application.row_bytes + application.first_byte,
                               {from, application.piece_bytes});
    from += application.piece_bytes;
  }
  page_->end_epoch(application.array);
  return {};
}

void StoreCore::publish(Transaction& transaction, bool synced) {
  if (!synced) committed_.has_unsynced_commits = true;
  committed_.generation_floor = transaction.generation_floor();
  committed_.garbage.insert(committed_.garbage.end(), transaction.garbage().begin(),
                            transaction.garbage().end());
  committed_.garbage_bytes += transaction.garbage_bytes();
  {
    const std::lock_guard catalog(catalog_mutex_);
    for (const auto& [name, staged] : transaction.staged()) {
      const auto found = committed_.catalog.find(name);
      if (found != committed_.catalog.end() &&
          (staged.is_dropped || staged.state->id != found->second->id)) {
        committed_.names.erase(found->second->id);
        committed_.catalog.erase(found);
      }
      if (staged.is_dropped) continue;
      committed_.names[staged.state->id] = name;
      committed_.catalog[name] = staged.state;
    }
  }
  committed_.expected_arrays = committed_.catalog.size();
  publish_page(true);
}

void StoreCore::publish_page(bool is_change) {
  // The end first: killed between the two, the page must not claim that a new log is as long as the
  // old one was.
  page_->store(SharedPage::kLogEnd, committed_.position.offset_bytes);
  page_->store(SharedPage::kCheckpoint, committed_.superblock.checkpoint);
  page_->store(SharedPage::kNextRecord, committed_.position.next_record);
  page_->store(SharedPage::kApplied, committed_.position.next_record);
  if (is_change) {
    const uint64_t change = page_->load(SharedPage::kChange) + 1;
    seen_change_.store(change, std::memory_order_relaxed);
    page_->store(SharedPage::kChange, change);
  }
  page_->store(SharedPage::kWriting, 0);
}

}  // namespace npk::internal
