// Transaction: plans the operations of one commit.
//
// Planning checks everything, stages the states that the arrays will have, puts the records
// together and writes what nobody can see yet: rows behind the end of a file, files of new
// generations. Then the store writes the records (that is the commit), applies what is left to
// apply, and publishes the staged states. A transaction that is destroyed without keep() removes
// the files it made.
//
// Thread safety: none; used under the store's write turn.
#ifndef NPK_CORE_STORE_TRANSACTION_H_
#define NPK_CORE_STORE_TRANSACTION_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/store/committed.h"
#include "core/store/row_source.h"
#include "core/store/rows_writer.h"
#include "core/store/write_batch.h"
#include "npk/status.h"

namespace npk::internal {

class Transaction {
 public:
  struct Options {
    Durability durability = Durability::kProcess;
    int64_t now_us = 0;
  };
  Transaction(const Directory& directory, const Committed& committed, const Options& options);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  Status add(const WriteBatch::Operations::Operation& operation);
  /// Creates or overwrites an array with rows that are made as they are needed.
  Status add_source(const std::string& name, const RowSource& source,
                    const SaveRowsOptions& options);
  /// The live rows in a new generation; nothing if no row is deleted.
  Status add_compaction(std::string_view name, const WriteProgress& progress);
  Status drop_all();
  Status add_clone(std::string_view source, std::string_view target);

  /// Ends the plan: arrays with checksums get a record of the sums that the commit changes, which
  /// prepare() fills in. Called when all operations were added.
  void add_sums();

  /// A state to publish; null state: the array is gone.
  struct Staged {
    std::shared_ptr<ArrayState> state;
    bool is_dropped = false;
  };
  /// Rows to replace after the commit. Their bytes must then come from where nobody changes them:
  /// what the caller gave may be a view of rows that this very commit changes.
  struct Application {
    std::shared_ptr<RowsFile> file;
    uint64_t array = 0;
    uint64_t row_bytes = 0;
    std::shared_ptr<io::Mapping> mapping;  ///< Of the file, writable: from prepare() on.
    std::vector<uint64_t> rows;            ///< Physical places of the rows in `bytes`.
    uint64_t first_byte = 0;               ///< Inside each row.
    uint64_t piece_bytes = 0;              ///< Of each row.
    io::Bytes bytes;
    std::vector<std::byte> owned;  ///< Backs `bytes`, unless is_in_log.
    bool is_in_log = false;        ///< Too many to copy: to be read back from the log.
    size_t record = 0;             ///< The commit's record that holds them.
  };

  /// All that can fail and must not fail after the commit: writes the rows that are to be appended
  /// and maps those to be replaced. Called when all operations were found good, so that a refused
  /// batch leaves no byte behind the end of a file.
  Status prepare();

  [[nodiscard]] CommitBuilder& builder() noexcept { return builder_; }
  [[nodiscard]] const std::map<std::string, Staged, std::less<>>& staged() const noexcept {
    return staged_;
  }
  [[nodiscard]] std::span<const Application> applications() const noexcept { return applications_; }
  /// Rows files that must be synced before a synced commit.
  [[nodiscard]] const std::set<std::shared_ptr<RowsFile>>& files_to_sync() const noexcept {
    return files_to_sync_;
  }
  /// Paths of the files it has made.
  [[nodiscard]] std::span<const std::string> made() const noexcept { return made_; }
  /// Files of generations that end with this commit.
  [[nodiscard]] const std::vector<std::string>& garbage() const noexcept { return garbage_; }
  [[nodiscard]] uint64_t garbage_bytes() const noexcept { return garbage_bytes_; }
  [[nodiscard]] uint64_t generation_floor() const noexcept { return generation_floor_; }
  /// The commit is in the log: the files stay.
  void keep() noexcept { made_.clear(); }

 private:
  Status save(const std::string& name, const ArrayView& values, const SaveOptions& options);
  Result<ArrayState*> begin_array(const std::string& name, DType dtype, const Shape& shape,
                                  const SaveOptions& options);
  Status append(const std::string& name, const ArrayView& rows);
  Status replace(const std::string& name, const ArrayView& values, const Rows& rows);
  Status drop_rows(const std::string& name, const Rows& rows);
  Status drop_array(const std::string& name);
  Status set_attributes(const std::string& name, const std::string& json);

  [[nodiscard]] ArrayState* find_staged(std::string_view name);
  Result<ArrayState*> stage(std::string_view name);
  Result<ArrayState*> stage_with_rows(std::string_view name, std::string_view verb);
  [[nodiscard]] Record record(RecordType type, const ArrayState& state) const;
  [[nodiscard]] uint64_t next_record() const;
  void add_record(Record record, ArrayState& state, io::Bytes bulk = {});
  /// Starts an array's next generation (or its first) with an empty file of its own.
  Result<io::File*> begin_generation(ArrayState& state, bool is_new);
  void end_generation(const ArrayState& state);
  Result<std::string> free_stem(const std::string& name) const;
  Status check_file_whole(ArrayState& state);
  Status append_written(ArrayState& state, const ArrayView& rows);
  Status append_inline(ArrayState& state, const ArrayView& rows);
  Status replace_pieces(ArrayState& state, const ArrayView& values,
                        std::span<const uint64_t> physical);
  void replace_piece(ArrayState& state, Application piece);
  struct PendingSums {
    size_t record;
    ArrayState* state;
    SumsUpdate update;
  };
  [[nodiscard]] PendingSums* find_sums(const Record& record);
  [[nodiscard]] PendingSums* find_sums(const Application& application);
  void seal_sums();
  [[nodiscard]] bool is_logged() const noexcept { return options_.durability != Durability::kNone; }

  const Directory& directory_;
  const Committed& committed_;
  const Options options_;
  CommitBuilder builder_;
  std::map<std::string, Staged, std::less<>> staged_;
  /// Rows that will lie behind the end of a file; their checksums go into the record's payload,
  /// unless that is the rows themselves.
  struct PendingRows {
    size_t record;
    bool is_inline;
    std::shared_ptr<RowsFile> file;
    uint64_t offset_bytes;
    ArrayView values;
    uint64_t begin;
    uint64_t end;
    std::vector<std::byte> checksums;
  };
  std::vector<PendingRows> pending_rows_;           // In order of their records.
  std::map<uint64_t, PendingSums> pending_sums_;    // By the array's id.
  std::deque<std::vector<std::byte>> inline_rows_;  // Of strided views, until they are in the log.
  std::vector<Application> applications_;
  std::set<std::shared_ptr<RowsFile>> files_to_sync_;
  std::vector<std::string> made_;
  std::vector<std::string> garbage_;
  uint64_t garbage_bytes_ = 0;
  uint64_t generation_floor_;
};

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_TRANSACTION_H_
