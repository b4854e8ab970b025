// Env::posix(): the system calls on names, the clock and randomness. Those on open files are in
// posix_file.cc.
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "io/env.h"
#include "io/errno_status.h"
#include "io/file_rules.h"
#include "io/filesystem_kind.h"
#include "io/posix_file.h"
#include "npk/internal/text.h"

namespace npk::io {
namespace {

using internal::concat;

struct OpenModeRow {
  int flags;
  std::string_view action;
};

constexpr OpenModeRow kOpenModes[] = {
    {O_RDONLY, "open for reading"},
    {O_RDWR, "open for reading and writing"},
    {O_RDWR | O_CREAT, "open or create"},
    {O_RDWR | O_CREAT | O_EXCL, "create"},
    {O_RDWR | O_CREAT | O_TRUNC, "create or empty"},
};

Result<Descriptor> open_descriptor(const std::string& path, int flags, std::string_view action) {
  NPK_RETURN_IF_ERROR(check_path(path));
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return errno_status(errno, action, path);
  return Descriptor(fd);
}

Result<Descriptor> open_directory(const std::string& path, std::string_view action) {
  return open_descriptor(path, O_RDONLY | O_DIRECTORY, action);
}

/// FNV-1a: spreads the 36 characters of a UUID over 64 bits.
uint64_t hash(std::string_view text) {
  uint64_t value = 0xcbf29ce484222325;
  for (const char c : text) {
    value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return value;
}

uint64_t random_u64(Env& env) {
  std::array<std::byte, sizeof(uint64_t)> bytes;
  env.random_bytes(bytes);
  uint64_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

class PosixEnv final : public Env {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<PathInfo> info(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Status make_directory(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  Status sync_filesystem(const std::string& directory) override;
  Result<std::string> unsafe_filesystem(const std::string& directory) override;
  uint64_t boot_id() override;
  int64_t now_us() override;
  void sleep_us(uint64_t microseconds) override;
  void random_bytes(std::span<std::byte> out) override;
};

Result<std::unique_ptr<File>> PosixEnv::open(const std::string& path, OpenMode mode) {
  const OpenModeRow& row = kOpenModes[static_cast<size_t>(mode)];
  // NONBLOCK: without it, a pipe in the place of a file would make this wait for ever.
  NPK_ASSIGN_OR_RETURN(Descriptor descriptor,
                       open_descriptor(path, row.flags | O_NONBLOCK | O_NOCTTY, row.action));
  struct stat facts {};
  if (::fstat(descriptor.get(), &facts) != 0) return errno_status(errno, row.action, path);
  if (S_ISDIR(facts.st_mode)) return errno_status(EISDIR, row.action, path);
  if (!S_ISREG(facts.st_mode)) {
    return Status::failed_precondition(
               concat("cannot ", row.action, ": it is a pipe, socket or device, not a file"))
        .with_path(path);
  }
  const bool writable = mode != OpenMode::kRead;
  return std::unique_ptr<File>(std::make_unique<PosixFile>(path, std::move(descriptor), writable));
}

Result<PathInfo> PosixEnv::info(const std::string& path) {
  NPK_RETURN_IF_ERROR(check_path(path));
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) {
    // Below something that is not a directory there is nothing either.
    if (errno == ENOENT || errno == ENOTDIR) return PathInfo{};
    return errno_status(errno, "look at it (stat)", path);
  }
  PathInfo info;
  info.kind = S_ISREG(facts.st_mode)   ? PathKind::kFile
              : S_ISDIR(facts.st_mode) ? PathKind::kDirectory
                                       : PathKind::kOther;
  info.id = {facts.st_dev, facts.st_ino};
  info.size_bytes = static_cast<uint64_t>(facts.st_size);
  return info;
}

Result<std::vector<std::string>> PosixEnv::list(const std::string& directory) {
  NPK_RETURN_IF_ERROR(check_path(directory));
  struct Close {
    void operator()(DIR* stream) const { ::closedir(stream); }
  };
  std::unique_ptr<DIR, Close> stream;
  do {
    stream.reset(::opendir(directory.c_str()));
  } while (stream == nullptr && errno == EINTR);
  if (stream == nullptr) return errno_status(errno, "list the directory", directory);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return errno_status(errno, "list the directory", directory);
  return names;
}

Status PosixEnv::make_directory(const std::string& path) {
  NPK_RETURN_IF_ERROR(check_path(path));
  if (::mkdir(path.c_str(), 0777) == 0) return Status::ok();
  return errno_status(errno, "make the directory", path);
}

Status PosixEnv::rename(const std::string& from, const std::string& to) {
  NPK_RETURN_IF_ERROR(check_path(from));
  NPK_RETURN_IF_ERROR(check_path(to));
  if (::rename(from.c_str(), to.c_str()) == 0) return Status::ok();
  return errno_status(errno, concat("rename it to ", to), from);
}

Status PosixEnv::remove(const std::string& path) {
  NPK_RETURN_IF_ERROR(check_path(path));
  if (::remove(path.c_str()) == 0) return Status::ok();
  return errno_status(errno, "remove it", path);
}

Status PosixEnv::sync_directory(const std::string& path) {
  NPK_ASSIGN_OR_RETURN(const Descriptor directory, open_directory(path, "sync the directory"));
  int result = 0;
  do {
    result = ::fsync(directory.get());
  } while (result != 0 && errno == EINTR);
  if (result == 0) return Status::ok();
  return errno_status(errno, "sync the directory", path);
}

Status PosixEnv::sync_filesystem(const std::string& directory) {
  NPK_ASSIGN_OR_RETURN(const Descriptor opened,
                       open_directory(directory, "sync the file system of"));
  if (::syncfs(opened.get()) == 0) return Status::ok();
  return errno_status(errno, "sync the file system of", directory);
}

Result<std::string> PosixEnv::unsafe_filesystem(const std::string& directory) {
  NPK_RETURN_IF_ERROR(check_path(directory));
  return unsafe_filesystem_of(directory);
}

uint64_t PosixEnv::boot_id() {
  static const uint64_t id = [this] {
    std::array<std::byte, 64> text;
    uint64_t length = 0;
    if (const auto opened = open("/proc/sys/kernel/random/boot_id", OpenMode::kRead)) {
      length = (*opened)->read_some_at(0, text).value_or(0);
    }
    // Nothing known of this boot: a number that no other boot has is the careful answer.
    if (length == 0) return random_u64(*this);
    return hash({reinterpret_cast<const char*>(text.data()), length});
  }();
  return id;
}

int64_t PosixEnv::now_us() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since_epoch).count();
}

void PosixEnv::sleep_us(uint64_t microseconds) {
  std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
}

void PosixEnv::random_bytes(std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t count = ::getrandom(out.data(), out.size(), 0);
    // It cannot fail but by a signal: the kernels without it are older than those we run on.
    if (count > 0) out = out.subspan(static_cast<size_t>(count));
  }
}

}  // namespace

Env& Env::posix() {
  // Never destroyed: files that outlive main may still use it.
  static PosixEnv& env = *new PosixEnv;
  return env;
}

}  // namespace npk::io
