// verify_store: reads a store and says what is wrong, without changing anything.
//
// 1. With the writer lock, shared, so that no checkpoint moves files meanwhile: every structure. If
//    a writer holds the lock for long, what it has published.
// 2. Without the lock: the rows of arrays with checksums, by all processors. What a killed writer
//    had committed and not applied is laid over the files first, in memory. Blocks that differ are
//    compared once more with the lock and the sums of that moment: a writer may have replaced them.
// Of the other rows it sees that their files are there and long enough, and those that the log
// still vouches for.
#include <algorithm>
#include <mutex>
#include <set>

#include "core/store/apply.h"
#include "core/store/change_history.h"
#include "core/store/load.h"
#include "core/store/names.h"
#include "core/store/row_check.h"
#include "core/store/sidecar.h"
#include "core/store/store_handle.h"
#include "core/store/writer_lock.h"
#include "npk/internal/text.h"
#include "npk/store.h"

namespace npk {
namespace {

using internal::concat;
using internal::FileKind;
using Severity = VerifyFinding::Severity;

constexpr uint32_t kLockTimeoutMs = 2'000;

class Verifier {
 public:
  Verifier(const internal::Directory& directory, VerifyReport& report)
      : directory_(directory), report_(report) {}

  Status run(const VerifyOptions& options) {
    NPK_ASSIGN_OR_RETURN(const auto names, directory_.env->list(directory_.path));
    NPK_ASSIGN_OR_RETURN(auto look, look_at_structures(options.quick));
    // The whole first: what open() would say. Then each file by itself, so that all damage is
    // named.
    Result<internal::Loaded>& loaded = look.loaded;
    if (loaded.is_ok()) {
      for (const Status& damage : loaded->damaged_slots) add(damage, {});
      for (const Status& damage : loaded->damaged_rows) add(damage, {});
      check_rows(*loaded);
      check_files(names, loaded->committed);
    } else {
      add(loaded.status(), {});
    }
    check_sidecars(names, !loaded.is_ok());
    check_history(names);
    report_.files = names.size();
    look.lock.reset();
    if (!loaded.is_ok() || options.quick) return {};
    return compare_rows(loaded->committed.catalog, options.progress);
  }

 private:
  /// What load() says, with the writer lock if it could be had.
  struct Look {
    std::unique_ptr<io::File> lock_file;
    std::unique_ptr<internal::SharedPage> page;
    std::optional<internal::WriterLock> lock;
    bool is_shared = false;  // Another process may be writing.
    Result<internal::Loaded> loaded = Status::internal("not loaded");
  };

  Result<Look> look_at_structures(bool quick) {
    Look look;
    auto lock_file =
        directory_.env->open(directory_.file(internal::kLockFile), io::OpenMode::kRead);
    if (lock_file.is_ok()) {
      look.lock_file = *std::move(lock_file);
      NPK_ASSIGN_OR_RETURN(look.page, internal::SharedPage::map(*look.lock_file, false));
      auto acquired =
          internal::WriterLock::acquire(*directory_.env, *look.lock_file, {true, kLockTimeoutMs});
      if (acquired.is_ok()) {
        look.lock.emplace(*std::move(acquired));
      } else if (acquired.status().code() == StatusCode::kBusy) {
        look.is_shared = true;
      } else {
        return acquired.status();
      }
    } else if (lock_file.status().code() != StatusCode::kNotFound) {
      return std::move(lock_file).status();
    }
    look.loaded = load(look.is_shared, look.page.get(), quick);
    // What a killed writer had not applied yet belongs to the rows.
    if (look.loaded.is_ok() && !look.is_shared) {
      const Status laid =
          internal::overlay_records(look.loaded->committed, look.loaded->row_records, applied_);
      if (!laid.is_ok()) look.loaded = laid;
    }
    return look;
  }

  Result<internal::Loaded> load(bool is_shared, const internal::SharedPage* page, bool quick) {
    const internal::SharedPage* valid = nullptr;
    applied_ = 0;
    if (page != nullptr) {
      const auto superblock =
          internal::read_superblock(*directory_.env, directory_.file(internal::kStoreFile));
      if (superblock.is_ok() &&
          page->is_valid(directory_.env->boot_id(), superblock->superblock.uuid_hash())) {
        valid = page;
        if (page->load(internal::SharedPage::kCheckpoint) == superblock->superblock.checkpoint) {
          applied_ = page->load(internal::SharedPage::kApplied);
        }
      }
    }
    return internal::load(directory_, {valid, is_shared, nullptr, !quick});
  }

