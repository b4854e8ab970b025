#include "core/store/log.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <queue>

#include "core/store/codec.h"
#include "npk/internal/text.h"
#include "simd/crc32c.h"

namespace npk::internal {
namespace {

using Layout = RecordLayout;
constexpr std::array<std::byte, kSyncedAlignment> kZeros{};

void encode_header(const Record& record, uint32_t length_bytes, uint32_t previous_checksum,
                   std::byte* out) {
  put_le(out + Layout::kMagic, kRecordMagic);
  put_le(out + Layout::kLength, length_bytes);
  put_le(out + Layout::kType, static_cast<uint16_t>(record.type));
  put_le(out + Layout::kFlags, record.flags);
  put_le(out + Layout::kNumber, record.number);
  put_le(out + Layout::kCommit, record.commit);
  put_le(out + Layout::kArray, record.array);
  put_le(out + Layout::kGeneration, record.generation);
  put_le(out + Layout::kArg0, record.arg0);
  put_le(out + Layout::kArg1, record.arg1);
  put_le(out + Layout::kTime, static_cast<uint64_t>(record.time_us));
  put_le(out + Layout::kPreviousChecksum, previous_checksum);
  put_le(out + Layout::kReserved, uint32_t{0});
}

Record decode_header(const std::byte* in) {
  Record record;
  record.type = static_cast<RecordType>(get_le<uint16_t>(in + Layout::kType));
  record.flags = get_le<uint16_t>(in + Layout::kFlags);
  record.number = get_le<uint64_t>(in + Layout::kNumber);
  record.commit = get_le<uint64_t>(in + Layout::kCommit);
  record.array = get_le<uint64_t>(in + Layout::kArray);
  record.generation = get_le<uint64_t>(in + Layout::kGeneration);
  record.arg0 = get_le<uint64_t>(in + Layout::kArg0);
  record.arg1 = get_le<uint64_t>(in + Layout::kArg1);
  record.time_us = static_cast<int64_t>(get_le<uint64_t>(in + Layout::kTime));
  return record;
}

/// Whether the header can be of a record of a synced commit above `commit`. What it must have makes
/// it impossible that such headers overlap everywhere.
bool is_of_later_synced_commit(std::span<const std::byte, Layout::kHeaderBytes> header,
                               uint64_t commit) {
  const Record record = decode_header(header.data());
  return record.commit > commit && record.number >= record.commit &&
         (record.flags & kFlagSynced) != 0 && static_cast<uint16_t>(record.type) != 0 &&
         get_le<uint32_t>(header.data() + Layout::kReserved) == 0;
}

/// Records whose checksums are looked at in one pass over the log, however they overlap. The
/// checksum of a part of a log follows from those of its two beginnings.
class PendingRecords {
 public:
  explicit PendingRecords(uint32_t seed) : seed_(seed) {}

  /// `bytes` of the log are at hand from now on, from `offset_bytes` on.
  void enter(uint64_t offset_bytes, io::Bytes bytes) {
    base_bytes_ = offset_bytes;
    bytes_ = bytes;
    if (pending_.empty()) at_bytes_ = offset_bytes;
  }

  /// Moves on to this place, of the bytes at hand; where a record is that ends there or before and
  /// is valid.
  std::optional<uint64_t> advance(uint64_t to_bytes) {
    while (!pending_.empty() && pending_.top().end_bytes <= to_bytes) {
      const Pending record = pending_.top();
      pending_.pop();
      move(record.end_bytes);
      const uint32_t whole =
          simd::crc32c_joined(seed_ ^ record.before, crc_, record.end_bytes - record.checked_bytes);
      if (whole == record.checksum) return record.checked_bytes - Layout::kLength;
    }
    if (pending_.empty()) {  // Nobody needs the bytes between.
      at_bytes_ = to_bytes;
      crc_ = 0;
    }
    move(to_bytes);
    return std::nullopt;
  }

