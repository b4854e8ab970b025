#include "formats/new_store.h"

#include "formats/replacing_file.h"
#include "io/env.h"

namespace npk::formats {
namespace {

/// A directory of files that is removed again, with all of them, unless it was renamed.
class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(std::string path) : path_(std::move(path)) {}
  ~TemporaryDirectory() {
    if (path_.empty()) return;
    // There is nobody to tell, and the name says what it is.
    io::Env& env = io::Env::posix();
    const auto files = env.list(path_);
    for (const std::string& file : files.is_ok() ? *files : std::vector<std::string>()) {
      env.remove(path_ + "/" + file).ignore();
    }
    env.remove(path_).ignore();
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  /// Errors: AlreadyExists if there is anything at `target` but an empty directory.
  Status rename_to(const std::string& target) {
    io::Env& env = io::Env::posix();
    Status renamed = env.rename(path_, target);
    if (!renamed.is_ok()) {
      NPK_ASSIGN_OR_RETURN(const io::PathInfo info, env.info(target));
      if (info.kind == io::PathKind::kMissing) return renamed;
      return Status::already_exists("another process has made it meanwhile").with_path(target);
    }
    path_.clear();
    const std::string directory = directory_of(target);
    return env.sync_directory(directory.empty() ? "." : directory);
  }

 private:
  std::string path_;  // Empty once renamed.
};

}  // namespace

Status make_store(const std::string& path, const StoreOptions& options,
                  const std::function<Status(ParallelIO&)>& fill) {
  const std::string target = path.substr(0, path.find_last_not_of('/') + 1);
  const std::string temporary = temporary_name(target);
  TemporaryDirectory directory(temporary);
  const auto make = [&]() -> Status {
    NPK_ASSIGN_OR_RETURN(ParallelIO store, ParallelIO::open(temporary, options));
    NPK_RETURN_IF_ERROR(fill(store));
    return store.close();
  };
  Status made = make();
  if (made.is_ok()) made = directory.rename_to(target);
  return as_of(std::move(made), temporary, target);
}

}  // namespace npk::formats
