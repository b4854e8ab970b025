#include "core/store/block_checksums.h"

#include <algorithm>

#include "core/store/codec.h"
#include "simd/crc32c.h"

namespace npk::internal {

void BlockChecksums::add(io::Bytes bytes) {
  while (!bytes.empty()) {
    const uint64_t count = std::min<uint64_t>(bytes.size(), kChecksumBlockBytes - block_bytes_);
    checksum_ = simd::crc32c(bytes.first(count), checksum_);
    block_bytes_ += count;
    is_in_piece_ = true;
    bytes = bytes.subspan(count);
    if (block_bytes_ == kChecksumBlockBytes) {
      append_le(encoded_, checksum_);
      checksum_ = 0;
      block_bytes_ = 0;
      is_in_piece_ = false;
    }
  }
}

std::vector<std::byte> BlockChecksums::finish() && {
  if (is_in_piece_) append_le(encoded_, checksum_);
  return std::move(encoded_);
}

Result<bool> has_checksums(const io::File& file, uint64_t offset_bytes, uint64_t length_bytes,
                           std::span<const std::byte> encoded) {
  BlockChecksums found(offset_bytes);
  std::vector<std::byte> buffer(std::min<uint64_t>(length_bytes, 1u << 20));
  for (uint64_t done = 0; done < length_bytes;) {
    const auto piece =
        std::span(buffer).first(std::min<uint64_t>(buffer.size(), length_bytes - done));
    NPK_ASSIGN_OR_RETURN(const uint64_t count, file.read_some_at(offset_bytes + done, piece));
    if (count < piece.size()) return false;
    found.add(piece);
    done += count;
  }
  return std::ranges::equal(std::move(found).finish(), encoded);
}

}  // namespace npk::internal