  /// The rows of arrays with checksums, without the lock.
  Status compare_rows(const internal::Catalog& catalog,
                      const std::function<bool(uint64_t, uint64_t)>& progress) {
    uint64_t total_bytes = 0;
    for (const auto& [name, state] : catalog) {
      if (state->sums != nullptr) total_bytes += state->size_bytes();
    }
    std::mutex mutex;
    uint64_t done_bytes = 0;
    const auto count = [&](uint64_t bytes) {
      const std::lock_guard lock(mutex);
      done_bytes = std::min(total_bytes, done_bytes + bytes);
      return !progress || progress(done_bytes, total_bytes);
    };
    for (const auto& [name, state] : catalog) {
      if (state->sums == nullptr || has_no_file(*state)) continue;
      NPK_RETURN_IF_ERROR(compare_rows_of(state, count));
      report_.checked_bytes += state->size_bytes();
    }
    return {};
  }

  /// A writer may replace rows meanwhile: what seems to be damaged is compared once more, with the
  /// lock and the newest sums.
  Status compare_rows_of(internal::StatePtr state, const std::function<bool(uint64_t)>& count) {
    constexpr int kGenerations = 3;  // An array that is overwritten again and again is in use.
    for (int generation = 0; generation < kGenerations; ++generation) {
      auto damaged = internal::find_damaged_blocks(*state, {0, state->sums->block_count()}, count);
      if (damaged.is_ok() && damaged->empty()) return {};
      if (damaged.status().code() == StatusCode::kFailedPrecondition) return damaged.status();
      NPK_ASSIGN_OR_RETURN(const Look look, look_at_structures(true));
      if (!look.loaded.is_ok() || look.is_shared) {
        note(relative(state->file->path()),
             "rows differ from their checksums, but a writer is at work: verify again later");
        return {};
      }
      const internal::Catalog& catalog = look.loaded->committed.catalog;
      const auto now = catalog.find(state->name);
      if (now == catalog.end() || now->second->sums == nullptr) return {};
      const bool is_same =
          now->second->id == state->id && now->second->generation == state->generation;
      state = now->second;
      if (!is_same) continue;
      if (!damaged.is_ok()) {
        add(damaged.status(), state->name);
        return {};
      }
      for (const internal::BlockRange blocks : *damaged) {
        NPK_ASSIGN_OR_RETURN(const auto still, internal::find_damaged_blocks(*state, blocks, {}));
        for (const internal::BlockRange range : still) {
          add(internal::block_damage(*state, range), state->name);
          report_.findings.back().rows = internal::live_rows_in(*state, range);
        }
      }
      return {};
    }
    return {};
  }

  void add(const Status& status, std::string_view array) {
    VerifyFinding finding;
    finding.path = relative(status.path());
    finding.array = array;
    finding.offset_bytes = status.offset_bytes();
    finding.message = status.message();
    if (status.error_number() != 0) finding.message = status.to_string();
    const bool is_known = std::ranges::any_of(report_.findings, [&](const VerifyFinding& other) {
      return other.path == finding.path && other.message == finding.message;
    });
    if (!is_known) report_.findings.push_back(std::move(finding));
  }

  /// Whether check_rows() found the rows file missing or cut off.
  [[nodiscard]] bool has_no_file(const internal::ArrayState& state) const {
    return std::ranges::any_of(report_.findings, [&](const VerifyFinding& finding) {
      return finding.array == state.name && finding.path == relative(state.file->path());
    });
  }

  void note(std::string_view name, std::string message) {
    VerifyFinding finding;
    finding.severity = Severity::kNote;
    finding.path = name;
    finding.message = std::move(message);
    report_.findings.push_back(std::move(finding));
  }

  [[nodiscard]] std::string relative(const std::string& path) const {
    if (path.rfind(directory_.path + "/", 0) != 0) return path;
    return path.substr(directory_.path.size() + 1);
  }

  /// Bytes that the file must have already: rows that only the log has yet are not in it.
  [[nodiscard]] uint64_t settled_bytes(const internal::Loaded& loaded,
                                       const internal::ArrayState& state) const {
    uint64_t rows = state.rows;
    for (const internal::Record& record : loaded.row_records) {
      if (record.type == internal::RecordType::kAppend && record.array == state.id &&
          record.generation == state.generation && record.number >= applied_) {
        rows = std::min(rows, record.arg0);
      }
    }
    return rows * state.row_bytes();
  }

