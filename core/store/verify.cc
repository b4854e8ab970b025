// verify_store: reads every structure of a store and says what is wrong, without changing anything.
//
// It holds the writer lock, shared, so that no checkpoint moves files meanwhile; if a writer holds
// it for long, it reads what is published. Rows have no checksums of their own; what is checked of
// them is that their files are there and long enough, and those that the log still vouches for.
#include <algorithm>
#include <set>

#include "core/store/change_history.h"
#include "core/store/load.h"
#include "core/store/names.h"
#include "core/store/sidecar.h"
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

  Status run(const std::function<bool(uint64_t, uint64_t)>& progress) {
    NPK_ASSIGN_OR_RETURN(const auto names, directory_.env->list(directory_.path));
    std::unique_ptr<io::File> lock_file;
    std::unique_ptr<internal::SharedPage> page;
    std::optional<internal::WriterLock> lock;
    bool is_shared = false;
    if (std::ranges::find(names, internal::kLockFile) != names.end()) {
      NPK_ASSIGN_OR_RETURN(lock_file, directory_.env->open(directory_.file(internal::kLockFile),
                                                           io::OpenMode::kRead));
      NPK_ASSIGN_OR_RETURN(page, internal::SharedPage::map(*lock_file, false));
      auto acquired =
          internal::WriterLock::acquire(*directory_.env, *lock_file, {true, kLockTimeoutMs});
      if (acquired.is_ok()) {
        lock.emplace(*std::move(acquired));
      } else if (acquired.status().code() == StatusCode::kBusy) {
        is_shared = true;
      } else {
        return acquired.status();
      }
    }
    // The whole first: what open() would say. Then each file by itself, so that all damage is
    // named.
    auto loaded = load(is_shared, page.get());
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
    if (progress && !progress(report_.checked_bytes, report_.checked_bytes)) {
      return Status::failed_precondition("cancelled");
    }
    return {};
  }

 private:
  Result<internal::Loaded> load(bool is_shared, const internal::SharedPage* page) {
    const internal::SharedPage* valid = nullptr;
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
    return internal::load(directory_, {valid, is_shared, nullptr, true});
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
      report_.checked_bytes += info->size_bytes;
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
      if (!is_load_broken || decoded->deleted_file.empty()) continue;
      const auto deleted = internal::read_deleted_file(directory_, decoded->deleted_file,
                                                       decoded->state.rows, decoded->deleted_rows);
      if (!deleted.is_ok()) add(deleted.status(), decoded->state.name);
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
    for (const auto& [stem, sidecar] : committed.sidecars) needed.insert(sidecar.deleted_file);
    for (const std::string& name : names) {
      switch (internal::file_kind(name)) {
        case FileKind::kRows:
        case FileKind::kDeleted:
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

Result<VerifyReport> verify_store(const std::string& path,
                                  const std::function<bool(uint64_t, uint64_t)>& progress) {
  const internal::Directory directory{&io::Env::posix(), path, true};
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
  NPK_RETURN_IF_ERROR(Verifier(directory, report).run(progress));
  return report;
}

}  // namespace npk
