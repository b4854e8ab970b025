#include "core/store/arrival.h"

#include <optional>
#include <set>

#include "core/store/block_checksums.h"

namespace npk::internal {
namespace {

using Generation = Generations::key_type;

/// The generation that the record begins or changes.
Generation generation_of(const Record& record) {
  return {record.type == RecordType::kCreate ? record.number : record.array, record.generation};
}

/// What is left of the commits behind the one that is looked at, the last of them first.
class Later {
 public:
  void add(const Record& record) {
    const Generation generation = generation_of(record);
    switch (record.type) {
      case RecordType::kReplace:
      case RecordType::kTouch:
        replaced_.insert(generation);
        break;
      case RecordType::kDrop:
        last_.try_emplace(generation.first, std::nullopt);
        break;
      case RecordType::kCreate:
      case RecordType::kSwapGeneration:
        last_.try_emplace(generation.first, generation.second);
        break;
      default:
        break;
    }
  }
  void clear() {
    last_.clear();
    replaced_.clear();
  }
  [[nodiscard]] bool has_ended(const Generation& generation) const {
    const auto last = last_.find(generation.first);
    return last != last_.end() && last->second != generation.second;
  }
  [[nodiscard]] bool is_replaced(const Generation& generation) const {
    return replaced_.contains(generation);
  }

 private:
  std::map<uint64_t, std::optional<uint64_t>> last_;  // By array; none: it was dropped.
  std::set<Generation> replaced_;
};

/// Whether the file is there, and in it the rows of an APPEND_REF. Of rows that were replaced later
/// the content cannot be told: it counts as arrived, because the replace was acknowledged after
/// them.
Result<bool> has_arrived(const ArrayState& state, const Record& record, bool is_replaced) {
  const auto file = state.file->file();
  if (!file.is_ok()) {
    if (file.status().code() == StatusCode::kNotFound) return false;
    return file.status();
  }
  if (record.type != RecordType::kAppendRef) return true;
  const uint64_t begin_bytes = record.arg0 * state.row_bytes();
  const uint64_t length_bytes = record.arg1 * state.row_bytes();
  if (is_replaced) {
    NPK_ASSIGN_OR_RETURN(const uint64_t size_bytes, (*file)->size_bytes());
    return size_bytes >= begin_bytes + length_bytes;
  }
  return has_checksums(**file, begin_bytes, length_bytes, record.payload);
}

/// Whether the record needs something of a file.
bool needs_file(const Committed& before, const Record& record) {
  return record.type == RecordType::kCreate || record.type == RecordType::kSwapGeneration ||
         (record.type == RecordType::kAppendRef && !is_folded(before, record));
}

}  // namespace

bool is_folded(const Committed& before, const Record& record) {
  const auto name = before.names.find(record.array);
  return name != before.names.end() &&
         record.number <= before.catalog.find(name->second)->second->last_record;
}

Result<Arrival> find_arrival(const Committed& before, const Generations& generations,
                             std::span<const LoggedCommit> commits, bool keeps_all) {
  Arrival arrival{commits.size(), {}};
  Later later;
  for (size_t i = commits.size(); i-- > 0;) {
    const auto& records = commits[i].records;
    for (size_t k = records.size(); k-- > 0;) {
      const Record& record = records[k];
      later.add(record);
      const Generation generation = generation_of(record);
      const auto state = generations.find(generation);
      if (!needs_file(before, record) || state == generations.end() ||
          later.has_ended(generation)) {
        continue;
      }
      NPK_ASSIGN_OR_RETURN(const bool is_there,
                           has_arrived(*state->second, record, later.is_replaced(generation)));
      if (is_there) continue;
      if (keeps_all || (record.flags & kFlagSynced) != 0) {
        arrival.damaged.push_back({&record, state->second});
        continue;
      }
      arrival = {i, {}};
      later.clear();
      break;
    }
  }
  return arrival;
}

}  // namespace npk::internal
