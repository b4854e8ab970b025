// ParallelIO: a store of arrays in a directory, changed in place and never torn.
//
// Every operation is one commit: it returns OK once it survives what its durability says, and after
// a kill, an error or a full disk the store holds the state before it or after it, nothing between.
// docs/format.md describes the files, docs/architecture.md the life of an operation.
#ifndef NPK_STORE_H_
#define NPK_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "npk/array.h"
#include "npk/dtype.h"
#include "npk/status.h"

namespace npk {

/// What an operation that has returned OK survives.
enum class Durability : uint8_t {
  kNone = 0,     ///< A replace is not logged: killed in the middle it may be partial.
  kProcess = 1,  ///< kill -9, exceptions, out-of-memory kills. No device sync per commit.
  kPower = 2,    ///< Also power cuts and kernel crashes. One device sync per commit.
};

struct StoreOptions {
  // Behaviour.
  /// Makes an empty store where there is none. Without it open() answers NotFound.
  bool create_if_missing = true;
  /// Opens for reading only: nothing on disk is changed, not even by recovery. On media where
  /// nobody writes there may be no LOCK file; if somebody begins to write there all the same
  /// (another mount), every later call, also of a snapshot, answers FailedPrecondition until the
  /// store is opened again. Only views cannot tell.
  bool read_only = false;
  /// Accept NFS, SMB and 9p, where locks and mappings do not hold the promises: writes by several
  /// machines may be lost or torn.
  bool allow_unsafe_filesystem = false;
  /// Longest wait for another process that holds the writer lock, in milliseconds; then Busy.
  uint32_t lock_timeout_ms = 10'000;

  // Durability.
  Durability durability = Durability::kProcess;

  // Performance.
  /// A checkpoint folds the log into the sidecars when it has grown to this size. 64 KiB to 1 GiB.
  uint64_t log_bytes = 16u << 20;
};

/// OK, or which field is out of its range.
Status validate(const StoreOptions& options);

/// Whether an array keeps checksums of its rows, by which verify_store finds bytes that have
/// changed by themselves. Loads and searches do not look at them.
enum class Checksums : uint8_t {
  kNone = 0,
  kBlock = 1,  ///< A CRC-32C for each 64 KiB, true of every commit.
};

/// "none" or "block".
std::string_view checksums_name(Checksums checksums);
/// Errors: InvalidArgument names those there are.
Result<Checksums> checksums_from_name(std::string_view name);

struct SaveOptions {
  /// Not given: a new array has none, an overwritten one what it had.
  std::optional<Checksums> checksums;
};

/// Which rows of axis 0. Numbers are logical: deleted rows do not count.
class Rows {
 public:
  /// Every row.
  static Rows all();
  /// These rows in this order, duplicates allowed; -1 is the last row.
  static Rows list(std::vector<int64_t> rows);
  /// As Python's slice(start, stop, step): ends are clamped, negatives count from the end.
  /// Requires: step != 0.
  static Rows range(std::optional<int64_t> start, std::optional<int64_t> stop, int64_t step = 1);
  /// Rows whose byte is not 0. Its length must be the row count.
  static Rows mask(std::vector<uint8_t> mask);

  /// The row numbers in an array of `row_count` rows, all within [0, row_count).
  /// Errors: OutOfRange (list), InvalidArgument (mask of another length, step 0).
  [[nodiscard]] Result<std::vector<uint64_t>> resolve(uint64_t row_count) const;
  /// [begin, end) if the selection is one ascending run of step 1, without listing it.
  [[nodiscard]] std::optional<std::pair<uint64_t, uint64_t>> contiguous(uint64_t row_count) const;