  /// A record that begins where advance() has moved to. Ignored if it cannot be in the log.
  void add(std::span<const std::byte, Layout::kHeaderBytes> header, uint64_t log_bytes) {
    const auto length = get_le<uint32_t>(header.data() + Layout::kLength);
    if (length < Layout::kHeaderBytes || length > log_bytes - at_bytes_) return;
    pending_.push({at_bytes_ + length, at_bytes_ + Layout::kLength,
                   get_le<uint32_t>(header.data() + Layout::kChecksum),
                   simd::crc32c(header.first(Layout::kLength), crc_)});
  }

 private:
  struct Pending {
    uint64_t end_bytes;
    uint64_t checked_bytes;  // From here on it is checked.
    uint32_t checksum;       // What it must be.
    uint32_t before;         // Of the log up to checked_bytes.
    bool operator<(const Pending& other) const { return end_bytes > other.end_bytes; }
  };

  void move(uint64_t to_bytes) {
    crc_ = simd::crc32c(bytes_.subspan(at_bytes_ - base_bytes_, to_bytes - at_bytes_), crc_);
    at_bytes_ = to_bytes;
  }

  uint32_t seed_;
  io::Bytes bytes_;
  uint64_t base_bytes_ = 0;
  uint64_t at_bytes_ = 0;
  uint32_t crc_ = 0;  // Of the log up to at_bytes_, from where somebody needed it.
  std::priority_queue<Pending> pending_;  // The one that ends first is on top.
};

}  // namespace

void CommitBuilder::add(Record record, io::Bytes bulk) {
  log_bytes_ +=
      align_up(Layout::kHeaderBytes + record.payload.size() + bulk.size(), kRecordAlignment);
  records_.push_back(std::move(record));
  bulk_.push_back(bulk);
}

Status CommitBuilder::write(io::File& log, uint32_t seed, bool synced, LogPosition& position) {
  LogPosition next = position;
  std::vector<std::array<std::byte, Layout::kHeaderBytes>> headers(records_.size());
  std::vector<io::Bytes> pieces;
  pieces.reserve(records_.size() * 3 + 1);
  for (size_t i = 0; i < records_.size(); ++i) {
    Record& record = records_[i];
    record.number = next.next_record++;
    record.commit = position.next_record;
    record.offset_bytes = next.offset_bytes;
    record.flags = static_cast<uint16_t>((i + 1 == records_.size() ? kFlagLast : 0) |
                                         (synced ? kFlagSynced : 0));
    const uint64_t length = Layout::kHeaderBytes + record.payload.size() + bulk_[i].size();
    encode_header(record, static_cast<uint32_t>(length), next.previous_checksum, headers[i].data());
    uint32_t checksum = simd::crc32c(io::Bytes(headers[i]).subspan(Layout::kLength), seed);
    checksum = simd::crc32c(bulk_[i], simd::crc32c(record.payload, checksum));
    put_le(headers[i].data() + Layout::kChecksum, checksum);
    next.previous_checksum = checksum;
    pieces.emplace_back(headers[i]);
    pieces.emplace_back(record.payload);
    pieces.push_back(bulk_[i]);
    const uint64_t padding = align_up(length, kRecordAlignment) - length;
    pieces.push_back(io::Bytes(kZeros).first(padding));
    next.offset_bytes += length + padding;
  }
  if (synced) {
    const uint64_t end = align_up(next.offset_bytes, kSyncedAlignment);
    pieces.push_back(io::Bytes(kZeros).first(end - next.offset_bytes));
    next.offset_bytes = end;
  }
  Status status = log.write_at(position.offset_bytes, pieces);
  if (status.is_ok() && synced) status = log.sync();
  if (!status.is_ok()) {
    // What may have arrived must not be taken for a commit by whoever opens the store next.
    log.write_at(position.offset_bytes, io::Bytes(kZeros).first(kRecordAlignment)).ignore();
    return status;
  }
  position = next;
  return {};
}

Result<std::vector<std::byte>> read_payload(const io::File& log, const Record& record) {
  std::vector<std::byte> payload(record.length_bytes - Layout::kHeaderBytes);
  NPK_RETURN_IF_ERROR(log.read_at(record.offset_bytes + Layout::kHeaderBytes, payload));
  return payload;
}

Result<std::optional<Record>> LogReader::read_record(const LogPosition& at) {
  std::array<std::byte, Layout::kHeaderBytes> header;
  NPK_ASSIGN_OR_RETURN(const uint64_t found, log_.read_some_at(at.offset_bytes, header));
  if (found < header.size() || get_le<uint32_t>(header.data()) != kRecordMagic) {
    return std::optional<Record>();
  }
  Record record = decode_header(header.data());
  const auto length = get_le<uint32_t>(header.data() + Layout::kLength);
  if (length < Layout::kHeaderBytes) return std::optional<Record>();
  // A log may begin with a higher number than its checkpoint says: after a restart some are left
  // out, and the slot of STORE that says so may be damaged.
  if ((at.offset_bytes == 0 ? record.number < at.next_record : record.number != at.next_record) ||
      get_le<uint32_t>(header.data() + Layout::kPreviousChecksum) != at.previous_checksum) {
    return std::optional<Record>();
  }
  NPK_ASSIGN_OR_RETURN(const uint64_t log_size, log_.size_bytes());
  if (log_size - at.offset_bytes < length) return std::optional<Record>();
  record.offset_bytes = at.offset_bytes;
  record.length_bytes = length;
  record.checksum = get_le<uint32_t>(header.data() + Layout::kChecksum);
  NPK_ASSIGN_OR_RETURN(record.payload, read_payload(log_, record));
  if (record.checksum !=
      simd::crc32c(record.payload,
                   simd::crc32c(io::Bytes(header).subspan(Layout::kLength), seed_))) {
    return std::optional<Record>();
  }
  if (holds_rows(record.type)) record.payload = {};
  return std::optional<Record>(std::move(record));
}

Result<LoggedCommit> LogReader::next_commit() {
  LoggedCommit commit;
  LogPosition at = position_;
  while (true) {
    NPK_ASSIGN_OR_RETURN(auto record, read_record(at));
    if (!record ||
        record->commit != (commit.records.empty() ? *record : commit.records[0]).number) {
      return LoggedCommit{{}, position_};
    }
    at.previous_checksum = record->checksum;
    at.next_record = record->number + 1;
    at.offset_bytes = align_up(at.offset_bytes + record->length_bytes, kRecordAlignment);
    const uint16_t flags = record->flags;
    commit.records.push_back(*std::move(record));
    if ((flags & kFlagLast) == 0) continue;
    if ((flags & kFlagSynced) != 0) at.offset_bytes = align_up(at.offset_bytes, kSyncedAlignment);
    position_ = at;
    commit.end = at;
    return commit;
  }
}

Result<std::optional<uint64_t>> LogReader::find_commit_behind_end() {
  NPK_ASSIGN_OR_RETURN(const uint64_t log_size, log_.size_bytes());
  if (position_.offset_bytes >= log_size) return std::optional<uint64_t>();
  PendingRecords pending(seed_);
  std::vector<std::byte> block(std::min<uint64_t>(log_size - position_.offset_bytes, 1u << 20));
  std::array<std::byte, Layout::kHeaderBytes> header;
  for (uint64_t base = position_.offset_bytes; base < log_size; base += block.size()) {
    NPK_ASSIGN_OR_RETURN(const uint64_t found, log_.read_some_at(base, block));
    pending.enter(base, io::Bytes(block).first(found));
    const std::byte* next = block.data();
    const std::byte* const end = next + found / kRecordAlignment * kRecordAlignment;
    // Nearly all of it is zeros: look for the first byte of the magic.
    while ((next = static_cast<const std::byte*>(
                std::memchr(next, kRecordMagic & 0xff, static_cast<size_t>(end - next))))) {
      const auto at = static_cast<uint64_t>(next++ - block.data());
      if (at % kRecordAlignment != 0 || get_le<uint32_t>(block.data() + at) != kRecordMagic) {
        continue;
      }
      NPK_ASSIGN_OR_RETURN(const uint64_t there, log_.read_some_at(base + at, header));
      if (there < header.size()) break;
      if (!is_of_later_synced_commit(header, position_.next_record)) continue;
      if (const auto whole = pending.advance(base + at)) return whole;
      pending.add(header, log_size);
    }
    if (const auto whole = pending.advance(base + found)) return whole;
    if (found < block.size()) break;
  }
  return std::optional<uint64_t>();
}

}  // namespace npk::internal
