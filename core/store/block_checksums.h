// Checksums of appended rows, one CRC-32C for each 64 KiB of their bytes: the payload of
// APPEND_REF.
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

/// Bytes of the encoded checksums of so many bytes.
constexpr uint64_t checksum_bytes(uint64_t length_bytes) {
  return (length_bytes + kChecksumBlockBytes - 1) / kChecksumBlockBytes * 4;
}

/// Takes the bytes in pieces of any size.
class BlockChecksums {
 public:
  void add(io::Bytes bytes);
  /// The encoded checksums: u32 for each block, the last one may be of fewer bytes.
  [[nodiscard]] std::vector<std::byte> finish() &&;

 private:
  std::vector<std::byte> encoded_;
  uint32_t checksum_ = 0;
  uint64_t filled_bytes_ = 0;  // Of the current block.
};

/// Whether [offset, offset + length) of the file has these checksums; a file that ends before has
/// not. Errors: IoError.
Result<bool> has_checksums(const io::File& file, uint64_t offset_bytes, uint64_t length_bytes,
                           std::span<const std::byte> encoded);

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_BLOCK_CHECKSUMS_H_