 private:
  struct All {};
  struct List {
    std::vector<int64_t> rows;
  };
  struct Range {
    std::optional<int64_t> start, stop;
    int64_t step;
  };
  struct Mask {
    std::vector<uint8_t> bytes;
  };
  using Selection = std::variant<All, List, Range, Mask>;
  explicit Rows(Selection selection) : selection_(std::move(selection)) {}
  Selection selection_;
};

/// What the store knows of an array.
struct ArrayMetadata {
  std::string name;
  DType dtype = DType::kFloat32;
  Shape shape;                 ///< Logical: shape[0] leaves deleted rows out.
  uint64_t row_bytes = 0;      ///< Bytes of one row in the rows file.
  uint64_t physical_rows = 0;  ///< Rows in the file, deleted ones included.
  uint64_t deleted_rows = 0;
  uint64_t generation = 0;  ///< Increases with each compaction and overwrite.
  uint64_t size_bytes = 0;  ///< physical_rows * row_bytes.
  std::string rows_file;    ///< Name of the raw file inside the store's directory.
  int64_t created_us = 0;   ///< Microseconds since 1970.
  int64_t modified_us = 0;  ///< Of the last commit that touched the array.
  Checksums checksums = Checksums::kNone;
  std::string attributes = "{}";  ///< The user's attributes, a JSON object.
};

/// Rows [begin, end).
struct RowRun {
  uint64_t begin = 0;
  uint64_t end = 0;
  friend bool operator==(const RowRun&, const RowRun&) = default;
};

/// What has happened to the rows of an array since a commit. A copy of the array as of then becomes
/// one of now so: remove the rows `deleted`, make it `rows` long, read the rows `changed` anew.
struct RowChanges {
  uint64_t commit_number = 0;  ///< As of which this is told: what to ask with next time.
  uint64_t rows = 0;           ///< Logical rows as of commit_number.
  /// Any row may be another, and `changed` names them all; read the whole array. So it is if the
  /// array was created, overwritten or compacted since, if rows were replaced in durability none or
  /// very many scattered ones deleted, if the history does not reach back so far, and for numbers
  /// from before the machine was restarted.
  bool everything = false;
  /// Logical rows as of commit_number that were appended or replaced, ascending; of commits long
  /// ago it may name others as well.
  std::vector<RowRun> changed;
  /// Rows that were deleted, ascending, by their logical numbers as of the commit asked for.
  std::vector<RowRun> deleted;
};

/// Several operations, over any arrays, that commit as one. Operations see the effects of those
/// before them in the batch. Lifetime: views added to a batch are read at commit(), so their memory
/// must live until then (views with a pin keep it alive themselves).
class WriteBatch {
 public:
  WriteBatch();
  ~WriteBatch();
  WriteBatch(WriteBatch&&) noexcept;
  WriteBatch& operator=(WriteBatch&&) noexcept;

  /// Creates the array, or overwrites it with another element type, shape and content.
  WriteBatch& save_array(std::string name, ArrayView values, const SaveOptions& options = {});
  WriteBatch& append_rows(std::string name, ArrayView rows);
  /// `values` has one row for each selected row; with duplicates the last one stays.
  WriteBatch& replace_rows(std::string name, ArrayView values, Rows rows);
  /// Deletes rows logically: they vanish at once, compact_array() takes their bytes back.
  WriteBatch& drop_rows(std::string name, Rows rows);
  WriteBatch& drop_array(std::string name);
  /// Replaces the array's user attributes by a JSON object.
  WriteBatch& set_attributes(std::string name, std::string json_object);

  [[nodiscard]] bool empty() const noexcept;
  [[nodiscard]] size_t size() const noexcept;
  void clear();

  struct Operations;  // core/store/write_batch.h
  [[nodiscard]] const Operations& operations() const noexcept { return *operations_; }

 private:
  std::unique_ptr<Operations> operations_;
};

class RowStream;
class Snapshot;
namespace internal {
class ArraySource;
class SnapshotState;
class StoreHandle;
}  // namespace internal
namespace io {
class Env;
}

/// What can be read of a store: as it is now (ParallelIO), or as it was (Snapshot). Searches, too,
/// take either. Thread safety: all methods may be called from any threads at once.
class StoreReader {
 public:
  virtual ~StoreReader() = default;

  /// A copy of the live rows.
  Result<Array> load_array(std::string_view name) const;
  /// Copies of the selected rows, in the order asked for. Same as getitem in NumPack.
  Result<Array> read_rows(std::string_view name, const Rows& rows) const;
  Result<Array> getitem(std::string_view name, const Rows& rows) const {
    return read_rows(name, rows);
  }
  /// As read_rows into the caller's memory, without allocating.
  /// Requires: out.size() == selected rows * row_bytes (else InvalidArgument).
  Status read_rows_into(std::string_view name, std::span<const int64_t> rows,
                        std::span<std::byte> out) const;
  /// The live rows in blocks of `block_rows` (the last may be shorter), in bounded memory, as of
  /// this call: rows appended or deleted later make no difference.
  Result<RowStream> stream_load(std::string_view name, uint64_t block_rows) const;

  [[nodiscard]] Result<bool> has_array(std::string_view name) const;
  /// Names in byte order.
  [[nodiscard]] Result<std::vector<std::string>> list_arrays() const;
  [[nodiscard]] Result<ArrayMetadata> get_array_metadata(std::string_view name) const;
  /// Logical shape.
  [[nodiscard]] Result<Shape> get_shape(std::string_view name) const;
  /// Microseconds since 1970 of the last commit that touched the array.
  [[nodiscard]] Result<int64_t> get_modify_time(std::string_view name) const;
  /// The user's attributes as a JSON object.
  [[nodiscard]] Result<std::string> get_attributes(std::string_view name) const;

