#include "formats/temporary.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "core/store/names.h"
#include "core/store/snapshot_pins.h"
#include "io/paths.h"

namespace npk::formats {
namespace {

constexpr std::string_view kPrefix = ".npk-";
constexpr std::string_view kSuffix = ".tmp";
constexpr std::string_view kDigits = "0123456789abcdef";
constexpr size_t kRandomBytes = 8;
// Behind all that a store locks in its LOCK.
constexpr uint64_t kMakerByte = internal::SnapshotPins::kEndByte;

bool is_temporary_name(std::string_view name) {
  return name.size() == kPrefix.size() + 2 * kRandomBytes + kSuffix.size() &&
         name.starts_with(kPrefix) && name.ends_with(kSuffix) &&
         name.substr(kPrefix.size(), 2 * kRandomBytes).find_first_not_of(kDigits) ==
             std::string_view::npos;
}

/// The file in which the maker of a temporary holds its lock.
Result<std::unique_ptr<io::File>> open_held_file(const std::string& path) {
  io::Env& env = io::Env::posix();
  NPK_ASSIGN_OR_RETURN(const io::PathInfo info, env.info(path));
  if (info.kind != io::PathKind::kDirectory) return env.open(path, io::OpenMode::kReadWrite);
  // Its maker may not have got as far as that: then it is told that this one is taken.
  return env.open(path + "/" + std::string(internal::kLockFile), io::OpenMode::kCreateOrOpen);
}

}  // namespace

std::string temporary_name(const std::string& target) {
  std::array<std::byte, kRandomBytes> random;
  io::Env::posix().random_bytes(random);
  std::string name = target.substr(0, target.rfind('/') + 1) + std::string(kPrefix);
  for (const std::byte byte : random) {
    name += kDigits[static_cast<size_t>(byte >> 4)];
    name += kDigits[static_cast<size_t>(byte & std::byte{15})];
  }
  return name + std::string(kSuffix);
}

Result<bool> hold_temporary(io::File& file) {
  const auto locked = file.try_lock(kMakerByte, false);
  if (!locked.is_ok()) return true;
  if (!*locked) return false;
  NPK_ASSIGN_OR_RETURN(const io::PathInfo info, io::Env::posix().info(file.path()));
  return info.kind != io::PathKind::kMissing;
}

void clear_temporaries(const std::string& target) {
  const std::string directory = io::parent_directory(target);
  const auto names = io::Env::posix().list(directory);
  for (const std::string& name : names.is_ok() ? *names : std::vector<std::string>()) {
    if (!is_temporary_name(name)) continue;
    const std::string path = directory + "/" + name;
    const auto file = open_held_file(path);
    if (!file.is_ok()) continue;
    const auto locked = (*file)->try_lock(kMakerByte, false);
    if (locked.is_ok() && *locked) remove_temporary(path);
  }
}

void remove_temporary(const std::string& path) {
  io::Env& env = io::Env::posix();
  const auto files = env.list(path);  // Fails for a file.
  for (const std::string& file : files.is_ok() ? *files : std::vector<std::string>()) {
    env.remove(path + "/" + file).ignore();
  }
  env.remove(path).ignore();
}

Status as_of(Status status, const std::string& from, const std::string& to) {
  if (status.is_ok() || !status.path().starts_with(from)) return status;
  Status result(status.code(), status.message());
  result = std::move(result).with_path(to + status.path().substr(from.size()));
  if (status.offset_bytes()) result = std::move(result).with_offset(*status.offset_bytes());
  if (status.error_number() != 0) result = std::move(result).with_errno(status.error_number());
  return result;
}

}  // namespace npk::formats
