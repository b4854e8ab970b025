// Files of the real file system. Made by Env::posix().
//
// Invariant: the descriptor refers to a regular file, and is closed when a process image is
// replaced. Thread safety: as File says; there is no state but the descriptor.
#ifndef NPK_IO_POSIX_FILE_H_
#define NPK_IO_POSIX_FILE_H_

#include <string>
#include <sys/uio.h>
#include <utility>

#include "io/env.h"

namespace npk::io {

/// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

class PosixFile final : public File {
 public:
  PosixFile(std::string path, Descriptor descriptor, bool writable)
      : File(std::move(path)), descriptor_(std::move(descriptor)), writable_(writable) {}

  Status read_at(uint64_t offset_bytes, std::span<std::byte> out) const override;
  Result<uint64_t> read_some_at(uint64_t offset_bytes, std::span<std::byte> out) const override;
  using File::write_at;
  Status write_at(uint64_t offset_bytes, std::span<const Bytes> pieces) override;
  Status allocate(uint64_t offset_bytes, uint64_t length_bytes) override;
  Status copy_from(const File& source, uint64_t source_offset_bytes, uint64_t offset_bytes,
                   uint64_t length_bytes) override;
  Status sync() override;
  Result<uint64_t> size_bytes() const override;
  Result<std::shared_ptr<Mapping>> map(uint64_t length_bytes, MapMode mode) override;
  [[nodiscard]] bool is_resident(const Mapping& mapping, uint64_t offset_bytes,
                                 uint64_t length_bytes) const override;
  Result<std::unique_ptr<DirectReader>> direct_reader(
      const DirectReaderOptions& options) const override;
  Result<bool> try_lock(uint64_t byte, bool shared) override;
  Status unlock(uint64_t byte) override;
  [[nodiscard]] Result<std::optional<uint64_t>> find_lock(uint64_t begin,
                                                          uint64_t end) const override;

 private:
  [[nodiscard]] Status check_writable(std::string_view action) const;
  Status write_vector(uint64_t offset_bytes, std::span<iovec> pieces);
  Result<uint64_t> copy_in_kernel(const PosixFile& source, uint64_t source_offset_bytes,
                                  uint64_t offset_bytes, uint64_t length_bytes);
  Result<bool> set_lock(uint64_t byte, short type, std::string_view action);

  Descriptor descriptor_;
  bool writable_;
};

}  // namespace npk::io

#endif  // NPK_IO_POSIX_FILE_H_
