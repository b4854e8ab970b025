// The bare system calls and copies that the store is compared with.
#ifndef NPK_BENCHES_STORE_FLOORS_H_
#define NPK_BENCHES_STORE_FLOORS_H_

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "npk/status.h"

namespace npk::bench {

/// A file of this program's own, written with zeros so that its blocks are allocated.
class PlainFile {
 public:
  PlainFile(const std::string& path, uint64_t size_bytes) : path_(path), size_bytes_(size_bytes) {
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    const std::vector<std::byte> zeros(1u << 20);
    for (uint64_t at = 0; fd_ >= 0 && at < size_bytes;) {
      const ssize_t done =
          ::pwrite(fd_, zeros.data(), std::min<uint64_t>(zeros.size(), size_bytes - at),
                   static_cast<off_t>(at));
      if (done <= 0) break;
      at += static_cast<uint64_t>(done);
    }
    if (fd_ >= 0) ::fsync(fd_);
  }
  ~PlainFile() {
    if (data_ != nullptr) ::munmap(data_, size_bytes_);
    if (fd_ >= 0) ::close(fd_);
    ::unlink(path_.c_str());
  }
  PlainFile(const PlainFile&) = delete;
  PlainFile& operator=(const PlainFile&) = delete;

  Status write(uint64_t offset_bytes, const void* data, size_t size) {
    const ssize_t done = ::pwrite(fd_, data, size, static_cast<off_t>(offset_bytes));
    return done == static_cast<ssize_t>(size) ? Status() : error("pwrite");
  }

  /// Overwrites 4 KiB and syncs them: the least that makes anything survive a power cut.
  Status write_and_sync(const void* data) {
    NPK_RETURN_IF_ERROR(write(next_block_, data, 4'096));
    next_block_ = (next_block_ + 4'096) % size_bytes_;
    return ::fdatasync(fd_) == 0 ? Status() : error("fdatasync");
  }

  /// The whole file, mapped writable and shared, once.
  std::byte* data() {
    if (data_ == nullptr) {
      void* mapped =
          ::mmap(nullptr, size_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, 0);
      if (mapped != MAP_FAILED) data_ = static_cast<std::byte*>(mapped);
    }
    return data_;
  }

  Status error(const char* call) const {
    return Status::io_error(std::string(call) + " failed").with_path(path_).with_errno(errno);
  }

 private:
  std::string path_;
  uint64_t size_bytes_;
  int fd_ = -1;
  uint64_t next_block_ = 0;
  std::byte* data_ = nullptr;
};

/// open, fstat, mmap, munmap, close.
inline Status open_and_map(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info = {};
  if (fd < 0 || ::fstat(fd, &info) != 0) return Status::io_error("open failed").with_path(path);
  const auto size = static_cast<size_t>(info.st_size);
  void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) return Status::io_error("mmap failed").with_path(path);
  ::munmap(mapped, size);
  ::close(fd);
  return {};
}

}  // namespace npk::bench

#endif  // NPK_BENCHES_STORE_FLOORS_H_