  void check_rows(const internal::Loaded& loaded) {
    const internal::Committed& committed = loaded.committed;
    report_.arrays = committed.catalog.size();
    for (const auto& [name, state] : committed.catalog) {
      const auto info = directory_.env->info(state->file->path());
      if (!info.is_ok()) {
        add(info.status(), name);
        continue;
      }
      Status damage;
      if (info->kind != io::PathKind::kFile) {
        damage = Status::corruption("the rows file is missing; restore it from a backup");
      } else if (info->size_bytes < settled_bytes(loaded, *state)) {
        damage = Status::corruption(concat("the rows file is cut off: it has ", info->size_bytes,
                                           " bytes, ", state->size_bytes(),
                                           " belong to the array; restore it from a backup"))
                     .with_offset(info->size_bytes);
      }
      if (!damage.is_ok()) add(std::move(damage).with_path(state->file->path()), name);
    }
  }

  void check_sidecars(const std::vector<std::string>& names, bool is_load_broken) {
    for (const std::string& name : names) {
      if (internal::file_kind(name) != FileKind::kSidecar) continue;
      const auto text = read_text(name);
      if (!text.is_ok()) {
        add(text.status(), {});
        continue;
      }
      report_.checked_bytes += text->size();
      auto decoded = internal::decode_sidecar(*text);
      if (!decoded.is_ok()) {
        add(std::move(decoded).status().with_path(directory_.file(name)), {});
        continue;
      }
      if (!is_load_broken) continue;
      const Status read = internal::read_side_files(directory_, *decoded, decoded->state);
      if (!read.is_ok()) add(read, decoded->state.name);
    }
  }

  void check_history(const std::vector<std::string>& names) {
    const std::string name(internal::kChangesFile);
    if (std::ranges::find(names, name) == names.end()) return;
    const auto bytes = internal::read_whole(directory_, name);
    const Status read =
        bytes.is_ok() ? internal::ChangeHistory::decode(*bytes).status() : bytes.status();
    if (!read.is_ok()) add(Status(read).with_path(directory_.file(name)), {});
    if (bytes.is_ok()) report_.checked_bytes += bytes->size();
  }

  Result<std::string> read_text(const std::string& name) {
    NPK_ASSIGN_OR_RETURN(const auto file,
                         directory_.env->open(directory_.file(name), io::OpenMode::kRead));
    NPK_ASSIGN_OR_RETURN(const uint64_t size, file->size_bytes());
    std::string text(size, '\0');
    NPK_RETURN_IF_ERROR(file->read_at(0, std::as_writable_bytes(std::span(text))));
    return text;
  }

  void check_files(const std::vector<std::string>& names, const internal::Committed& committed) {
    std::set<std::string, std::less<>> needed(committed.garbage.begin(), committed.garbage.end());
    for (const auto& [name, state] : committed.catalog) {
      needed.insert(internal::rows_file(state->stem, state->generation));
    }
    for (const auto& [stem, sidecar] : committed.sidecars) {
      for (std::string& name : sidecar.files.names()) needed.insert(std::move(name));
    }
    for (const std::string& name : names) {
      switch (internal::file_kind(name)) {
        case FileKind::kRows:
        case FileKind::kDeleted:
        case FileKind::kSums:
        case FileKind::kTemporary:
          if (!needed.contains(name)) {
            note(name,
                 "nothing refers to this file: an open snapshot needs it, or a killed writer left "
                 "it; a later writer removes it");
          }
          break;
        case FileKind::kForeign:
          note(name, "this file is not npk's; it is left alone");
          break;
        default:
          break;
      }
    }
  }

  const internal::Directory& directory_;
  VerifyReport& report_;
  uint64_t applied_ = 0;  // Records below it are applied to the rows.
};

}  // namespace

Result<VerifyReport> verify_store(const std::string& path, const VerifyOptions& options) {
  return verify_store(io::Env::posix(), path, options);
}

Result<VerifyReport> verify_store(io::Env& env, const std::string& path,
                                  const VerifyOptions& options) {
  const internal::Directory directory{&env, path, true};
  NPK_ASSIGN_OR_RETURN(const auto info, directory.env->info(path));
  if (info.kind == io::PathKind::kMissing) {
    return Status::not_found("there is no store here; check the path").with_path(path);
  }
  if (info.kind != io::PathKind::kDirectory) {
    return Status::failed_precondition("a store is a directory, but this is a file")
        .with_path(path);
  }
  NPK_ASSIGN_OR_RETURN(const auto names, directory.env->list(path));
  const bool is_store = std::ranges::any_of(names, [](const std::string& name) {
    const FileKind kind = internal::file_kind(name);
    return kind == FileKind::kStore || kind == FileKind::kSidecar || kind == FileKind::kRows;
  });
  if (!is_store) {
    return Status::failed_precondition("the directory is no npk store: it has no file STORE")
        .with_path(path);
  }
  VerifyReport report;
  NPK_RETURN_IF_ERROR(Verifier(directory, report).run(options));
  return report;
}

}  // namespace npk
