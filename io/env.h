// Env and File: the only way to files. Nothing outside io/ makes a system call on a store's files,
// so that a simulated file system can stand in for the real one in tests.
//
// Calls finish or fail: short reads and writes and EINTR are dealt with here. Errors carry path,
// offset and errno; a full disk or quota is ResourceExhausted, anything else IoError.
//
// Thread safety: an Env and a File may be used from any threads at once.
#ifndef NPK_IO_ENV_H_
#define NPK_IO_ENV_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/direct_reader.h"
#include "npk/status.h"

namespace npk::io {

using Bytes = std::span<const std::byte>;

/// Part of a file in memory. Lives as long as its last owner, through unlink and rename of the
/// file.
class Mapping {
 public:
  virtual ~Mapping() = default;
  [[nodiscard]] const std::byte* data() const noexcept { return data_; }
  [[nodiscard]] uint64_t size_bytes() const noexcept { return size_bytes_; }
  /// Stores into a kShared or kPrivate mapping. All stores go through here, so that the simulated
  /// file system sees them. An aligned word of 8 bytes is stored in one piece, after all stores
  /// before it. Requires: the bytes lie inside the file.
  virtual void store(uint64_t offset_bytes, Bytes bytes) = 0;
  /// Whether it shows the file's bytes, and not a copy that may have others.
  [[nodiscard]] bool shows_file() const noexcept { return shows_file_; }
  /// Says how a range will be read; a hint, errors are of no consequence.
  enum class Advice : uint8_t { kNormal, kRandom, kSequential, kWillNeed };
  virtual void advise(Advice) {}

 protected:
  Mapping(std::byte* data, uint64_t size_bytes, bool shows_file = true)
      : data_(data), size_bytes_(size_bytes), shows_file_(shows_file) {}
  std::byte* data_;
  uint64_t size_bytes_;

 private:
  const bool shows_file_;
};

enum class MapMode : uint8_t {
  kRead,     ///< Read-only, shared: sees every write to the file.
  kShared,   ///< Writable, shared: stores reach the file.
  kPrivate,  ///< Writable, private: stores stay in this mapping.
};

class File {
 public:
  virtual ~File() = default;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// Fills `out` or fails; the end of the file is Corruption ("ends after N bytes").
  virtual Status read_at(uint64_t offset_bytes, std::span<std::byte> out) const = 0;
  /// Fills as much of `out` as the file has; returns the byte count.
  virtual Result<uint64_t> read_some_at(uint64_t offset_bytes, std::span<std::byte> out) const = 0;
  /// Writes all pieces, one after the other, from offset_bytes on; grows the file as needed.
  virtual Status write_at(uint64_t offset_bytes, std::span<const Bytes> pieces) = 0;
  Status write_at(uint64_t offset_bytes, Bytes bytes) {
    return write_at(offset_bytes, std::span<const Bytes>(&bytes, 1));
  }
  /// Reserves disk space for a range without changing the size, so that a full disk shows here.
  virtual Status allocate(uint64_t offset_bytes, uint64_t length_bytes) = 0;
  /// Appends from another file inside the kernel where it can; bounded memory.
  virtual Status copy_from(const File& source, uint64_t source_offset_bytes, uint64_t offset_bytes,
                           uint64_t length_bytes) = 0;
  /// Data and size survive a power cut once this returns OK. Never call again after an error.
  virtual Status sync() = 0;
  [[nodiscard]] virtual Result<uint64_t> size_bytes() const = 0;
  /// Maps [0, length_bytes), which may reach past the end: bytes there become readable as the file
  /// grows, and touching them before that is a SIGBUS.
  virtual Result<std::shared_ptr<Mapping>> map(uint64_t length_bytes, MapMode mode) = 0;
  /// Whether a range of this file is in memory, so that reading it through `mapping`, which shows
  /// the file from its beginning, will not wait for a disk. Where telling that of every page takes
  /// long, a sample of them decides; true where it cannot be found out. Requires: the bytes lie
  /// inside the file and the mapping.
  [[nodiscard]] virtual bool is_resident(const Mapping&, uint64_t, uint64_t) const { return true; }
  /// Errors: Unsupported where files are not to be read around the page cache, or where that might
  /// miss what was stored into a mapping; ResourceExhausted. Lifetime: of this file.
  virtual Result<std::unique_ptr<DirectReader>> direct_reader(const DirectReaderOptions&) const {
    return Status::unsupported("this file cannot be read around the page cache").with_path(path_);
  }

  /// Exclusive (shared = false) or shared lock on one byte, held by this open file: it dies with
  /// the process. Returns false if another open file holds it.
  virtual Result<bool> try_lock(uint64_t byte, bool shared) = 0;
  virtual Status unlock(uint64_t byte) = 0;
  /// One of the bytes [begin, end) on which another open file holds a lock, if there is any.
  [[nodiscard]] virtual Result<std::optional<uint64_t>> find_lock(uint64_t begin,
                                                                  uint64_t end) const = 0;

 protected:
  explicit File(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

enum class OpenMode : uint8_t {
  kRead,          ///< Must exist.
  kReadWrite,     ///< Must exist.
  kCreateOrOpen,  ///< Made if missing, read and write.
  kCreateNew,     ///< AlreadyExists if there is one.
  kTruncate,      ///< Made, or emptied. Only for files that nobody can have mapped (temporaries).
};

enum class PathKind : uint8_t { kMissing, kFile, kDirectory, kOther };

/// Identifies a directory whatever path leads to it.
struct FileId {
  uint64_t device = 0;
  uint64_t inode = 0;
  friend auto operator<=>(const FileId&, const FileId&) = default;
};

struct PathInfo {
  PathKind kind = PathKind::kMissing;
  FileId id;
  uint64_t size_bytes = 0;
};

class Env {
 public:
  virtual ~Env() = default;
  /// The real file system. Lives for ever.
  static Env& posix();

  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  [[nodiscard]] virtual Result<PathInfo> info(const std::string& path) = 0;
  /// Names in a directory, without "." and "..", in no order.
  [[nodiscard]] virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  /// Makes a directory; its parent must exist. AlreadyExists if there is anything of that name.
  virtual Status make_directory(const std::string& path) = 0;
  /// Atomic; replaces the target.
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  /// NotFound if it is missing.
  virtual Status remove(const std::string& path) = 0;
  /// Names made, renamed and removed in the directory survive a power cut once this returns OK.
  virtual Status sync_directory(const std::string& path) = 0;
  /// Everything in the file system that holds `directory` survives: one call for many files.
  virtual Status sync_filesystem(const std::string& directory) = 0;
  /// Name of a file system that keeps neither locks nor mappings coherent ("nfs"); empty if none.
  [[nodiscard]] virtual Result<std::string> unsafe_filesystem(const std::string& directory) = 0;
  /// Changes with every boot of the machine: what is in the page cache is of this boot.
  [[nodiscard]] virtual uint64_t boot_id() = 0;
  /// Microseconds since 1970.
  [[nodiscard]] virtual int64_t now_us() = 0;
  virtual void sleep_us(uint64_t microseconds) = 0;
  virtual void random_bytes(std::span<std::byte> out) = 0;
};

}  // namespace npk::io

#endif  // NPK_IO_ENV_H_
