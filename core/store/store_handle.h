// StoreHandle: what a ParallelIO points to, and the registry that lets all handles of a process on
// one store share one StoreCore. Thread safety: all methods, from any threads at once.
#ifndef NPK_CORE_STORE_STORE_HANDLE_H_
#define NPK_CORE_STORE_STORE_HANDLE_H_

#include <memory>
#include <mutex>
#include <string>

#include "core/store/store_core.h"
#include "npk/store.h"

namespace npk::internal {

class StoreHandle {
 public:
  /// `env` is the real file system but in tests.
  static Result<std::unique_ptr<StoreHandle>> open(io::Env& env, const std::string& path,
                                                   const StoreOptions& options);
  ~StoreHandle();
  StoreHandle(const StoreHandle&) = delete;
  StoreHandle& operator=(const StoreHandle&) = delete;

  Status close();
  /// Errors: FailedPrecondition after close().
  Result<StoreCore*> core() const;
  Result<std::shared_ptr<StoreCore>> shared_core() const;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] const StoreOptions& options() const noexcept { return options_; }

 private:
  StoreHandle(std::shared_ptr<StoreCore> core, std::string path, const StoreOptions& options)
      : core_(std::move(core)), path_(std::move(path)), options_(options) {}

  std::shared_ptr<StoreCore> core_;
  std::atomic<bool> is_closed_{false};
  const std::string path_;
  const StoreOptions options_;
};

}  // namespace npk::internal

namespace npk {

/// ParallelIO::open over a file system of the caller's choice: for tests.
Result<ParallelIO> open_store(io::Env& env, const std::string& path, const StoreOptions& options);
/// And verify_store.
Result<VerifyReport> verify_store(io::Env& env, const std::string& path,
                                  const VerifyOptions& options);

}  // namespace npk

#endif  // NPK_CORE_STORE_STORE_HANDLE_H_
