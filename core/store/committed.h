// Committed: everything that a store's files say, and fold(): what a commit's records make of it.
//
// load() reads the files; the refresher folds the commits of other processes; a commit folds its
// own. Folding changes states in memory only; apply.h carries records out on the rows.
#ifndef NPK_CORE_STORE_COMMITTED_H_
#define NPK_CORE_STORE_COMMITTED_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/store/array_state.h"
#include "core/store/log.h"
#include "core/store/names.h"
#include "core/store/superblock.h"
#include "io/env.h"
#include "npk/status.h"

namespace npk::internal {

/// A store's directory, and how to reach what is in it.
struct Directory {
  io::Env* env = nullptr;
  std::string path;
  bool read_only = false;

  [[nodiscard]] std::string file(std::string_view name) const {
    return path + "/" + std::string(name);
  }
};

/// What a sidecar on disk says; compared with the catalogue it tells what a checkpoint must write.
struct SidecarOnDisk {
  uint64_t id = 0;
  uint64_t generation = 0;
  uint64_t last_record = 0;
  SideFiles files;
};

struct Committed {
  Superblock superblock;
  std::shared_ptr<io::File> log;
  LogPosition position;
  bool has_unsynced_commits = false;
  uint64_t generation_floor = 0;
  /// How many arrays there must be: as of the checkpoint, and created less dropped since.
  uint64_t expected_arrays = 0;
  Catalog catalog;
  std::map<std::string, SidecarOnDisk, std::less<>> sidecars;  // By stem.
  /// Rows files whose generation has ended since the checkpoint. They are removed after the next
  /// one, because until then a power cut may bring the old generation back.
  std::vector<std::string> garbage;
  uint64_t garbage_bytes = 0;
  std::unordered_map<uint64_t, std::string> names;  // Of live arrays, by id.
  std::set<uint64_t> unknown;  // Ids in records without an array: fine if a DROP follows.
};

/// The file of the state's generation: shared with `known` (may be null) if that has it, else one
/// not yet opened.
std::shared_ptr<RowsFile> rows_file_of(const Directory& directory, const Catalog* known,
                                       const ArrayState& state);

/// Folds one array's record into its state: everything but CREATE and DROP.
/// Errors: Corruption if the record cannot follow the state.
Status advance(const Directory& directory, ArrayState& state, const Record& record);

/// Folds the records of one commit. `known` may hold the RowsFile of a generation already (so that
/// its users keep sharing one); may be null. Errors: Corruption, Unsupported; with the log's path
/// and the record's place.
Status fold(const Directory& directory, const Catalog* known, std::span<const Record> commit,
            Committed& committed);

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_COMMITTED_H_