  /// For the layers above (search, formats); not part of the stable API.
  [[nodiscard]] virtual Result<std::shared_ptr<internal::ArraySource>> source() const = 0;

 protected:
  StoreReader() = default;
  StoreReader(StoreReader&&) noexcept = default;
  StoreReader& operator=(StoreReader&&) noexcept = default;
};

/// A handle on a store. Cheap to move. Writable handles on one path in one process share
/// one state, and so do read-only ones.
///
/// Thread safety: all methods may be called from any threads at once. Writers take turns, in this
/// process and among processes; readers do not wait for writers but for the moment in which a
/// replace is applied.
/// After fork() the child's handle can read and refuses to write.
class ParallelIO final : public StoreReader {
 public:
  /// Opens the store at `path`, by default making it if it is missing. Repeats what a killed writer
  /// had committed and not yet applied.
  /// Errors: NotFound, FailedPrecondition (a file, not a store, unsafe file system), Corruption,
  /// Unsupported (newer format), IoError, Busy.
  static Result<ParallelIO> open(const std::string& path, const StoreOptions& options = {});

  ParallelIO(ParallelIO&&) noexcept;
  ParallelIO& operator=(ParallelIO&&) noexcept;
  /// Closes; the last handle of the process checkpoints. Call close() to see its error.
  ~ParallelIO() override;

  /// Folds the log into the sidecars if this is the last handle, and lets go of the files. Views
  /// and arrays stay valid. Any later call answers FailedPrecondition.
  Status close();
  /// As given to open().
  [[nodiscard]] const std::string& path() const noexcept;
  [[nodiscard]] const StoreOptions& options() const noexcept;

  // ---- Writing. Each is one commit. ----

  /// Creates or overwrites all of these arrays, or none.
  Status save_arrays(const std::vector<std::pair<std::string, ArrayView>>& arrays,
                     const SaveOptions& options = {});
  /// Appends to the end. Errors: NotFound; InvalidArgument if element type or row shape differ.
  Status append_rows(std::string_view name, const ArrayView& rows);
  /// Replaces rows in place. Errors: NotFound, OutOfRange, InvalidArgument (type, shape, count).
  Status replace_rows(std::string_view name, const ArrayView& values, const Rows& rows);
  /// Deletes rows logically. Errors: NotFound, OutOfRange.
  Status drop_arrays(std::string_view name, const Rows& rows);
  /// Removes whole arrays, all or none. Errors: NotFound names the missing one.
  Status drop_arrays(const std::vector<std::string>& names);
  /// Writes the live rows to a new generation and gives the bytes of deleted rows back.
  /// `progress(done_bytes, total_bytes)` returns false to cancel; then nothing has changed.
  /// Errors: Corruption if the rows fail their checksums; so does clone_array.
  Status compact_array(std::string_view name,
                       const std::function<bool(uint64_t, uint64_t)>& progress = {});
  /// Copies the live rows and attributes to a new array. Errors: NotFound, AlreadyExists.
  Status clone_array(std::string_view source, std::string_view target);
  /// Replaces the user's attributes by this JSON object. Errors: InvalidArgument if it is not one.
  Status set_attributes(std::string_view name, std::string_view json_object);
  /// Applies the whole batch in one commit.
  Status commit(const WriteBatch& batch);
  /// Checkpoint: all that was committed so far survives a power cut, in every mode.
  Status sync_metadata();
  /// Removes every array, in one commit.
  Status reset();

  // ---- Reading: also all that StoreReader has. ----

  /// Zero-copy and read-only: the rows where they lie, pinned. It keeps showing this generation
  /// through compaction, overwrite and drop; rows appended later are not in it, rows replaced later
  /// show through, and while that happens a row may be seen half old and half new.
  /// Errors: FailedPrecondition if deleted rows lie between live ones (compact first, or load).
  Result<ArrayView> get_array_view(std::string_view name) const;
  /// Grows with each commit, of any process; never used twice, also after a power cut. 0: nothing
  /// was ever committed. Numbers of two stores have nothing to do with each other.
  [[nodiscard]] Result<uint64_t> commit_number() const;
  /// What has happened to the array's rows after the commit with this number, which may be of
  /// another process and of long ago. Attributes do not count. Errors: NotFound.
  /// Complexity: what was committed since the last call; no row is read.
  [[nodiscard]] Result<RowChanges> rows_changed_since(std::string_view name,
                                                      uint64_t commit_number) const;

