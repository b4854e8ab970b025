#include "core/store/store_handle.h"

#include <map>
#include <tuple>

#include "npk/internal/text.h"

namespace npk::internal {
namespace {

using Key = std::tuple<io::Env*, io::FileId, bool>;  // The bool: read-only.

struct Registry {
  std::mutex mutex;
  std::map<Key, std::weak_ptr<StoreCore>> cores;
};

Registry& registry() {
  static auto* const instance = new Registry();  // Outlives every static handle.
  return *instance;
}

}  // namespace

Result<std::unique_ptr<StoreHandle>> StoreHandle::open(io::Env& env, const std::string& path,
                                                       const StoreOptions& options) {
  NPK_RETURN_IF_ERROR(validate(options));
  if (path.empty()) return Status::invalid_argument("the path of a store must not be empty");
  if (path.find('\0') != std::string::npos) {
    return Status::invalid_argument("the path of a store has a NUL character; leave it out");
  }
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  std::shared_ptr<StoreCore> core;
  NPK_ASSIGN_OR_RETURN(io::PathInfo info, env.info(path));
  const auto found = all.cores.find(Key(&env, info.id, options.read_only));
  if (info.kind == io::PathKind::kDirectory && found != all.cores.end()) {
    core = found->second.lock();
    const bool is_stale =
        core != nullptr && (core->is_forked() || !core->check_nobody_writes().is_ok());
    if (is_stale) core = nullptr;
  }
  if (core == nullptr) {
    NPK_ASSIGN_OR_RETURN(core, StoreCore::open(env, path, options));
    NPK_ASSIGN_OR_RETURN(info, env.info(path));
    all.cores[Key(&env, info.id, options.read_only)] = core;
  }
  core->handle_count++;
  return std::unique_ptr<StoreHandle>(new StoreHandle(std::move(core), path, options));
}

StoreHandle::~StoreHandle() { close().ignore(); }  // close() shows the error to who wants to know.

Status StoreHandle::close() {
  if (is_closed_.exchange(true)) return {};
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  if (--core_->handle_count > 0) return {};
  std::erase_if(all.cores, [&](const auto& entry) {
    const auto core = entry.second.lock();
    return core == nullptr || core == core_;
  });
  return core_->close();
}

Result<std::shared_ptr<StoreCore>> StoreHandle::shared_core() const {
  if (!is_closed_.load(std::memory_order_acquire)) return core_;
  return Status::failed_precondition("the store is closed; open it again").with_path(path_);
}

Result<StoreCore*> StoreHandle::core() const {
  if (!is_closed_.load(std::memory_order_acquire)) return core_.get();
  return Status::failed_precondition("the store is closed; open it again").with_path(path_);
}

}  // namespace npk::internal
