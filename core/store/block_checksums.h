// Checksums of appended rows: the payload of APPEND_REF, a CRC-32C for each piece of their bytes.
// The rows file is cut into pieces at its multiples of 64 KiB.
#ifndef NPK_CORE_STORE_BLOCK_CHECKSUMS_H_
#define NPK_CORE_STORE_BLOCK_CHECKSUMS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/store/log.h"
#include "io/env.h"
#include "npk/status.h"

namespace npk::internal {

/// Bytes of the encoded checksums of so many bytes at this place in the file.
constexpr uint64_t checksum_bytes(uint64_t offset_bytes, uint64_t length_bytes) {
  if (length_bytes == 0) return 0;
  const uint64_t last = (offset_bytes + length_bytes - 1) / kChecksumBlockBytes;
  return (last - offset_bytes / kChecksumBlockBytes + 1) * 4;
}

/// Takes the bytes from a place in the file on, in parts of any size.
class BlockChecksums {
 public:
  explicit BlockChecksums(uint64_t offset_bytes)
      : block_bytes_(offset_bytes % kChecksumBlockBytes) {}
  void add(io::Bytes bytes);
  /// The encoded checksums: u32 for each piece.
  [[nodiscard]] std::vector<std::byte> finish() &&;

 private:
  std::vector<std::byte> encoded_;
  uint32_t checksum_ = 0;
  uint64_t block_bytes_;  // Of the current block that lie behind.
  bool is_in_piece_ = false;
};

/// Whether [offset, offset + length) of the file has these checksums; a file that ends before has
/// not. Errors: IoError.
Result<bool> has_checksums(const io::File& file, uint64_t offset_bytes, uint64_t length_bytes,
                           std::span<const std::byte> encoded);

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_BLOCK_CHECKSUMS_H_
