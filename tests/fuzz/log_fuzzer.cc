// A log: the reader hands out whole commits, each behind the one before and inside the file, until
// one is not valid; and then looks for valid ones behind that.
#include "core/store/deleted_rows.h"
#include "core/store/log.h"
#include "core/store/sidecar.h"
#include "npk/internal/text.h"
#include "tests/fuzz/fuzzers.h"
#include "tests/fuzz/sample_store.h"
#include "tests/fuzz/structure_mutators.h"
#include "tests/support/memory_file.h"

namespace npk::testing {
namespace {

using internal::Record;
using internal::RecordType;

constexpr LogStart kStart{0x4e504b, 1};
// Rows of the array that DELETE records are taken to be of.
constexpr uint64_t kRows = 1u << 20;

/// What recovery reads out of a payload before it knows the array.
std::string check_payload(const io::File& log, const Record& record) {
  const auto payload = internal::read_payload(log, record);
  if (!payload.is_ok()) return "no payload: " + payload.status().to_string();
  if (!internal::holds_rows(record.type) && *payload != record.payload) {
    return "a payload differs when it is read again";
  }
  const std::string_view text(reinterpret_cast<const char*>(payload->data()), payload->size());
  std::string compact;
  switch (record.type) {
    case RecordType::kCreate:
    case RecordType::kSwapGeneration:
      internal::decode_descriptor(text).status().ignore();
      return {};
    case RecordType::kAttributes:
      internal::check_attributes(text, &compact).ignore();
      return {};
    case RecordType::kDelete:
      internal::DeletedRows::decode(*payload, kRows).status().ignore();
      return {};
    default:
      return {};
  }
}

std::string check_commit(const io::File& log, const internal::LoggedCommit& commit,
                         const internal::LogPosition& before, uint64_t file_bytes) {
  const uint64_t first = commit.records.front().number;
  uint64_t number = first;
  uint64_t end_bytes = before.offset_bytes;
  for (const Record& record : commit.records) {
    if (record.number != number++ || record.commit != first) {
      return internal::concat("record ", record.number, " is out of order");
    }
    if (record.offset_bytes < end_bytes || record.offset_bytes + record.length_bytes > file_bytes) {
      return internal::concat("record ", record.number, " overlaps another or the end");
    }
    end_bytes = record.offset_bytes + record.length_bytes;
    std::string wrong = check_payload(log, record);
    if (!wrong.empty()) return wrong;
  }
  const bool ends = first >= before.next_record && commit.end.next_record == number &&
                    commit.end.offset_bytes >= end_bytes;
  return ends ? "" : "a commit does not end behind its records";
}

}  // namespace

std::string run_log(io::Bytes input) {
  const MemoryFile log(input);
  internal::LogReader reader(log, kStart.seed, {0, kStart.first_record, 0});
  while (true) {
    const internal::LogPosition before = reader.position();
    const auto commit = reader.next_commit();
    if (!commit.is_ok()) return "an error: " + commit.status().to_string();
    if (commit->records.empty()) break;
    std::string wrong = check_commit(log, *commit, before, input.size());
    if (!wrong.empty()) return wrong;
  }
  const auto behind = reader.find_commit_behind_end();
  if (!behind.is_ok()) return "an error: " + behind.status().to_string();
  if (*behind && **behind < reader.position().offset_bytes) return "what is behind is before";
  return {};
}

std::vector<Input> log_seeds() {
  std::vector<Input> seeds;
  for (size_t kind = 0; kind < kSampleStores; ++kind) {
    for (Input& log : sample_store(kind).files_with("log.")) {
      seal_log(log, kStart);
      if (!log.empty()) seeds.push_back(std::move(log));
    }
  }
  return seeds;
}

void mutate_log_input(Input& input, size_t max_bytes, ByteMutator& mutator) {
  mutate_log(input, max_bytes, kStart, mutator);
}

}  // namespace npk::testing
