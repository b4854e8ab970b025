#include "core/store/load.h"

#include <algorithm>
#include <utility>

#include "core/store/arrival.h"
#include "core/store/codec.h"
#include "core/store/names.h"
#include "core/store/sidecar.h"
#include "npk/internal/text.h"
#include "simd/crc32c.h"

namespace npk::internal {
namespace {

constexpr uint64_t kChecksumBytes = 4;  // Ends a file of deleted rows.

Result<std::shared_ptr<const DeletedRows>> decode_deleted(std::span<const std::byte> bytes,
                                                          uint64_t rows, uint64_t count) {
  if (bytes.size() < kChecksumBytes) {
    return Status::corruption(
               concat("the bitmap of deleted rows is cut off: ", bytes.size(), " bytes"))
        .with_offset(bytes.size());
  }
  const auto body = bytes.first(bytes.size() - kChecksumBytes);
  if (get_le<uint32_t>(bytes.data() + body.size()) != simd::crc32c(body)) {
    return Status::corruption("the bitmap of deleted rows is cut off or fails its checksum")
        .with_offset(0);
  }
  NPK_ASSIGN_OR_RETURN(auto deleted, DeletedRows::decode(body, rows));
  if (deleted->count() != count) {
    return Status::corruption(concat("the bitmap holds ", deleted->count(),
                                     " deleted rows, its sidecar says ", count))
        .with_offset(0);
  }
  return deleted;
}

/// What `decode` makes of a file that a sidecar names.
template <typename T, typename Decode>
Result<std::shared_ptr<const T>> read_side_file(const Directory& directory, const std::string& name,
                                                std::string_view what, const Decode& decode) {
  const auto bytes = read_whole(directory, name);
  if (!bytes.is_ok()) {
    if (bytes.status().code() != StatusCode::kNotFound) return bytes.status();
    return Status::corruption(concat("the ", what, " is missing; restore it from a backup"))
        .with_path(directory.file(name));
  }
  Result<std::shared_ptr<const T>> decoded = decode(io::Bytes(*bytes));
  if (!decoded.is_ok()) return std::move(decoded).status().with_path(directory.file(name));
  return decoded;
}

/// Opens the log of `committed.superblock` and stands at its beginning.
Status open_log(const Directory& directory, Committed& committed) {
  const std::string path = directory.file(log_file(committed.superblock.log_index));
  auto log = directory.env->open(
      path, directory.read_only ? io::OpenMode::kRead : io::OpenMode::kReadWrite);
  if (!log.is_ok()) {
    if (log.status().code() != StatusCode::kNotFound) return std::move(log).status();
    return Status::corruption("the log is missing; restore it from a backup").with_path(path);
  }
  committed.log = *std::move(log);
  committed.position = {0, committed.superblock.first_record, 0};
  return {};
}

/// The commits from `committed.position` to the log's end or to `limit_bytes`.
Result<std::vector<LoggedCommit>> read_commits(const Committed& committed, uint64_t limit_bytes) {
  LogReader reader(*committed.log, committed.superblock.log_seed(), committed.position);
  std::vector<LoggedCommit> commits;
  while (reader.position().offset_bytes < limit_bytes) {
    NPK_ASSIGN_OR_RETURN(auto commit, reader.next_commit());
    if (commit.records.empty()) break;
    commits.push_back(std::move(commit));
  }
  return commits;
}

/// Folds the commits, and notes the generations that they leave in `generations` (may be null).
Status fold_all(const Directory& directory, const LoadOptions& options,
                std::span<const LoggedCommit> commits, Generations* generations,
                Committed& committed) {
  for (const LoggedCommit& commit : commits) {
    NPK_RETURN_IF_ERROR(fold(directory, options.known, commit.records, committed));
    committed.position = commit.end;
    if (generations == nullptr) continue;
    for (const Record& record : commit.records) {
      const bool is_create = record.type == RecordType::kCreate;
      const auto name = committed.names.find(is_create ? record.number : record.array);
      if (name == committed.names.end()) continue;
      const StatePtr& state = committed.catalog.find(name->second)->second;
      (*generations)[{state->id, state->generation}] = state;
    }
  }
  return {};
}

/// What verify says of them.
Status rows_damage(const ArrayState& state, const Record& record) {
  return Status::corruption(concat("rows ", record.arg0, " to ", record.arg0 + record.arg1 - 1,
                                   " of array '", state.name,
                                   "' are not those that were appended; restore them"))
      .with_path(state.file->path())
      .with_offset(record.arg0 * state.row_bytes());
}

std::vector<Status> damage_of(std::span<const Arrival::Damaged> damaged) {
  std::vector<Status> damage;
  for (const auto& [record, state] : damaged) {
    // Not of those whose file is missing: that is seen anyway. Nor where the sums tell it block by
    // block.
    if (record->type != RecordType::kAppendRef || state->sums != nullptr) continue;
    damage.push_back(rows_damage(*state, *record));
  }
  return damage;
}

Status log_damage(const Directory& directory, const Committed& committed, uint64_t behind_bytes) {
  return Status::corruption(concat("the log is damaged: its record at byte ",
                                   committed.position.offset_bytes,
                                   " is not valid, but committed ones follow up to byte ",
                                   behind_bytes, "; restore it from a backup"))
      .with_path(directory.file(log_file(committed.superblock.log_index)))
      .with_offset(committed.position.offset_bytes);
}

/// Step 3: from the sidecars' state to the last commit.
Status replay(const Directory& directory, const LoadOptions& options, Loaded& loaded) {
  Committed& committed = loaded.committed;
  const bool has_page = options.page != nullptr && options.page->load(SharedPage::kCheckpoint) ==
                                                       committed.superblock.checkpoint;
  const uint64_t page_end = has_page ? options.page->load(SharedPage::kLogEnd) : 0;
  NPK_ASSIGN_OR_RETURN(
      auto commits, read_commits(committed, options.is_shared && has_page ? page_end : UINT64_MAX));
  const Committed before = committed;
  const bool must_look = !has_page || options.check_rows;
  Generations generations;
  NPK_RETURN_IF_ERROR(
      fold_all(directory, options, commits, must_look ? &generations : nullptr, committed));
  if (has_page && committed.position.offset_bytes < page_end) {
    return log_damage(directory, committed, page_end);
  }
  if (!has_page) {
    LogReader reader(*committed.log, committed.superblock.log_seed(), committed.position);
    NPK_ASSIGN_OR_RETURN(const auto behind, reader.find_commit_behind_end());
    if (behind) return log_damage(directory, committed, *behind);
  }
  if (must_look) {
    NPK_ASSIGN_OR_RETURN(const Arrival arrival,
                         find_arrival(before, generations, commits, has_page));
    if (arrival.commits < commits.size()) {
      loaded.was_cut = true;
      commits.resize(arrival.commits);
      committed = before;
      NPK_RETURN_IF_ERROR(fold_all(directory, options, commits, nullptr, committed));
    }
    if (options.check_rows) loaded.damaged_rows = damage_of(arrival.damaged);
  }
  for (LoggedCommit& commit : commits) {
    for (Record& record : commit.records) {
      // Of an array whose sidecar has it the next checkpoint would not sync the rows: written once
      // more, an older and a newer value of a row might reach the disk in the wrong order.
      const bool is_needed = holds_rows(record.type) && !is_folded(before, record);
      if (is_needed) loaded.row_records.push_back(std::move(record));
    }
  }
  return {};
}

/// If STORE's newest slot is damaged, the checkpoint that it told of may still have happened: then
/// its log continues where the older slot's log ends.
Result<bool> follow_next_checkpoint(const Directory& directory, const LoadOptions& options,
                                    Committed& committed) {
  Committed next = committed;
  next.superblock.checkpoint++;
  next.superblock.log_index ^= 1;
  next.superblock.first_record = committed.position.next_record;
  next.superblock.generation_floor = committed.generation_floor;
  const Status opened = open_log(directory, next);
  if (opened.code() == StatusCode::kCorruption) return false;  // Its log was never made.
  NPK_RETURN_IF_ERROR(opened);
  NPK_ASSIGN_OR_RETURN(const auto commits, read_commits(next, UINT64_MAX));
  const bool has_page = options.page != nullptr &&
                        options.page->load(SharedPage::kCheckpoint) == next.superblock.checkpoint;
  if (commits.empty() && !has_page) return false;
  next.has_unsynced_commits = false;
  next.garbage.clear();
  next.garbage_bytes = 0;
  committed = std::move(next);
  return true;
}

Status load_sidecar(const Directory& directory, const Catalog* known, const std::string& name,
                    Committed& committed) {
  NPK_ASSIGN_OR_RETURN(const auto bytes, read_whole(directory, name));
  auto decoded = decode_sidecar(as_text(bytes));
  if (!decoded.is_ok()) return std::move(decoded).status().with_path(directory.file(name));
  auto state = std::make_shared<ArrayState>(std::move(decoded->state));
  if (sidecar_file(state->stem) != name || committed.catalog.contains(state->name)) {
    return Status::corruption(concat("the sidecar is of array '", state->name,
                                     "', whose sidecar is another file: move this one away"))
        .with_path(directory.file(name));
  }
  NPK_RETURN_IF_ERROR(read_side_files(directory, *decoded, *state));
  state->file = rows_file_of(directory, known, *state);
  committed.sidecars[state->stem] = {state->id, state->generation, state->last_record,
                                     decoded->files};
  committed.names[state->id] = state->name;
  committed.catalog[state->name] = std::move(state);
  return {};
}

/// A sidecar that is missing must not make its array vanish.
Status check_array_count(const Directory& directory, std::span<const std::string> names,
                         const Committed& committed) {
  if (committed.catalog.size() == committed.expected_arrays) return {};
  std::string path = directory.path;
  for (const std::string& name : names) {
    if (file_kind(name) != FileKind::kRows) continue;
    const std::string stem = name.substr(0, name.rfind('.', name.size() - 6));
    if (!std::ranges::binary_search(names, sidecar_file(stem))) {
      path = directory.file(sidecar_file(stem));
    }
  }
  return Status::corruption(concat("the store has ", committed.expected_arrays,
                                   " arrays, but there are sidecars and log records of ",
                                   committed.catalog.size(),
                                   "; restore the one that is missing from a backup"))
      .with_path(path);
}

}  // namespace

Result<std::vector<std::byte>> read_whole(const Directory& directory, const std::string& name) {
  NPK_ASSIGN_OR_RETURN(const auto file,
                       directory.env->open(directory.file(name), io::OpenMode::kRead));
  NPK_ASSIGN_OR_RETURN(const uint64_t size, file->size_bytes());
  std::vector<std::byte> bytes(size);
  NPK_RETURN_IF_ERROR(file->read_at(0, bytes));
  return bytes;
}

Status read_side_files(const Directory& directory, const Descriptor& descriptor,
                       ArrayState& state) {
  const SideFiles& files = descriptor.files;
  if (!files.deleted.empty()) {
    NPK_ASSIGN_OR_RETURN(state.deleted,
                         read_side_file<DeletedRows>(
                             directory, files.deleted, "bitmap of deleted rows", [&](auto bytes) {
                               return decode_deleted(bytes, state.rows, descriptor.deleted_rows);
                             }));
  }
  if (!files.sums.empty()) {
    NPK_ASSIGN_OR_RETURN(
        state.sums, read_side_file<RowSums>(
                        directory, files.sums, "file of the rows' checksums",
                        [&](auto bytes) { return RowSums::decode(bytes, state.size_bytes()); }));
  }
  return {};
}

Result<Loaded> load(const Directory& directory, const LoadOptions& options) {
  Loaded loaded;
  Committed& committed = loaded.committed;
  NPK_ASSIGN_OR_RETURN(auto read, read_superblock(*directory.env, directory.file(kStoreFile)));
  committed.superblock = read.superblock;
  committed.generation_floor = read.superblock.generation_floor;
  committed.expected_arrays = read.superblock.arrays;
  loaded.damaged_slots = std::move(read.damaged_slots);
  NPK_ASSIGN_OR_RETURN(auto names, directory.env->list(directory.path));
  std::ranges::sort(names);
  for (const std::string& name : names) {
    if (file_kind(name) == FileKind::kSidecar) {
      NPK_RETURN_IF_ERROR(load_sidecar(directory, options.known, name, committed));
    }
  }
  NPK_RETURN_IF_ERROR(open_log(directory, committed));
  NPK_RETURN_IF_ERROR(replay(directory, options, loaded));
  if (!loaded.damaged_slots.empty()) {
    NPK_ASSIGN_OR_RETURN(const bool followed,
                         follow_next_checkpoint(directory, options, committed));
    if (followed) {
      loaded.row_records.clear();  // The checkpoint had applied them.
      NPK_RETURN_IF_ERROR(replay(directory, options, loaded));
    }
  }
  // No number is used twice, whatever STORE says of where its log begins: a change with that of a
  // sidecar would be taken for what the sidecar has.
  if (committed.position.offset_bytes == 0) {
    for (const auto& [stem, sidecar] : committed.sidecars) {
      committed.position.next_record =
          std::max(committed.position.next_record, sidecar.last_record + 1);
    }
  }
  if (!committed.unknown.empty()) {
    return Status::corruption(concat("the log speaks of an array (number ",
                                     *committed.unknown.begin(),
                                     ") whose sidecar is missing; restore it from a backup"))
        .with_path(directory.path);
  }
  NPK_RETURN_IF_ERROR(check_array_count(directory, names, committed));
  return loaded;
}

}  // namespace npk::internal
