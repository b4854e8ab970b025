// StoreCore: a store as one process has it open, shared by all its handles.
//
// The life of a commit (commit.cc), of a checkpoint (checkpoint.cc), of recovery (recovery.cc) and
// of a read (read.cc) are told at the top of those files.
//
// Lock order: write_mutex_ (one writer of this process at a time), the writer lock (one of all
// processes), feed_mutex_ (what changed), position_mutex_ (what is known of the log), a RowsFile's
// gate, catalog_mutex_.
// Readers take only the gate and catalog_mutex_, and position_mutex_ when another process has
// committed. Thread safety: all public methods, from any threads at once.
#ifndef NPK_CORE_STORE_STORE_CORE_H_
#define NPK_CORE_STORE_STORE_CORE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "core/store/array_source.h"
#include "core/store/before_images.h"
#include "core/store/change_history.h"
#include "core/store/committed.h"
#include "core/store/load.h"
#include "core/store/shared_page.h"
#include "core/store/transaction.h"
#include "core/store/writer_lock.h"
#include "npk/store.h"

namespace npk::internal {

class SnapshotState;

class StoreCore final : public ArraySource {
 public:
  static Result<std::shared_ptr<StoreCore>> open(io::Env& env, const std::string& path,
                                                 const StoreOptions& options);

  // ---- Reading (read.cc). ----

  /// Opened for reading where nobody has ever written since LOCK was made or removed: whether that
  /// is still so.
  [[nodiscard]] Status check_nobody_writes() const;
  // All after looking for other processes' commits.
  Result<StatePtr> find(std::string_view name) override;
  Result<Catalog> catalog() override;
  Status read_state(const ArrayState& state, const Reader& read) override;
  Status read_array(std::string_view name, const ArrayReader& read) override;

  // ---- Snapshots (snapshot_state.cc). ----

  static Result<std::shared_ptr<SnapshotState>> take_snapshot(
      const std::shared_ptr<StoreCore>& core);
  /// As read_state(). `is_put_back`: `read` itself puts back what was replaced since, so rows that
  /// a killed writer left half replaced are of no consequence.
  Status read_steady(const ArrayState& state, const Reader& read, bool is_put_back);
  [[nodiscard]] uint64_t image_count() const { return page_->load(SharedPage::kImages); }
  [[nodiscard]] uint64_t page_checkpoint() const { return page_->load(SharedPage::kCheckpoint); }

  // ---- The change feed (change_feed.cc). ----

  /// The newest commit (its last record's number).
  Result<uint64_t> commit_number();
  Result<RowChanges> rows_changed_since(std::string_view name, uint64_t since);

  // ---- Writing (commit.cc, checkpoint.cc). ----

  using Plan = std::function<Status(Transaction&)>;
  /// Plans and commits one transaction.
  Status commit(Durability durability, const Plan& plan);
  /// As commit(), and then a checkpoint, which gives freed disk space back.
  Status commit_and_checkpoint(Durability durability, const Plan& plan);
  Status checkpoint();
  /// For the last handle: a checkpoint if there is anything to fold and nobody else writes.
  Status close();

  [[nodiscard]] const Directory& directory() const noexcept { return directory_; }
  [[nodiscard]] const StoreOptions& options() const noexcept { return options_; }
  [[nodiscard]] bool is_forked() const noexcept;
  /// Handles that are open on it; kept by the registry of handles.
  int handle_count = 0;

 private:
  StoreCore(Directory directory, const StoreOptions& options);

  // Opening and recovery (recovery.cc).
  Status create_files();
  Status attach();
  Status attach_read_only();
  /// Returns whether a checkpoint must follow. Requires: the writer lock and position_mutex_.
  Result<bool> recover(bool page_is_valid);
  Status finish_recovery(bool must_checkpoint);
  /// Removes files that nothing refers to, but for `kept` ones. Those of ended generations only if
  /// no snapshot of a commit below `ended_kept` is open: returns whether that was so.
  Result<bool> remove_orphans(const Committed& committed, std::span<const std::string> kept,
                              uint64_t ended_kept);
  void install(Committed committed);

