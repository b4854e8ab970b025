// The redo log: what was committed since the last checkpoint.
//
// A record is a header of 80 bytes and a payload, on an 8-byte boundary. Records of one commit
// carry the commit's number, and its last one the flag LAST; a commit counts only when it is whole.
// Every record has its own checksum, seeded per log, and repeats the checksum of the one before it:
// bytes of an older log or of an abandoned commit never continue the chain. A synced commit
// (durability power) is padded to 4 KiB, so that no sector of an earlier one is ever written again.
//
// Layout: docs/format.md. Thread safety: none; the store's writer and refresher take turns.
#ifndef NPK_CORE_STORE_LOG_H_
#define NPK_CORE_STORE_LOG_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/env.h"
#include "npk/status.h"

namespace npk::internal {

/// On disk: never renumber or reuse.
enum class RecordType : uint16_t {
  kCreate = 1,          ///< Payload: descriptor. The array begins with no rows.
  kAppend = 2,          ///< arg0 first row, arg1 rows; payload: the rows.
  kAppendRef = 3,       ///< arg0 first row, arg1 rows; payload: block_checksums.h.
  kReplace = 4,         ///< arg0 rows, arg1 first byte inside each row; payload: physical row
                        ///< numbers (u64), then for each row its bytes from there on.
  kDelete = 5,          ///< arg0 rows; payload: roaring bitmap of physical rows.
  kSwapGeneration = 6,  ///< Payload: descriptor. The array begins again with no rows.
  kDrop = 7,
  kAttributes = 8,  ///< Payload: JSON object.
  kTouch = 9,       ///< arg0 rows replaced without a log (durability none).
  kSums = 10,       ///< Payload: the sums of the blocks that this commit changed (row_sums.h).
};

enum RecordFlags : uint16_t {
  kFlagLast = 1,    ///< Ends its commit.
  kFlagSynced = 2,  ///< The commit was synced; the next record starts at a multiple of 4 KiB.
};

struct RecordLayout {
  static constexpr size_t kMagic = 0;              // u32 "NPKR"
  static constexpr size_t kChecksum = 4;           // u32, over [8, length)
  static constexpr size_t kLength = 8;             // u32, header and payload
  static constexpr size_t kType = 12;              // u16
  static constexpr size_t kFlags = 14;             // u16
  static constexpr size_t kNumber = 16;            // u64
  static constexpr size_t kCommit = 24;            // u64
  static constexpr size_t kArray = 32;             // u64
  static constexpr size_t kGeneration = 40;        // u64
  static constexpr size_t kArg0 = 48;              // u64
  static constexpr size_t kArg1 = 56;              // u64
  static constexpr size_t kTime = 64;              // u64, microseconds since 1970
  static constexpr size_t kPreviousChecksum = 72;  // u32
  static constexpr size_t kReserved = 76;          // u32, 0
  static constexpr size_t kHeaderBytes = 80;
};

inline constexpr uint32_t kRecordMagic = 0x524b504e;  // "NPKR"
inline constexpr uint64_t kRecordAlignment = 8;
inline constexpr uint64_t kSyncedAlignment = 4'096;
inline uint64_t align_up(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}
/// Payloads of rows are cut into records of at most about this size.
inline constexpr uint64_t kMaxPayloadBytes = 8u << 20;
inline constexpr uint64_t kChecksumBlockBytes = 64u << 10;

struct Record {
  RecordType type = RecordType::kTouch;
  uint16_t flags = 0;
  uint64_t number = 0;  ///< 1, 2, 3, … over the life of the store.
  uint64_t commit = 0;  ///< Number of the first record of its commit.
  uint64_t array = 0;   ///< Number of the record that created the array.
  uint64_t generation = 0;
  uint64_t arg0 = 0;
  uint64_t arg1 = 0;
  int64_t time_us = 0;
  std::vector<std::byte> payload;

  // Known of a record that was read.
  uint64_t offset_bytes = 0;  ///< Where it lies in its log.
  uint32_t length_bytes = 0;
  uint32_t checksum = 0;
};

/// Whether the payload holds rows: such payloads are read on their own, when they are applied.
inline bool holds_rows(RecordType type) {
  return type == RecordType::kReplace || type == RecordType::kAppend;
}

/// Where the next record goes and what it must continue.
struct LogPosition {
  uint64_t offset_bytes = 0;
  uint64_t next_record = 1;
  uint32_t previous_checksum = 0;
};

/// A commit that is being put together: its records one after the other, headers not yet final.
class CommitBuilder {
 public:
  /// The record's payload is `payload` followed by `bulk`, which must live until the commit is
  /// written (it is not copied).
  void add(Record record, io::Bytes bulk = {});
  [[nodiscard]] bool empty() const noexcept { return records_.empty(); }
  [[nodiscard]] size_t size() const noexcept { return records_.size(); }
  [[nodiscard]] std::vector<Record>& records() noexcept { return records_; }
  /// Bytes in the log, without padding for a synced commit.
  [[nodiscard]] uint64_t log_bytes() const noexcept { return log_bytes_; }

  /// Numbers, seals and writes the records from `position` on, which then is behind them.
  /// On error the log holds no valid commit at `position`.
  Status write(io::File& log, uint32_t seed, bool synced, LogPosition& position);

 private:
  std::vector<Record> records_;
  std::vector<io::Bytes> bulk_;
  uint64_t log_bytes_ = 0;
};

/// The payload of a record that was read from `log`.
Result<std::vector<std::byte>> read_payload(const io::File& log, const Record& record);

/// A whole commit as read from a log.
struct LoggedCommit {
  std::vector<Record> records;  ///< Without payloads that hold rows; none: the log ends here.
  LogPosition end;              ///< Behind it.
};

/// Reads whole commits from a log.
class LogReader {
 public:
  LogReader(const io::File& log, uint32_t seed, LogPosition position)
      : log_(log), seed_(seed), position_(position) {}

  /// The next whole commit; without records where the log ends: at the first byte that is not the
  /// record that must come there. Errors: IoError only.
  Result<LoggedCommit> next_commit();
  /// Behind the last whole commit.
  [[nodiscard]] const LogPosition& position() const noexcept { return position_; }
  /// After the end: offset of a valid record of a later, synced commit that lies behind it. There
  /// can be none unless the log was damaged between. Errors: IoError. Complexity: linear in the
  /// log, whatever it holds.
  Result<std::optional<uint64_t>> find_commit_behind_end();

 private:
  Result<std::optional<Record>> read_record(const LogPosition& at);

  const io::File& log_;
  uint32_t seed_;
  LogPosition position_;
};

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_LOG_H_
