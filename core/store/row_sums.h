// RowSums: a CRC-32C for each 64 KiB of an array's rows (Checksums::kBlock), as of one of its
// states.
//
// They are true of every committed state, not of checkpoints only: a commit that writes rows ends
// with a SUMS record that says what the sums of the blocks it touched are from then on. SumsUpdate
// makes them from the old sums and the bytes that change, without reading the blocks: so a commit
// costs what it touches, and damage beside a replaced row is never taken for content.
//
// Immutable: with() returns new sums that share what it did not touch.
#ifndef NPK_CORE_STORE_ROW_SUMS_H_
#define NPK_CORE_STORE_ROW_SUMS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/store/log.h"
#include "io/env.h"
#include "npk/status.h"

namespace npk::internal {

/// Sums of blocks [first, first + sums.size()).
struct SumRange {
  uint64_t first = 0;
  std::vector<uint32_t> sums;
  [[nodiscard]] uint64_t end() const { return first + sums.size(); }
};

class RowSums {
 public:
  static constexpr uint64_t kBlockBytes = kChecksumBlockBytes;

  /// Bytes from the file's beginning on that the sums are of; the last block may be shorter.
  [[nodiscard]] uint64_t size_bytes() const noexcept { return size_bytes_; }
  [[nodiscard]] uint64_t block_count() const noexcept { return blocks_in(size_bytes_); }
  [[nodiscard]] uint32_t sum(uint64_t block) const noexcept {
    return (*chunks_[block / kChunkBlocks])[block % kChunkBlocks];
  }

  /// These sums with others in place of some, of `size_bytes` bytes.
  /// Requires: size_bytes >= size_bytes(); every block from block_count() on is in `changes`.
  [[nodiscard]] std::shared_ptr<const RowSums> with(std::span<const SumRange> changes,
                                                    uint64_t size_bytes) const;
  /// As with(), for the payload of a SUMS record. Errors: Corruption.
  [[nodiscard]] Result<std::shared_ptr<const RowSums>> with_encoded(io::Bytes payload,
                                                                    uint64_t size_bytes) const;
  /// A file of sums, with the checksum at its end.
  [[nodiscard]] std::vector<std::byte> encode() const;
  /// Errors: Corruption if `file` is not the sums of so many bytes.
  static Result<std::shared_ptr<const RowSums>> decode(io::Bytes file, uint64_t size_bytes);

  static constexpr uint64_t blocks_in(uint64_t bytes) {
    return bytes / kBlockBytes + (bytes % kBlockBytes != 0 ? 1 : 0);
  }

 private:
  static constexpr uint64_t kChunkBlocks = 256;
  using Chunk = std::array<uint32_t, kChunkBlocks>;

  uint64_t size_bytes_ = 0;
  std::vector<std::shared_ptr<const Chunk>> chunks_;
};

/// The sums that one commit changes in one array. First touch() all that it will write; then
/// encoded_bytes() is what its SUMS record needs; then append() and replace() as it is written.
class SumsUpdate {
 public:
  /// Lifetime: of `base`, the sums before the commit.
  explicit SumsUpdate(std::shared_ptr<const RowSums> base) : base_(std::move(base)) {}

  void touch(uint64_t offset_bytes, uint64_t length_bytes);
  [[nodiscard]] bool empty() const noexcept { return touched_.empty(); }
  /// Ends the touching.
  uint64_t encoded_bytes();

  /// Rows were appended whose bytes have these checksums (block_checksums.h). In order of offset.
  void append(uint64_t offset_bytes, uint64_t length_bytes, io::Bytes checksums);
  /// Bytes will be replaced, after all appends. Those of a row are replaced as one piece each time;
  /// the last time counts. Lifetime: of `from` and `to` until finish().
  void replace(uint64_t offset_bytes, const std::byte* from, io::Bytes to);
  /// The sums after the commit.
  std::shared_ptr<const RowSums> finish(uint64_t size_bytes);
  /// Payload of the SUMS record. Requires: finish().
  [[nodiscard]] std::vector<std::byte> encode() const;

 private:
  struct Piece {  // Within one block.
    uint64_t offset_bytes;
    const std::byte* from;
    io::Bytes to;
  };
  uint32_t& sum(uint64_t block);
  void replace_in_block(std::span<const Piece> pieces, uint64_t size_bytes);

  std::shared_ptr<const RowSums> base_;
  std::vector<std::pair<uint64_t, uint64_t>> touched_;  // [first, second) of blocks.
  std::vector<SumRange> ranges_;                        // Ascending and apart.
  std::vector<Piece> pieces_;
};

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_ROW_SUMS_H_
