#include "formats/replacing_file.h"

#include <array>

#include "npk/internal/text.h"

namespace npk::formats {
namespace {

using internal::concat;

constexpr size_t kRandomBytes = 8;

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

std::string directory_of(const std::string& path) { return path.substr(0, path.rfind('/') + 1); }

std::string temporary_name(const std::string& target) {
  std::array<std::byte, kRandomBytes> random;
  io::Env::posix().random_bytes(random);
  std::string name = directory_of(target) + ".npk-";
  for (const std::byte byte : random) {
    name += "0123456789abcdef"[static_cast<size_t>(byte >> 4)];
    name += "0123456789abcdef"[static_cast<size_t>(byte & std::byte{15})];
  }
  return name + ".tmp";
}

Status as_of(Status status, const std::string& from, const std::string& to) {
  if (status.is_ok() || !status.path().starts_with(from)) return status;
  Status result(status.code(), status.message());
  result = std::move(result).with_path(to + status.path().substr(from.size()));
  if (status.offset_bytes()) result = std::move(result).with_offset(*status.offset_bytes());
  if (status.error_number() != 0) result = std::move(result).with_errno(status.error_number());
  return result;
}

Result<ReplacingFile> ReplacingFile::create(const std::string& target, bool overwrite) {
  NPK_RETURN_IF_ERROR(check_target(target, overwrite));
  Result<std::unique_ptr<io::File>> file =
      io::Env::posix().open(temporary_name(target), io::OpenMode::kCreateNew);
  if (!file) {
    return std::move(file).status().with_context(concat("cannot write next to ", target));
  }
  return ReplacingFile(target, overwrite, std::move(*file));
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
  const std::string directory = directory_of(target_);
  return env.sync_directory(directory.empty() ? "." : directory);
}

}  // namespace npk::formats
