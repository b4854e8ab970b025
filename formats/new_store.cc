#include "formats/new_store.h"

#include "core/store/names.h"
#include "core/store/store_core.h"
#include "formats/temporary.h"
#include "io/paths.h"

namespace npk::formats {
namespace {

/// A directory of files that is removed again, with all of them, unless it was renamed.
class TemporaryDirectory {
 public:
  /// Beside `target`. Errors: those of making a store there.
  static Result<TemporaryDirectory> make(const std::string& target, const StoreOptions& options) {
    io::Env& env = io::Env::posix();
    while (true) {
      const std::string path = temporary_name(target);
      const Status made = internal::make_store_directory(env, path, options);
      if (!made.is_ok()) return as_of(made, path, target);
      auto lock =
          env.open(path + "/" + std::string(internal::kLockFile), io::OpenMode::kCreateOrOpen);
      if (lock.status().code() == StatusCode::kNotFound) continue;
      TemporaryDirectory directory(path);
      if (!lock.is_ok()) return as_of(std::move(lock).status(), path, target);
      NPK_ASSIGN_OR_RETURN(const bool is_held, hold_temporary(**lock));
      directory.lock_ = *std::move(lock);
      if (is_held) return directory;
    }
  }

  TemporaryDirectory(TemporaryDirectory&& other) noexcept
      : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  ~TemporaryDirectory() {
    if (!path_.empty()) remove_temporary(path_);
  }

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// Errors: AlreadyExists if there is anything at `target` but an empty directory. After an error
  /// it is not at `target`.
  Status rename_to(const std::string& target) {
    io::Env& env = io::Env::posix();
    Status renamed = env.rename(path_, target);
    if (!renamed.is_ok()) {
      NPK_ASSIGN_OR_RETURN(const io::PathInfo info, env.info(target));
      if (info.kind == io::PathKind::kMissing) return renamed;
      return Status::already_exists("another process has made it meanwhile").with_path(target);
    }
    const Status synced = env.sync_directory(io::parent_directory(target));
    if (synced.is_ok()) {
      path_.clear();
    } else if (!env.rename(target, path_).is_ok()) {
      path_ = target;
    }
    return synced;
  }

 private:
  explicit TemporaryDirectory(std::string path) : path_(std::move(path)) {}

  std::string path_;                // Empty once renamed.
  std::unique_ptr<io::File> lock_;  // Tells others that somebody is at work here.
};

}  // namespace

Status make_store(const std::string& path, const StoreOptions& options,
                  const std::function<Status(ParallelIO&)>& fill) {
  const std::string target = path.substr(0, path.find_last_not_of('/') + 1);
  clear_temporaries(target);
  NPK_ASSIGN_OR_RETURN(TemporaryDirectory directory, TemporaryDirectory::make(target, options));
  const std::string temporary = directory.path();
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
