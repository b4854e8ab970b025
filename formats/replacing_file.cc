#include "formats/replacing_file.h"

#include "formats/temporary.h"
#include "io/paths.h"
#include "npk/internal/text.h"

namespace npk::formats {
namespace {

using internal::concat;

Status check_target(const std::string& target, bool overwrite) {
  NPK_ASSIGN_OR_RETURN(const io::PathInfo info, io::Env::posix().info(target));
  if (info.kind == io::PathKind::kMissing) return Status::ok();
  if (info.kind != io::PathKind::kFile) {
    return Status::failed_precondition(
               info.kind == io::PathKind::kDirectory
                   ? "cannot write it: there is a directory of that name"
                   : "cannot write it: it is a pipe, socket or device, not a file")
        .with_path(target);
  }
  if (overwrite) return Status::ok();
  return Status::already_exists(
             "there is such a file already; ask for overwriting or choose "
             "another name")
      .with_path(target);
}

}  // namespace

Result<ReplacingFile> ReplacingFile::create(const std::string& target, bool overwrite) {
  NPK_RETURN_IF_ERROR(check_target(target, overwrite));
  clear_temporaries(target);
  while (true) {
    Result<std::unique_ptr<io::File>> file =
        io::Env::posix().open(temporary_name(target), io::OpenMode::kCreateNew);
    if (!file) {
      return std::move(file).status().with_context(concat("cannot write next to ", target));
    }
    ReplacingFile made(target, overwrite, std::move(*file));
    NPK_ASSIGN_OR_RETURN(const bool is_held, hold_temporary(made.file()));
    if (is_held) return made;
  }
}

ReplacingFile::~ReplacingFile() {
  // There is nobody to tell, and the name says what it is.
  if (file_ != nullptr) io::Env::posix().remove(file_->path()).ignore();
}

Status ReplacingFile::commit(Status written) {
  io::Env& env = io::Env::posix();
  if (written.is_ok()) written = file_->sync();
  if (!written.is_ok()) return as_of(std::move(written), file_->path(), target_);
  NPK_RETURN_IF_ERROR(check_target(target_, overwrite_));
  NPK_RETURN_IF_ERROR(env.rename(file_->path(), target_));
  file_.reset();
  return env.sync_directory(io::parent_directory(target_));
}

}  // namespace npk::formats
