#include "io/sim_env.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <thread>

#include "io/errno_status.h"
#include "io/file_rules.h"
#include "io/sim_file.h"
#include "io/sim_process.h"
#include "io/sim_random.h"
#include "npk/internal/text.h"

namespace npk::io {
namespace {

using internal::concat;

constexpr int64_t kClockStart_us = int64_t{1'700'000'000} * 1'000'000;

/// No two disks of a program are one device, so that their directories are never taken for one.
uint64_t next_device() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

constexpr std::string_view kFates[] = {"lost", "kept", "torn"};

}  // namespace

// ---- the disk ----------------------------------------------------------------------------------

SimDisk::SimDisk(SimTree tree, uint64_t seed, uint64_t boot_count, int64_t clock_us)
    : tree_(std::move(tree)),
      seed_(seed),
      boot_count_(boot_count),
      clock_us_(clock_us),
      random_(seed),
      device_(next_device()) {}

std::shared_ptr<SimDisk> SimDisk::make(uint64_t seed) {
  return std::shared_ptr<SimDisk>(new SimDisk(SimTree(), seed, 1, kClockStart_us));
}

std::shared_ptr<SimDisk> SimDisk::after_kill() const {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<SimDisk> next(new SimDisk(tree_.copy(), seed_, boot_count_, clock_us_));
  next->random_ = random_;
  next->filesystem_name_ = filesystem_name_;
  return next;
}

std::shared_ptr<SimDisk> SimDisk::after_power_cut(const PowerCut& cut) const {
  const std::lock_guard lock(mutex_);
  const std::vector<SimChange> changes = tree_.changes();
  std::shared_ptr<SimDisk> next(
      new SimDisk(tree_.after_power_cut(changes, choose_fates(cut, changes)), seed_,
                  boot_count_ + 1, clock_us_));
  next->random_ = random_;
  next->filesystem_name_ = filesystem_name_;
  return next;
}

std::shared_ptr<SimDisk> SimDisk::after_power_cut(CrashPolicy policy,
                                                  std::mt19937_64& random) const {
  PowerCut cut{policy, 0, random()};
  {
    const std::lock_guard lock(mutex_);
    const uint64_t variants = variant_count(policy, tree_.changes());
    if (variants > 1) cut.variant = random() % variants;
  }
  return after_power_cut(cut);
}

std::vector<PowerCut> SimDisk::power_cuts(uint64_t random_subsets, std::mt19937_64& random) const {
  const std::lock_guard lock(mutex_);
  return all_power_cuts(tree_.changes(), random_subsets, random);
}

std::vector<std::string> SimDisk::describe_unsynced() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> lines;
  for (const SimChange& change : tree_.changes()) lines.push_back(change.describe());
  return lines;
}

std::vector<std::string> SimDisk::describe(const PowerCut& cut) const {
  const std::lock_guard lock(mutex_);
  const std::vector<SimChange> changes = tree_.changes();
  const std::vector<Fate> fates = choose_fates(cut, changes);
  std::vector<std::string> lines;
  for (size_t i = 0; i < changes.size(); ++i) {
    lines.push_back(concat(kFates[static_cast<size_t>(fates[i].part)],
                           changes[i].grows() && fates[i].size ? " with its size" : "", ": ",
                           changes[i].describe()));
  }
  return lines;
}

uint64_t SimDisk::content_hash() const {
  const std::lock_guard lock(mutex_);
  return sim_mix(tree_.content_hash() ^ boot_count_);
}

void SimDisk::write_back() {
  const std::lock_guard lock(mutex_);
  tree_.sync_all();
}

void SimDisk::set_filesystem_name(std::string name) {
  const std::lock_guard lock(mutex_);
  filesystem_name_ = std::move(name);
}

// ---- the process -------------------------------------------------------------------------------

SimEnv::SimEnv(std::shared_ptr<SimDisk> disk)
    : disk_(std::move(disk)), process_(std::make_shared<SimProcess>(disk_)) {}

SimEnv::~SimEnv() = default;

void SimEnv::kill() {
  const std::lock_guard lock(disk_->mutex_);
  process_->die();
}

bool SimEnv::is_dead() const {
  const std::lock_guard lock(disk_->mutex_);
  return process_->is_dead;
}

void SimEnv::arm(const SimFault& fault) {
  const std::lock_guard lock(disk_->mutex_);
  process_->faults.push_back({fault, 0});
}

void SimEnv::disarm() {
  const std::lock_guard lock(disk_->mutex_);
  process_->faults.clear();
}

void SimEnv::set_hook(std::function<void(SimCalls call, const std::string& path)> hook) {
  const std::lock_guard lock(disk_->mutex_);
  process_->hook = hook ? std::make_shared<const SimProcess::Hook>(std::move(hook)) : nullptr;
}

uint64_t SimEnv::call_count(SimCalls calls) const {
  const std::lock_guard lock(disk_->mutex_);
  uint64_t count = 0;
  for (size_t i = 0; i < kSimCallKinds; ++i) {
    if (intersect(calls, static_cast<SimCalls>(1U << i))) count += process_->call_counts[i];
  }
  return count;
}

uint64_t SimEnv::open_file_count() const {
  const std::lock_guard lock(disk_->mutex_);
  return process_->open_files.size();
}

uint64_t SimEnv::mapping_count() const {
  const std::lock_guard lock(disk_->mutex_);
  return process_->mapping_count;
}

uint64_t SimEnv::held_lock_count() const {
  const std::lock_guard lock(disk_->mutex_);
  uint64_t count = 0;
  for (const auto& open : process_->open_files) count += open.node->content.lock_count(open.file);
  return count;
}

Result<std::unique_ptr<File>> SimEnv::open(const std::string& path, OpenMode mode) {
  NPK_RETURN_IF_ERROR(check_path(path));
  const bool must_exist = mode == OpenMode::kRead || mode == OpenMode::kReadWrite;
  const SimGate gate(*process_, must_exist ? SimCalls::kOpen : SimCalls::kCreate,
                     must_exist ? "open" : "create", path);
  if (gate.is_refused()) return gate.status();
  SimTree& tree = process_->tree();
  SimPlace place = tree.find(path);
  if (place.error != 0) return gate.end(place.error);
  if (place.node != nullptr) {
    if (mode == OpenMode::kCreateNew) return gate.end(EEXIST);
    if (place.node->is_directory) return gate.end(EISDIR);
    SimContent& content = place.node->content;
    const bool has_content = content.cached().size_bytes() > 0;
    if (mode == OpenMode::kTruncate && has_content) content.truncate(tree.next_number());
  } else {
    if (must_exist) return gate.end(ENOENT);
    place.node = tree.create(place, false);
  }
  NPK_RETURN_IF_ERROR(gate.end());
  return std::unique_ptr<File>(
      std::make_unique<SimFile>(path, process_, place.node, mode != OpenMode::kRead));
}

Result<PathInfo> SimEnv::info(const std::string& path) {
  NPK_RETURN_IF_ERROR(check_path(path));
  const SimGate gate(*process_, SimCalls::kInfo, "look at it", path);
  NPK_RETURN_IF_ERROR(gate.end());
  const SimPlace place = process_->tree().find(path);
  if (place.error == ENAMETOOLONG) return gate.end(place.error);
  if (place.node == nullptr) return PathInfo{};
  const SimNode& node = *place.node;
  return PathInfo{node.is_directory ? PathKind::kDirectory : PathKind::kFile,
                  FileId{disk_->device_, node.number},
                  node.is_directory ? 0 : node.content.cached().size_bytes()};
}

Result<std::vector<std::string>> SimEnv::list(const std::string& directory) {
  NPK_RETURN_IF_ERROR(check_path(directory));
  const SimGate gate(*process_, SimCalls::kList, "list the directory", directory);
  NPK_RETURN_IF_ERROR(gate.end());
  const SimPlace place = process_->tree().find(directory);
  if (place.error != 0) return gate.end(place.error);
  if (place.node == nullptr) return gate.end(ENOENT);
  if (!place.node->is_directory) return gate.end(ENOTDIR);
  std::vector<std::string> names;
  for (const SimEntry& entry : place.node->entries->list()) names.push_back(entry.name);
  return names;
}

Status SimEnv::make_directory(const std::string& path) {
  NPK_RETURN_IF_ERROR(check_path(path));
  const SimGate gate(*process_, SimCalls::kMakeDirectory, "make the directory", path);
  if (gate.is_refused()) return gate.status();
  return gate.end(process_->tree().make_directory(process_->tree().find(path)));
}

Status SimEnv::rename(const std::string& from, const std::string& to) {
  NPK_RETURN_IF_ERROR(check_path(from));
  NPK_RETURN_IF_ERROR(check_path(to));
  const std::string action = concat("rename it to ", to);
  const SimGate gate(*process_, SimCalls::kRename, action, from);
  if (gate.is_refused()) return gate.status();
  SimTree& tree = process_->tree();
  return gate.end(tree.rename(tree.find(from), tree.find(to)));
}

Status SimEnv::remove(const std::string& path) {
  NPK_RETURN_IF_ERROR(check_path(path));
  const SimGate gate(*process_, SimCalls::kRemove, "remove it", path);
  if (gate.is_refused()) return gate.status();
  return gate.end(process_->tree().remove(process_->tree().find(path)));
}

Status SimEnv::sync_directory(const std::string& path) {
  NPK_RETURN_IF_ERROR(check_path(path));
  const SimGate gate(*process_, SimCalls::kSyncDirectory, "sync the directory", path);
  if (gate.is_refused()) return gate.status();
  const SimPlace place = process_->tree().find(path);
  if (place.error != 0) return gate.end(place.error);
  if (place.node == nullptr) return gate.end(ENOENT);
  if (!place.node->is_directory) return gate.end(ENOTDIR);
  process_->tree().sync_directory(*place.node);
  return gate.end();
}

Status SimEnv::sync_filesystem(const std::string& directory) {
  NPK_RETURN_IF_ERROR(check_path(directory));
  const SimGate gate(*process_, SimCalls::kSyncFilesystem, "sync the file system of", directory);
  const SimPlace place = process_->tree().find(directory);
  if (place.error != 0) return gate.end(place.error);
  if (place.node == nullptr) return gate.end(ENOENT);
  if (!place.node->is_directory) return gate.end(ENOTDIR);
  if (!gate.is_refused()) {
    process_->tree().sync_all();
  } else if (gate.is_error()) {
    for (SimNode* file : process_->tree().durable_files()) {
      const Fate lost{Fate::Part::kLost, false, 0};
      file->content.fail_sync(std::vector<Fate>(file->content.unsynced().size(), lost));
    }
  }
  return gate.end();
}

Result<std::string> SimEnv::unsafe_filesystem(const std::string& directory) {
  NPK_RETURN_IF_ERROR(check_path(directory));
  const SimGate gate(*process_, SimCalls::kInfo, "ask which file system it is on", directory);
  NPK_RETURN_IF_ERROR(gate.end());
  const SimPlace place = process_->tree().find(directory);
  if (place.error != 0) return gate.end(place.error);
  if (place.node == nullptr) return gate.end(ENOENT);
  return std::string(disk_->filesystem_name_);
}

uint64_t SimEnv::boot_id() {
  const std::lock_guard lock(disk_->mutex_);
  return sim_mix(sim_mix(disk_->seed_) + disk_->boot_count_) | 1;
}

int64_t SimEnv::now_us() {
  const std::lock_guard lock(disk_->mutex_);
  return ++disk_->clock_us_;
}

void SimEnv::sleep_us(uint64_t microseconds) {
  {
    const std::lock_guard lock(disk_->mutex_);
    disk_->clock_us_ += static_cast<int64_t>(microseconds);
  }
  // Whoever is waited for may be a thread of this program.
  std::this_thread::yield();
}

void SimEnv::random_bytes(std::span<std::byte> out) {
  const std::lock_guard lock(disk_->mutex_);
  uint64_t word = 0;
  for (size_t i = 0; i < out.size(); ++i, word >>= 8) {
    if (i % sizeof(word) == 0) word = disk_->random_.draw();
    out[i] = static_cast<std::byte>(word);
  }
}

}  // namespace npk::io
