#include "core/store/log.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/store/codec.h"
#include "npk/internal/text.h"
#include "simd/crc32c.h"

namespace npk::internal {
namespace {

using Layout = RecordLayout;
constexpr std::array<std::byte, kSyncedAlignment> kZeros{};

uint64_t align(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

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

}  // namespace

void CommitBuilder::add(Record record, io::Bytes bulk) {
  log_bytes_ += align(Layout::kHeaderBytes + record.payload.size() + bulk.size(), kRecordAlignment);
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
    const uint64_t padding = align(length, kRecordAlignment) - length;
    pieces.push_back(io::Bytes(kZeros).first(padding));
    next.offset_bytes += length + padding;
  }
  if (synced) {
    const uint64_t end = align(next.offset_bytes, kSyncedAlignment);
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

Result<std::optional<Record>> LogReader::read_record(const LogPosition& at, bool chained) {
  std::array<std::byte, Layout::kHeaderBytes> header;
  NPK_ASSIGN_OR_RETURN(const uint64_t found, log_.read_some_at(at.offset_bytes, header));
  if (found < header.size() || get_le<uint32_t>(header.data()) != kRecordMagic) {
    return std::optional<Record>();
  }
  Record record = decode_header(header.data());
  const auto length = get_le<uint32_t>(header.data() + Layout::kLength);
  if (length < Layout::kHeaderBytes) return std::optional<Record>();
  if (chained &&
      // A log may begin with a higher number than its checkpoint says: after a restart some are
      // left out, and the slot of STORE that says so may be damaged.
      ((at.offset_bytes == 0 ? record.number < at.next_record : record.number != at.next_record) ||
       get_le<uint32_t>(header.data() + Layout::kPreviousChecksum) != at.previous_checksum)) {
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
    NPK_ASSIGN_OR_RETURN(auto record, read_record(at, true));
    if (!record ||
        record->commit != (commit.records.empty() ? *record : commit.records[0]).number) {
      return LoggedCommit{{}, position_};
    }
    at.previous_checksum = record->checksum;
    at.next_record = record->number + 1;
    at.offset_bytes = align(at.offset_bytes + record->length_bytes, kRecordAlignment);
    const uint16_t flags = record->flags;
    commit.records.push_back(*std::move(record));
    if ((flags & kFlagLast) == 0) continue;
    if ((flags & kFlagSynced) != 0) at.offset_bytes = align(at.offset_bytes, kSyncedAlignment);
    position_ = at;
    commit.end = at;
    return commit;
  }
}

Result<std::optional<uint64_t>> LogReader::find_commit_behind_end() {
  NPK_ASSIGN_OR_RETURN(const uint64_t log_size, log_.size_bytes());
  if (position_.offset_bytes >= log_size) return std::optional<uint64_t>();
  std::vector<std::byte> block(std::min<uint64_t>(log_size - position_.offset_bytes, 1u << 20));
  for (uint64_t base = position_.offset_bytes; base < log_size; base += block.size()) {
    NPK_ASSIGN_OR_RETURN(const uint64_t found, log_.read_some_at(base, block));
    const std::byte* next = block.data();
    const std::byte* const end = next + found / kRecordAlignment * kRecordAlignment;
    // Nearly all of it is zeros: look for the first byte of the magic.
    while ((next = static_cast<const std::byte*>(
                std::memchr(next, kRecordMagic & 0xff, static_cast<size_t>(end - next))))) {
      const auto at = static_cast<uint64_t>(next++ - block.data());
      if (at % kRecordAlignment != 0 || get_le<uint32_t>(block.data() + at) != kRecordMagic) {
        continue;
      }
      LogPosition position;
      position.offset_bytes = base + at;
      NPK_ASSIGN_OR_RETURN(const auto record, read_record(position, false));
      if (record && record->commit > position_.next_record && (record->flags & kFlagSynced) != 0) {
        return std::optional<uint64_t>(base + at);
      }
    }
  }
  return std::optional<uint64_t>();
}

}  // namespace npk::internal