  // Following other processes (read.cc).
  Status refresh();
  Status refresh_locked();
  Status reload();
  /// One step of waiting for a commit of another process; repeats the commit if that was killed.
  /// Returns whether it was laid over the rows in memory, because nothing on disk may change.
  Result<bool> settle(const std::function<bool()>& is_settled, uint64_t* waited_us);
  Status wait_for_commit();
  Status overlay_unapplied();
  Status open_reader_lock();
  [[nodiscard]] bool page_is_valid() const;
  /// Whether the page's words for the log, if they are for this one, are what was read of it.
  [[nodiscard]] bool page_agrees(const Committed& committed) const;
  [[nodiscard]] uint64_t epoch_of(const ArrayState& state) const;

  // Telling what changed (change_feed.cc).
  ChangeHistory read_history(uint64_t first_record) const;
  Result<bool> follow_changes(const Superblock& superblock, const io::File& log,
                              const LogPosition& end);
  std::vector<std::byte> encode_history();

  // Writing.
  struct WriteTurn {
    std::unique_lock<std::mutex> mutex;
    WriterLock lock;
  };
  Result<WriteTurn> begin_write(uint32_t timeout_ms);
  Status commit_in_turn(Durability durability, const Plan& plan);
  Status sync_before_commit(const Transaction& transaction);
  Status reserve_log(uint64_t bytes, bool synced);
  Status reserve_log_to(uint64_t target, bool synced);
  Status save_before_images(const Transaction& transaction);
  Status apply(std::span<const Record> records, const Transaction::Application& application);
  void publish(Transaction& transaction, bool synced);
  /// `unborn`: files of a transaction that is not yet committed.
  Status checkpoint_in_turn(std::span<const std::string> unborn = {});
  Status sync_rows(const std::vector<StatePtr>& dirty, bool whole_filesystem);
  Status write_sidecars(const std::vector<StatePtr>& dirty, bool whole_filesystem);
  Status write_temporary(const std::string& name, io::Bytes bytes, bool sync);
  Result<std::shared_ptr<io::File>> prepare_log(uint32_t index);
  void remove_ended(std::vector<std::string> files, std::span<const std::string> unborn);
  void remove_unneeded(const std::vector<std::string>& files);
  Status poison(Status status);
  void publish_page(bool is_change);

  Directory directory_;
  const StoreOptions options_;
  const uint64_t boot_id_;
  const uint64_t fork_count_;
  bool is_new_ = false;  // Made by this very open().

  std::unique_ptr<io::File> lock_file_;
  std::unique_ptr<SharedPage> page_;

  std::mutex write_mutex_;
  Status poisoned_;  // Guarded by write_mutex_. Why no more writes are taken.

  std::mutex position_mutex_;  // Guards committed_ but for its catalog.
  Committed committed_;
  uint64_t reserved_log_bytes_ = 0;
  BeforeImageWriter image_writer_;  // Used in the write turn.

  /// The history of changes as far as this process has looked at it.
  struct ChangeFeed {
    static constexpr uint64_t kNowhere = UINT64_MAX;
    uint64_t checkpoint = kNowhere;  // Whose log `position` is in.
    LogPosition position;
    ChangeHistory history;
  };
  std::mutex feed_mutex_;
  ChangeFeed feed_;

  std::mutex reader_lock_mutex_;  // Held with the shared writer lock, which is one per open file.
  std::unique_ptr<io::File> reader_lock_file_;

  std::shared_mutex
      catalog_mutex_;  // Guards committed_.catalog; written under position_mutex_ too.
  std::atomic<uint64_t> seen_change_{0};
  std::atomic<uint64_t> store_id_{0};  // The uuid's hash, which readers need without a lock.
};

/// Makes the directory of a new store; one that is there is as good. Errors: FailedPrecondition (a
/// file system that cannot keep the store's promises), NotFound (no directory to make it in),
/// IoError.
Status make_store_directory(io::Env& env, const std::string& path, const StoreOptions& options);

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_STORE_CORE_H_
