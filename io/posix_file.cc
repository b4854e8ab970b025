#include "io/posix_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <optional>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/errno_status.h"
#include "io/file_rules.h"
#include "io/filesystem_kind.h"
#include "io/uring_reader.h"
#include "npk/internal/text.h"

namespace npk::io {
namespace {

using internal::concat;

// Pieces per pwritev. Linux takes IOV_MAX = 1024; beyond 64 the call itself costs nothing.
constexpr size_t kMaxPieces = 64;
// A copy inside the kernel cannot be interrupted: this bounds how long one call lasts.
constexpr uint64_t kKernelCopyBytes = uint64_t{256} << 20;
constexpr uint64_t kCopyBufferBytes = uint64_t{4} << 20;
// Pages come and go in long runs: where each look is a call, one page of so many bytes is looked
// at.
constexpr uint64_t kSampledBytes = uint64_t{256} << 10;

/// Repeats a call that returns -1 while it says that a signal came in between.
template <typename Call>
auto retry_interrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class PosixMapping final : public Mapping {
 public:
  PosixMapping(std::byte* data, uint64_t size_bytes, MapMode mode)
      : Mapping(data, size_bytes, mode != MapMode::kPrivate) {}
  ~PosixMapping() override {
    if (size_bytes_ != 0) ::munmap(data_, size_bytes_);
  }
  PosixMapping(const PosixMapping&) = delete;
  PosixMapping& operator=(const PosixMapping&) = delete;

  void store(uint64_t offset_bytes, Bytes bytes) override {
    store_bytes(data_ + offset_bytes, bytes);
  }
  void advise(Advice advice) override {
    if (size_bytes_ == 0) return;
    constexpr int kAdvice[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED};
    ::madvise(data_, size_bytes_, kAdvice[static_cast<size_t>(advice)]);
  }
};

uint64_t page_bytes() {
  static const auto bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

/// How many pages of a range of a file are in memory: cachestat(2), of Linux 6.5 and later, which
/// Debian 12's headers do not know. Its number is the same on all architectures. Nothing where the
/// kernel does not say.
std::optional<uint64_t> cached_pages(int fd, uint64_t offset_bytes, uint64_t length_bytes) {
  constexpr long kCachestat = 451;
  struct Range {
    uint64_t offset_bytes;
    uint64_t length_bytes;
  } range = {offset_bytes, length_bytes};
  struct Pages {
    uint64_t cached;
    uint64_t dirty;
    uint64_t in_writeback;
    uint64_t evicted;
    uint64_t recently_evicted;
  } pages{};
  if (::syscall(kCachestat, fd, &range, &pages, 0) != 0) return std::nullopt;
  return pages.cached;
}

/// What mincore(2) says of a page. Of files that this user may not write, it says yes.
bool is_page_resident(const std::byte* address) {
  auto* const page = reinterpret_cast<std::byte*>(reinterpret_cast<uintptr_t>(address) /
                                                  page_bytes() * page_bytes());
  unsigned char is_resident = 1;
  return ::mincore(page, 1, &is_resident) != 0 || (is_resident & 1) != 0;
}

}  // namespace

Descriptor::~Descriptor() {
  // What close could report was reported by sync, or nobody asked for it to be on disk.
  if (fd_ >= 0) ::close(fd_);
}

Status PosixFile::check_writable(std::string_view action) const {
  return writable_ ? Status::ok() : read_only_status(action, path_);
}

Status PosixFile::read_at(uint64_t offset_bytes, std::span<std::byte> out) const {
  NPK_ASSIGN_OR_RETURN(const uint64_t done, read_some_at(offset_bytes, out));
  if (done == out.size()) [[likely]]
    return Status::ok();
  NPK_ASSIGN_OR_RETURN(const uint64_t size, size_bytes());
  // What was read counts if the file shrank or grew since.
  const uint64_t end = done > 0 ? offset_bytes + done : std::min(size, offset_bytes);
  return past_end_status(offset_bytes, out.size(), end, path_);
}

Result<uint64_t> PosixFile::read_some_at(uint64_t offset_bytes, std::span<std::byte> out) const {
  if (offset_bytes > kMaxFileBytes) return uint64_t{0};
  const uint64_t wanted = std::min<uint64_t>(out.size(), kMaxFileBytes - offset_bytes);
  uint64_t done = 0;
  while (done < wanted) {
    const ssize_t count = retry_interrupted([&] {
      return ::pread(descriptor_.get(), out.data() + done, wanted - done,
                     static_cast<off_t>(offset_bytes + done));
    });
    if (count < 0) {
      return errno_status(errno, concat("read ", wanted - done, " bytes (pread)"), path_)
          .with_offset(offset_bytes + done);
    }
    if (count == 0) break;
    done += static_cast<uint64_t>(count);
  }
  return done;
}

Status PosixFile::write_at(uint64_t offset_bytes, std::span<const Bytes> pieces) {
  NPK_RETURN_IF_ERROR(check_writable("write"));
  std::array<iovec, kMaxPieces> vector;
  size_t filled = 0;
  uint64_t vector_bytes = 0;
  for (size_t i = 0; i <= pieces.size(); ++i) {
    if (filled == vector.size() || (i == pieces.size() && filled > 0)) {
      NPK_RETURN_IF_ERROR(write_vector(offset_bytes, {vector.data(), filled}));
      offset_bytes += vector_bytes;
      filled = 0;
      vector_bytes = 0;
    }
    if (i == pieces.size() || pieces[i].empty()) continue;
    NPK_RETURN_IF_ERROR(
        check_range(offset_bytes, vector_bytes + pieces[i].size(), "write that far", path_));
    // iovec serves reads too, hence its mutable pointer.
    vector[filled++] = {const_cast<std::byte*>(pieces[i].data()), pieces[i].size()};
    vector_bytes += pieces[i].size();
  }
  return Status::ok();
}

Status PosixFile::write_vector(uint64_t offset_bytes, std::span<iovec> pieces) {
  while (!pieces.empty()) {
    const ssize_t count = retry_interrupted([&] {
      return ::pwritev(descriptor_.get(), pieces.data(), static_cast<int>(pieces.size()),
                       static_cast<off_t>(offset_bytes));
    });
    if (count <= 0) {
      uint64_t wanted = 0;
      for (const iovec& piece : pieces) wanted += piece.iov_len;
      // No progress and no errno: only a broken file system does that; do not spin.
      return errno_status(count < 0 ? errno : EIO, concat("write ", wanted, " bytes (pwritev)"),
                          path_)
          .with_offset(offset_bytes);
    }
    auto left = static_cast<size_t>(count);
    offset_bytes += left;
    while (!pieces.empty() && left >= pieces.front().iov_len) {
      left -= pieces.front().iov_len;
      pieces = pieces.subspan(1);
    }
    if (left > 0) {
      pieces.front().iov_base = static_cast<std::byte*>(pieces.front().iov_base) + left;
      pieces.front().iov_len -= left;
    }
  }
  return Status::ok();
}

Status PosixFile::allocate(uint64_t offset_bytes, uint64_t length_bytes) {
  NPK_RETURN_IF_ERROR(check_writable("reserve space"));
  if (length_bytes == 0) return Status::ok();
  const std::string_view action = "reserve space (fallocate)";
  NPK_RETURN_IF_ERROR(check_range(offset_bytes, length_bytes, action, path_));
  const int result = retry_interrupted([&] {
    return ::fallocate(descriptor_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset_bytes),
                       static_cast<off_t>(length_bytes));
  });
  // A file system that cannot reserve shows a full disk when it is written to.
  if (result == 0 || errno == EOPNOTSUPP || errno == ENOSYS) return Status::ok();
  return errno_status(errno, action, path_).with_offset(offset_bytes);
}

Result<uint64_t> PosixFile::copy_in_kernel(const PosixFile& source, uint64_t source_offset_bytes,
                                           uint64_t offset_bytes, uint64_t length_bytes) {
  uint64_t done = 0;
  while (done < length_bytes) {
    auto from = static_cast<off_t>(source_offset_bytes + done);
    auto to = static_cast<off_t>(offset_bytes + done);
    const ssize_t count = retry_interrupted([&] {
      return ::copy_file_range(source.descriptor_.get(), &from, descriptor_.get(), &to,
                               std::min(length_bytes - done, kKernelCopyBytes), 0);
    });
    // The end of the source; or what cannot be copied this way: the caller goes on with a buffer.
    if (count == 0) break;
    if (count < 0) {
      for (const int unsupported : {EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, EBADF}) {
        if (errno == unsupported) return done;
      }
      return errno_status(
                 errno,
                 concat("copy from ", source.path(), " at byte ", source_offset_bytes + done),
                 path_)
          .with_offset(offset_bytes + done);
    }
    done += static_cast<uint64_t>(count);
  }
  return done;
}

Status PosixFile::copy_from(const File& source, uint64_t source_offset_bytes, uint64_t offset_bytes,
                            uint64_t length_bytes) {
  NPK_RETURN_IF_ERROR(check_writable("copy"));
  NPK_RETURN_IF_ERROR(check_range(offset_bytes, length_bytes, "copy that far", path_));
  NPK_RETURN_IF_ERROR(
      check_range(source_offset_bytes, length_bytes, "copy from that far", source.path()));
  uint64_t done = 0;
  if (const auto* posix_source = dynamic_cast<const PosixFile*>(&source)) {
    NPK_ASSIGN_OR_RETURN(
        done, copy_in_kernel(*posix_source, source_offset_bytes, offset_bytes, length_bytes));
  }
  if (done == length_bytes) return Status::ok();
  std::vector<std::byte> buffer(std::min(length_bytes - done, kCopyBufferBytes));
  while (done < length_bytes) {
    const auto part =
        std::span(buffer).first(std::min<uint64_t>(buffer.size(), length_bytes - done));
    NPK_RETURN_IF_ERROR(source.read_at(source_offset_bytes + done, part));
    NPK_RETURN_IF_ERROR(write_at(offset_bytes + done, part));
    done += part.size();
  }
  return Status::ok();
}

Status PosixFile::sync() {
  if (retry_interrupted([&] { return ::fdatasync(descriptor_.get()); }) == 0) return Status::ok();
  return errno_status(errno, "sync (fdatasync)", path_);
}

Result<uint64_t> PosixFile::size_bytes() const {
  struct stat facts {};
  if (::fstat(descriptor_.get(), &facts) != 0)
    return errno_status(errno, "ask for its size", path_);
  return static_cast<uint64_t>(facts.st_size);
}

Result<std::shared_ptr<Mapping>> PosixFile::map(uint64_t length_bytes, MapMode mode) {
  if (mode == MapMode::kShared) NPK_RETURN_IF_ERROR(check_writable("map for writing"));
  if (length_bytes == 0) {
    static std::byte nothing{};
    return std::shared_ptr<Mapping>(std::make_shared<PosixMapping>(&nothing, 0, mode));
  }
  const int protection = mode == MapMode::kRead ? PROT_READ : PROT_READ | PROT_WRITE;
  // NORESERVE: a mapping may be far longer than the file; only what is touched may cost memory.
  const int flags = (mode == MapMode::kPrivate ? MAP_PRIVATE : MAP_SHARED) | MAP_NORESERVE;
  void* address = ::mmap(nullptr, length_bytes, protection, flags, descriptor_.get(), 0);
  if (address == MAP_FAILED) {
    return errno_status(errno, concat("map ", length_bytes, " bytes (mmap)"), path_);
  }
  return std::shared_ptr<Mapping>(
      std::make_shared<PosixMapping>(static_cast<std::byte*>(address), length_bytes, mode));
}

bool PosixFile::is_resident(const Mapping& mapping, uint64_t offset_bytes,
                            uint64_t length_bytes) const {
  if (length_bytes == 0) return true;
  const uint64_t last = offset_bytes + length_bytes - 1;
  if (const auto pages = cached_pages(descriptor_.get(), offset_bytes, length_bytes)) {
    return *pages >= last / page_bytes() - offset_bytes / page_bytes() + 1;
  }
  for (uint64_t at = offset_bytes; at < last; at += kSampledBytes) {
    if (!is_page_resident(mapping.data() + at)) return false;
  }
  return is_page_resident(mapping.data() + last);
}

Result<std::unique_ptr<DirectReader>> PosixFile::direct_reader(
    const DirectReaderOptions& options) const {
  NPK_ASSIGN_OR_RETURN(const bool is_coherent, direct_reads_see_mappings(descriptor_.get(), path_));
  if (!is_coherent) {
    return Status::unsupported(
               "its file system is none of those of which it is known that direct reads see what "
               "was stored into mappings")
        .with_path(path_);
  }
  // Not by its path, under which there may be another file by now.
  const std::string self = concat("/proc/self/fd/", descriptor_.get());
  Descriptor direct(
      retry_interrupted([&] { return ::open(self.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC); }));
  if (!direct.is_open()) {
    return Status::unsupported("it cannot be opened for direct reads (O_DIRECT)")
        .with_path(path_)
        .with_errno(errno);
  }
  return UringReader::create(*this, std::move(direct), options);
}

Result<bool> PosixFile::set_lock(uint64_t byte, short type, std::string_view action) {
  NPK_RETURN_IF_ERROR(check_range(byte, 1, action, path_));
  // Open-file-description locks: classic POSIX locks vanish when any descriptor of the process on
  // the same file is closed, and do not keep two handles of one process apart.
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(byte);
  lock.l_len = 1;
  if (retry_interrupted([&] { return ::fcntl(descriptor_.get(), F_OFD_SETLK, &lock); }) == 0) {
    return true;
  }
  if (errno == EAGAIN || errno == EACCES) return false;
  return errno_status(errno, action, path_).with_offset(byte);
}

Result<bool> PosixFile::try_lock(uint64_t byte, bool shared) {
  if (!shared) NPK_RETURN_IF_ERROR(check_writable("lock for itself"));
  return set_lock(byte, shared ? F_RDLCK : F_WRLCK, "lock (fcntl F_OFD_SETLK)");
}

Status PosixFile::unlock(uint64_t byte) {
  return set_lock(byte, F_UNLCK, "unlock (fcntl F_OFD_SETLK)").status();
}

Result<std::optional<uint64_t>> PosixFile::find_lock(uint64_t begin, uint64_t end) const {
  constexpr std::string_view kAction = "look for locks (fcntl F_OFD_GETLK)";
  NPK_RETURN_IF_ERROR(check_range(begin, end - begin, kAction, path_));
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(begin);
  lock.l_len = static_cast<off_t>(end - begin);
  if (retry_interrupted([&] { return ::fcntl(descriptor_.get(), F_OFD_GETLK, &lock); }) != 0) {
    return errno_status(errno, kAction, path_).with_offset(begin);
  }
  if (lock.l_type == F_UNLCK) return std::optional<uint64_t>();
  return std::optional(std::max(begin, static_cast<uint64_t>(lock.l_start)));
}

}  // namespace npk::io
