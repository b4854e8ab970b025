#include "tests/fuzz/structure_mutators.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "core/store/codec.h"
#include "core/store/log.h"
#include "core/store/shared_page.h"
#include "core/store/superblock.h"
#include "simd/crc32c.h"

namespace npk::testing {
namespace {

using internal::get_le;
using internal::put_le;
using internal::RecordLayout;
using internal::SlotLayout;

/// Changes [begin, begin + count) and puts what comes out there, of the same length.
void change_in_place(Input& bytes, size_t begin, size_t count, ByteMutator& mutator) {
  Input part(bytes.begin() + static_cast<ptrdiff_t>(begin),
             bytes.begin() + static_cast<ptrdiff_t>(begin + count));
  mutator.change(part, count);
  part.resize(count);
  std::copy(part.begin(), part.end(), bytes.begin() + static_cast<ptrdiff_t>(begin));
}

/// Changes what follows a record's header, the length too.
void change_behind(size_t header_bytes, Input& record, size_t max_bytes, ByteMutator& mutator) {
  Input body(record.begin() + static_cast<ptrdiff_t>(header_bytes), record.end());
  mutator.change(body, std::max<size_t>(1, max_bytes));
  record.resize(header_bytes);
  record.insert(record.end(), body.begin(), body.end());
}

/// Drops the record at `at`, doubles it, or swaps it with another.
void rearrange(std::vector<Input>& records, size_t at, ByteMutator& mutator) {
  const auto here = records.begin() + static_cast<ptrdiff_t>(at);
  switch (mutator.below(3)) {
    case 0:
      records.erase(here);
      break;
    case 1:
      records.insert(here, Input(*here));
      break;
    default:
      std::swap(*here, records[mutator.below(records.size())]);
  }
}

/// The records of a log, without what lies between them.
std::vector<Input> split_log(io::Bytes log) {
  std::vector<Input> records;
  for (size_t at = 0; at + RecordLayout::kHeaderBytes <= log.size();) {
    if (get_le<uint32_t>(log.data() + at) != internal::kRecordMagic) {
      at += internal::kRecordAlignment;
      continue;
    }
    const auto length =
        std::clamp<size_t>(get_le<uint32_t>(log.data() + at + RecordLayout::kLength),
                           RecordLayout::kHeaderBytes, log.size() - at);
    const io::Bytes record = log.subspan(at, length);
    records.emplace_back(record.begin(), record.end());
    at += (length + 7) / internal::kRecordAlignment * internal::kRecordAlignment;
  }
  return records;
}

Input join_log(std::vector<Input> records, const LogStart& start) {
  Input log;
  uint64_t number = start.first_record;
  uint64_t commit = number;
  uint32_t previous_checksum = 0;
  for (Input& record : records) {
    const auto flags = get_le<uint16_t>(record.data() + RecordLayout::kFlags);
    put_le(record.data() + RecordLayout::kMagic, internal::kRecordMagic);
    put_le(record.data() + RecordLayout::kLength, static_cast<uint32_t>(record.size()));
    put_le(record.data() + RecordLayout::kNumber, number++);
    put_le(record.data() + RecordLayout::kCommit, commit);
    put_le(record.data() + RecordLayout::kPreviousChecksum, previous_checksum);
    previous_checksum = simd::crc32c(io::Bytes(record).subspan(RecordLayout::kLength), start.seed);
    put_le(record.data() + RecordLayout::kChecksum, previous_checksum);
    log.insert(log.end(), record.begin(), record.end());
    const bool is_last = (flags & internal::kFlagLast) != 0;
    const uint64_t unit = is_last && (flags & internal::kFlagSynced) != 0
                              ? internal::kSyncedAlignment
                              : internal::kRecordAlignment;
    log.resize((log.size() + unit - 1) / unit * unit);
    if (is_last) commit = number;
  }
  return log;
}

/// A number of the kind that goes wrong: none, few, about what is there, the limits of its types.
uint64_t telling_number(ByteMutator& mutator) {
  const uint64_t power = uint64_t{1} << mutator.below(64);
  constexpr std::array<uint64_t, 3> kAround = {0, 1, UINT64_MAX};
  return mutator.below(2) == 0 ? mutator.below(16) : power + kAround[mutator.below(3)];
}

constexpr size_t kImageHeaderBytes = 32;

/// The records of a file of before-images; of the last one what is there.
std::vector<Input> split_images(io::Bytes file) {
  std::vector<Input> records;
  while (file.size() >= kImageHeaderBytes) {
    const auto rows = get_le<uint64_t>(file.data() + 16);
    const auto row_bytes = get_le<uint64_t>(file.data() + 24);
    const uint64_t most = file.size() - kImageHeaderBytes;
    const bool is_there = rows <= most / 8 && (rows == 0 || row_bytes <= most / rows - 8);
    const uint64_t length = is_there ? kImageHeaderBytes + rows * (8 + row_bytes) : file.size();
    records.emplace_back(file.begin(), file.begin() + static_cast<ptrdiff_t>(length));
    file = file.subspan(length);
  }
  return records;
}

Input join_images(std::span<const Input> records) {
  Input file;
  uint32_t checksum = 0;
  for (Input record : records) {
    put_le(record.data(), uint32_t{0x424b504e});  // "NPKB"
    checksum = simd::crc32c(io::Bytes(record).subspan(8), checksum);
    put_le(record.data() + 4, checksum);
    file.insert(file.end(), record.begin(), record.end());
  }
  return file;
}

void change_record(Input& record, size_t max_bytes, ByteMutator& mutator) {
  constexpr std::array kFields = {RecordLayout::kArray, RecordLayout::kGeneration,
                                  RecordLayout::kArg0, RecordLayout::kArg1, RecordLayout::kTime};
  switch (mutator.below(5)) {
    case 0:
      put_le(record.data() + kFields[mutator.below(kFields.size())], telling_number(mutator));
      return;
    case 1:
      put_le(record.data() + RecordLayout::kType, static_cast<uint16_t>(mutator.below(11)));
      return;
    case 2:
      put_le(record.data() + RecordLayout::kFlags, static_cast<uint16_t>(mutator.below(4)));
      return;
    default:
      change_behind(RecordLayout::kHeaderBytes, record, max_bytes, mutator);
  }
}

}  // namespace

void mutate_superblock(Input& input, size_t, ByteMutator& mutator) {
  input.resize(internal::kSlots * internal::kSlotBytes);
  std::byte* const slot = input.data() + mutator.below(internal::kSlots) * internal::kSlotBytes;
  constexpr std::array kWords = {SlotLayout::kCheckpoint, SlotLayout::kFirstRecord,
                                 SlotLayout::kGenerationFloor, SlotLayout::kArrays};
  if (mutator.below(2) == 0) {
    put_le(slot + kWords[mutator.below(kWords.size())], telling_number(mutator));
  } else {
    const auto first = static_cast<size_t>(slot - input.data());
    change_in_place(input, first, SlotLayout::kArrays + 8, mutator);
  }
  put_le(input.data() + (slot - input.data()) + SlotLayout::kChecksum,
         simd::crc32c(io::Bytes(slot, SlotLayout::kChecksum)));
}

void mutate_sidecar(Input& input, size_t max_bytes, ByteMutator& mutator) {
  constexpr std::string_view kMember = ",\n  \"crc32c\": \"";
  constexpr size_t kTailBytes = kMember.size() + 8 + 4;
  if (input.size() >= kTailBytes) input.resize(input.size() - kTailBytes);
  mutator.change(input, std::max(kTailBytes + 1, max_bytes) - kTailBytes);
  char checksum[9];
  std::snprintf(checksum, sizeof(checksum), "%08x", simd::crc32c(input));
  for (const std::string_view part :
       {kMember, std::string_view(checksum), std::string_view("\"\n}\n")}) {
    const auto bytes = internal::as_bytes(part);
    input.insert(input.end(), bytes.begin(), bytes.end());
  }
}

void mutate_sealed_file(Input& input, size_t max_bytes, ByteMutator& mutator) {
  if (input.size() >= 4) input.resize(input.size() - 4);
  mutator.change(input, std::max<size_t>(5, max_bytes) - 4);
  internal::append_le(input, simd::crc32c(input));
}

void mutate_changes(Input& input, size_t max_bytes, ByteMutator& mutator) {
  constexpr size_t kHeaderBytes = 40;
  constexpr size_t kCount = 32;  // Where the header says how many changes follow.
  input.resize(std::max(kHeaderBytes, input.size() / 8 * 8));
  const uint64_t words = input.size() / 8;
  switch (mutator.below(4)) {
    case 0:  // A change more, of few numbers, and the count that belongs to it.
      if (input.size() + 56 <= max_bytes) {
        for (const uint64_t word :
             {1 + mutator.below(4), mutator.below(4), mutator.below(64), mutator.below(64),
              uint64_t{1}, mutator.below(40), mutator.below(48)}) {
          internal::append_le(input, word);
        }
        put_le(input.data() + kCount, get_le<uint64_t>(input.data() + kCount) + 1);
      }
      break;
    case 1:
      change_in_place(input, 8, input.size() - 8, mutator);
      break;
    default:
      put_le(input.data() + 8 * (1 + mutator.below(words - 1)), telling_number(mutator));
  }
  put_le(input.data(), uint32_t{0x434b504e});  // "NPKC"
  put_le(input.data() + 4, simd::crc32c(io::Bytes(input).subspan(8)));
}

void mutate_before(Input& input, size_t max_bytes, ByteMutator& mutator) {
  std::vector<Input> records = split_images(input);
  if (records.empty()) records.emplace_back(kImageHeaderBytes);
  const size_t at = mutator.below(records.size());
  Input& record = records[at];
  switch (mutator.below(8)) {
    case 0:
    case 1:
    case 2:
      rearrange(records, at, mutator);
      break;
    case 3:
      change_behind(kImageHeaderBytes, record, max_bytes, mutator);
      break;
    default:  // Commit, rows, bytes of a row, numbers of rows, rows.
      put_le(record.data() + 8 * (1 + mutator.below(record.size() / 8 - 1)),
             telling_number(mutator));
  }
  input = join_images(records);
}

void mutate_lock(Input& input, size_t, ByteMutator& mutator) {
  using internal::SharedPage;
  input.resize(std::max<size_t>(input.size(), SharedPage::kBytes));
  const uint64_t word = mutator.below(4) == 0
                            ? SharedPage::kFirstEpoch + mutator.below(SharedPage::kEpochs)
                            : mutator.below(SharedPage::kEndedKept + 1);
  put_le(input.data() + 8 * word, telling_number(mutator));
}

void mutate_log(Input& input, size_t max_bytes, const LogStart& start, ByteMutator& mutator) {
  std::vector<Input> records = split_log(input);
  if (records.empty()) records.emplace_back(RecordLayout::kHeaderBytes);
  const size_t at = mutator.below(records.size());
  Input& record = records[at];
  if (mutator.below(10) < 3) {
    rearrange(records, at, mutator);
  } else {
    change_record(record, max_bytes > input.size() ? record.size() + max_bytes - input.size() : 1,
                  mutator);
  }
  input = join_log(std::move(records), start);
}

void seal_log(Input& input, const LogStart& start) { input = join_log(split_log(input), start); }

}  // namespace npk::testing
