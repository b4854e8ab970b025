// UringReader: a DirectReader by io_uring and O_DIRECT. Made by PosixFile::direct_reader().
#ifndef NPK_IO_URING_READER_H_
#define NPK_IO_URING_READER_H_

#include <memory>
#include <vector>

#include <liburing.h>

#include "io/direct_reader.h"
#include "io/posix_file.h"

namespace npk::io {

class UringReader final : public DirectReader {
 public:
  /// `direct`: the same file as `file`, opened with O_DIRECT. Lifetime: of `file`.
  /// Errors: Unsupported where io_uring is not to be had, ResourceExhausted.
  static Result<std::unique_ptr<DirectReader>> create(const PosixFile& file, Descriptor direct,
                                                      const DirectReaderOptions& options);
  ~UringReader() override;
  void start(uint32_t slot, uint64_t offset_bytes, uint64_t length_bytes) override;
  Result<const std::byte*> finish(uint32_t slot) override;

 private:
  /// A piece, and where it is: in bytes [head_bytes, head_bytes + length_bytes) of what is read,
  /// which begins and ends at multiples of kAlignmentBytes.
  struct Slot {
    uint64_t offset_bytes = 0;
    uint64_t length_bytes = 0;
    uint64_t head_bytes = 0;
    int64_t result = 0;  // Bytes read, or -errno.
    bool is_under_way = false;
  };
  UringReader(const PosixFile& file, Descriptor direct, const DirectReaderOptions& options);
  Status open_ring();
  Status allocate_buffers();
  Status wait_for_one();
  [[nodiscard]] std::byte* buffer(uint32_t slot) const { return buffers_ + slot * buffer_bytes_; }

  const PosixFile& file_;
  Descriptor direct_;
  std::vector<Slot> slots_;
  uint64_t buffer_bytes_;
  std::byte* reserved_ = nullptr;
  uint64_t reserved_bytes_ = 0;
  std::byte* buffers_ = nullptr;  // In it.
  bool has_ring_ = false;
  bool is_registered_ = false;
  bool is_refused_ = false;  // The kernel takes no more reads.
  uint32_t under_way_ = 0;
  ::io_uring ring_{};
};

}  // namespace npk::io

#endif  // NPK_IO_URING_READER_H_
