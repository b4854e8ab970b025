#include "core/store/committed.h"

#include "core/store/codec.h"
#include "core/store/names.h"
#include "core/store/sidecar.h"
#include "npk/internal/text.h"

namespace npk::internal {
namespace {

Status damage(const Record& record, std::string_view what) {
  return Status::corruption(concat("log record ", record.number, " ", what));
}

/// Appended rows follow the last, and there are no more than the payload holds (APPEND) or has
/// checksums of (APPEND_REF): a number in a file is worth what is behind it.
Status check_append(const ArrayState& state, const Record& record) {
  if (state.is_scalar ? record.arg0 != 0 || record.arg1 != 1 : record.arg0 != state.rows) {
    return damage(record, "appends rows that do not follow the last");
  }
  const uint64_t payload_bytes = record.length_bytes - RecordLayout::kHeaderBytes;
  const uint64_t most_bytes = record.type == RecordType::kAppend
                                  ? payload_bytes
                                  : payload_bytes / sizeof(uint32_t) * kChecksumBlockBytes;
  uint64_t bytes = 0;
  uint64_t rows = 0;
  if (__builtin_mul_overflow(record.arg1, state.row_bytes(), &bytes) || bytes > most_bytes ||
      __builtin_add_overflow(record.arg0, record.arg1, &rows) ||
      !shape_element_count(state.shape_of(rows)).is_ok()) {
    return damage(record, "appends more rows than it holds");
  }
  return {};
}

/// The state with which a record begins a generation of array `id`: one without rows.
Result<ArrayState> begun_state(const Record& record, uint64_t id) {
  NPK_ASSIGN_OR_RETURN(Descriptor descriptor, decode_descriptor(as_text(record.payload)));
  const ArrayState& state = descriptor.state;
  if (record.array != id || state.id != id || state.generation != record.generation) {
    return damage(record, "describes another array or generation than its own");
  }
  if (!state.is_scalar && state.rows != 0) return damage(record, "begins with rows");
  return std::move(descriptor.state);
}

/// The state with which a record goes on in a new generation: what tells arrays and their files
/// apart stays.
Result<ArrayState> next_generation(const ArrayState& state, const Record& record) {
  NPK_ASSIGN_OR_RETURN(ArrayState next, begun_state(record, state.id));
  if (next.name != state.name || next.stem != state.stem) {
    return damage(record, concat("makes array '", state.name, "' another one, '", next.name, "'"));
  }
  if (next.generation <= state.generation) return damage(record, "begins no later generation");
  return next;
}

Status create(const Directory& directory, const Catalog* known, const Record& record,
              Committed& committed) {
  NPK_ASSIGN_OR_RETURN(ArrayState begun, begun_state(record, record.number));
  auto state = std::make_shared<ArrayState>(std::move(begun));
  state->last_record = record.number;
  const auto found = committed.catalog.find(state->name);
  if (found != committed.catalog.end()) {
    if (found->second->id == state->id) return {};  // Folded before the sidecar was written.
    if (found->second->id < state->id) return damage(record, "creates an array that exists");
    committed.unknown.insert(record.number);  // Dropped and created again before the sidecar was.
    return {};
  }
  state->file = rows_file_of(directory, known, *state);
  committed.names[state->id] = state->name;
  committed.catalog[state->name] = std::move(state);
  return {};
}

void add_garbage(const ArrayState& ended, Committed& committed) {
  committed.garbage.push_back(rows_file(ended.stem, ended.generation));
  committed.garbage_bytes += ended.size_bytes();
}

}  // namespace

Status array_not_found(std::string_view name, const Catalog& catalog) {
  constexpr size_t kNamed = 5;
  std::string there_are = catalog.empty() ? "it has none" : "there are ";
  size_t named = 0;
  for (auto it = catalog.begin(); it != catalog.end() && named < kNamed; ++it, ++named) {
    there_are += concat(named == 0 ? "'" : ", '", it->first, "'");
  }
  if (catalog.size() > named) there_are += concat(" and ", catalog.size() - named, " more");
  return Status::not_found(concat("there is no array '", name, "' in the store; ", there_are));
}

std::shared_ptr<RowsFile> rows_file_of(const Directory& directory, const Catalog* known,
                                       const ArrayState& state) {
  if (known != nullptr) {
    const auto shared = known->find(state.name);
    if (shared != known->end() && shared->second->id == state.id &&
        shared->second->generation == state.generation && !shared->second->file->has_overlay()) {
      return shared->second->file;
    }
  }
  return std::make_shared<RowsFile>(
      *directory.env, directory.file(rows_file(state.stem, state.generation)), directory.read_only);
}

Status advance(const Directory& directory, ArrayState& state, const Record& record) {
  switch (record.type) {
    case RecordType::kAppend:
    case RecordType::kAppendRef:
      NPK_RETURN_IF_ERROR(check_append(state, record));
      state.rows = record.arg0 + record.arg1;
      break;
    case RecordType::kReplace:
    case RecordType::kTouch:
      break;
    case RecordType::kDelete: {
      auto deleted = state.deleted->with_encoded(record.payload, state.rows);
      if (!deleted.is_ok()) return damage(record, deleted.status().message());
      state.deleted = *std::move(deleted);
      break;
    }
    case RecordType::kSums: {
      if (state.sums == nullptr) return damage(record, "has checksums of an array without them");
      auto sums = state.sums->with_encoded(record.payload, state.size_bytes());
      if (!sums.is_ok()) return damage(record, sums.status().message());
      state.sums = *std::move(sums);
      break;
    }
    case RecordType::kSwapGeneration: {
      NPK_ASSIGN_OR_RETURN(state, next_generation(state, record));
      state.file = rows_file_of(directory, nullptr, state);
      break;
    }
    case RecordType::kAttributes: {
      const Status status = check_attributes(as_text(record.payload), &state.attributes);
      if (!status.is_ok()) return damage(record, status.message());
      break;
    }
    default:
      return Status::unsupported(concat("log record ", record.number, " is of type ",
                                        static_cast<int>(record.type),
                                        ", which this npk does not know: use a newer one"));
  }
  state.last_record = record.number;
  state.modified_us = record.time_us;
  return {};
}

namespace {

Status fold_record(const Directory& directory, const Catalog* known, const Record& record,
                   Committed& committed) {
  if ((record.flags & kFlagSynced) == 0) committed.has_unsynced_commits = true;
  if (record.type == RecordType::kCreate) {
    committed.expected_arrays++;
    return create(directory, known, record, committed);
  }
  if (record.type == RecordType::kDrop) {
    committed.expected_arrays--;
    committed.generation_floor = std::max(committed.generation_floor, record.generation + 1);
  }
  const auto name = committed.names.find(record.array);
  if (name == committed.names.end()) {
    if (record.type == RecordType::kDrop) {
      committed.unknown.erase(record.array);
    } else {
      committed.unknown.insert(record.array);
    }
    return {};
  }
  const auto slot = committed.catalog.find(name->second);
  if (record.number <= slot->second->last_record) return {};
  if (record.type == RecordType::kDrop) {
    add_garbage(*slot->second, committed);
    committed.catalog.erase(slot);
    committed.names.erase(name);
    return {};
  }
  auto state = std::make_shared<ArrayState>(*slot->second);
  NPK_RETURN_IF_ERROR(advance(directory, *state, record));
  if (state->generation != slot->second->generation) {
    add_garbage(*slot->second, committed);
    state->file = rows_file_of(directory, known, *state);
  }
  slot->second = std::move(state);
  return {};
}

}  // namespace

Status fold(const Directory& directory, const Catalog* known, std::span<const Record> commit,
            Committed& committed) {
  for (const Record& record : commit) {
    Status status = fold_record(directory, known, record, committed);
    if (!status.is_ok()) {
      return std::move(status).with_path(committed.log->path()).with_offset(record.offset_bytes);
    }
  }
  return {};
}

}  // namespace npk::internal