  /// All arrays as of the newest commit, for as long as it is kept. Costs about as much as opening
  /// a file. Waits for a commit or checkpoint that is under way. Errors: Busy after
  /// lock_timeout_ms.
  [[nodiscard]] Result<Snapshot> snapshot() const;

  /// For the layers above (search, formats); not part of the stable API.
  [[nodiscard]] internal::StoreHandle& handle() const noexcept { return *handle_; }
  [[nodiscard]] Result<std::shared_ptr<internal::ArraySource>> source() const override;

 private:
  friend Result<ParallelIO> open_store(io::Env& env, const std::string& path,
                                       const StoreOptions& options);
  explicit ParallelIO(std::unique_ptr<internal::StoreHandle> handle);
  std::unique_ptr<internal::StoreHandle> handle_;
};

/// All arrays of a store as of one commit, whatever is changed, overwritten or compacted since, by
/// this process or others; readers and writers do not wait for it. While it is kept, a replace
/// first saves the rows that it changes, and files of ended generations stay on the disk: keep it
/// for a job, not for a day. Reading it takes a page of memory for each page of rows that were
/// replaced. It ends with its process, also a killed one, and leaves nothing behind. It outlives
/// its store's close(). Cheap to move.
class Snapshot final : public StoreReader {
 public:
  Snapshot(Snapshot&&) noexcept;
  Snapshot& operator=(Snapshot&&) noexcept;
  ~Snapshot() override;

  /// Lets go of it; any later call answers FailedPrecondition.
  void close();
  /// As of which it is: see ParallelIO::commit_number. 0 when closed.
  [[nodiscard]] uint64_t commit_number() const noexcept;

  [[nodiscard]] Result<std::shared_ptr<internal::ArraySource>> source() const override;

 private:
  friend class ParallelIO;
  explicit Snapshot(std::shared_ptr<internal::SnapshotState> state);
  std::shared_ptr<internal::SnapshotState> state_;
};

/// The blocks of a stream_load, one after the other.
///   for (const npk::Array& block : *stream) …;  then look at stream->status().
/// Thread safety: one thread at a time.
class RowStream {
 public:
  RowStream(RowStream&&) noexcept;
  RowStream& operator=(RowStream&&) noexcept;
  ~RowStream();

  /// The next block, or nothing at the end.
  Result<std::optional<Array>> next();
  /// The error that ended a range-for early; OK after a full pass.
  [[nodiscard]] const Status& status() const noexcept { return status_; }

  class Iterator {
   public:
    explicit Iterator(RowStream* stream) : stream_(stream) { ++*this; }
    Array& operator*() const { return *stream_->block_; }
    Iterator& operator++() {
      if (!stream_->advance()) stream_ = nullptr;
      return *this;
    }
    bool operator!=(std::nullptr_t) const { return stream_ != nullptr; }

   private:
    RowStream* stream_;
  };
  Iterator begin() { return Iterator(this); }
  static std::nullptr_t end() { return nullptr; }

  struct State;
  explicit RowStream(std::unique_ptr<State> state);

 private:
  bool advance();
  std::unique_ptr<State> state_;
  std::optional<Array> block_;
  Status status_;
};

/// One finding of verify_store.
struct VerifyFinding {
  enum class Severity : uint8_t { kNote, kDamage };
  Severity severity = Severity::kDamage;
  std::string path;   ///< File, relative to the store.
  std::string array;  ///< Array concerned; empty if none.
  std::optional<uint64_t> offset_bytes;
  /// Rows concerned, [first, second), by their logical numbers; deleted ones between them as well.
  std::optional<std::pair<uint64_t, uint64_t>> rows;
  std::string message;  ///< What is wrong and what to do.
};

struct VerifyReport {
  std::vector<VerifyFinding> findings;
  uint64_t arrays = 0;
  uint64_t files = 0;
  uint64_t checked_bytes = 0;
  [[nodiscard]] bool is_clean() const noexcept {
    for (const auto& finding : findings) {
      if (finding.severity == VerifyFinding::Severity::kDamage) return false;
    }
    return true;
  }
};

struct VerifyOptions {
  /// Look at the structures only: no rows are read.
  bool quick = false;
  /// (done_bytes, total_bytes) of the rows; false cancels with FailedPrecondition.
  std::function<bool(uint64_t, uint64_t)> progress;
};

/// Reads every structure of the store at `path`, and the rows of arrays with checksums, without
/// changing anything, also a store that open() refuses. Writers wait only while it reads the
/// structures. Errors: only if the directory cannot be read at all or is no store.
Result<VerifyReport> verify_store(const std::string& path, const VerifyOptions& options = {});

}  // namespace npk

#endif  // NPK_STORE_H_
