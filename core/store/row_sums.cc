#include "core/store/row_sums.h"

#include <algorithm>

#include "core/store/codec.h"
#include "npk/internal/text.h"
#include "simd/crc32c.h"

namespace npk::internal {
namespace {

constexpr uint64_t kBlockBytes = RowSums::kBlockBytes;
constexpr uint64_t kSumBytes = sizeof(uint32_t);
constexpr uint64_t kRangeBytes = 2 * sizeof(uint64_t);  // First block and count.

Status damage(std::string_view what) {
  return Status::corruption(concat("the checksums of the rows ", what));
}

std::vector<uint32_t> decode_sums(io::Bytes bytes) {
  std::vector<uint32_t> sums(bytes.size() / kSumBytes);
  for (size_t i = 0; i < sums.size(); ++i) {
    sums[i] = get_le<uint32_t>(bytes.data() + i * kSumBytes);
  }
  return sums;
}

}  // namespace

std::shared_ptr<const RowSums> RowSums::with(std::span<const SumRange> changes,
                                             uint64_t size_bytes) const {
  auto changed = std::make_shared<RowSums>();
  changed->size_bytes_ = size_bytes;
  changed->chunks_ = chunks_;
  changed->chunks_.resize((blocks_in(size_bytes) + kChunkBlocks - 1) / kChunkBlocks);
  uint64_t own_index = UINT64_MAX;
  Chunk* own = nullptr;
  for (const SumRange& range : changes) {
    for (uint64_t block = range.first; block < range.end(); ++block) {
      if (block / kChunkBlocks != own_index) {
        own_index = block / kChunkBlocks;
        auto& slot = changed->chunks_[own_index];
        auto copy = slot == nullptr ? std::make_shared<Chunk>() : std::make_shared<Chunk>(*slot);
        own = copy.get();
        slot = std::move(copy);
      }
      (*own)[block % kChunkBlocks] = range.sums[block - range.first];
    }
  }
  return changed;
}

Result<std::shared_ptr<const RowSums>> RowSums::with_encoded(io::Bytes payload,
                                                             uint64_t size_bytes) const {
  std::vector<SumRange> changes;
  uint64_t known = block_count();  // Blocks below it have a sum, the old or the new one.
  uint64_t after = 0;
  while (!payload.empty()) {
    if (payload.size() < kRangeBytes) return damage("are cut off");
    SumRange range;
    range.first = get_le<uint64_t>(payload.data());
    const auto count = get_le<uint64_t>(payload.data() + sizeof(uint64_t));
    payload = payload.subspan(kRangeBytes);
    if (count > payload.size() / kSumBytes) return damage("are cut off");
    if (range.first < after || range.first > known) return damage("have a gap");
    if (count > blocks_in(size_bytes) - std::min(range.first, blocks_in(size_bytes))) {
      return damage("are of rows that are not there");
    }
    range.sums = decode_sums(payload.first(count * kSumBytes));
    payload = payload.subspan(count * kSumBytes);
    after = range.end();
    known = std::max(known, after);
    changes.push_back(std::move(range));
  }
  if (known != blocks_in(size_bytes)) return damage("do not reach the last row");
  return with(changes, size_bytes);
}

std::vector<std::byte> RowSums::encode() const {
  std::vector<std::byte> file;
  file.reserve((block_count() + 1) * kSumBytes);
  for (uint64_t block = 0; block < block_count(); ++block) append_le(file, sum(block));
  append_le(file, simd::crc32c(file));
  return file;
}

Result<std::shared_ptr<const RowSums>> RowSums::decode(io::Bytes file, uint64_t size_bytes) {
  if (file.size() / kSumBytes != blocks_in(size_bytes) + 1 || file.size() % kSumBytes != 0) {
    return damage(concat("have ", file.size(), " bytes; ", size_bytes, " bytes of rows need ",
                         (blocks_in(size_bytes) + 1) * kSumBytes))
        .with_offset(0);
  }
  const io::Bytes body = file.first(file.size() - kSumBytes);
  if (get_le<uint32_t>(file.data() + body.size()) != simd::crc32c(body)) {
    return damage("fail their own checksum").with_offset(0);
  }
  const SumRange all{0, decode_sums(body)};
  return RowSums().with({&all, 1}, size_bytes);
}

void SumsUpdate::touch(uint64_t offset_bytes, uint64_t length_bytes) {
  if (length_bytes == 0) return;
  const uint64_t first = offset_bytes / kBlockBytes;
  const uint64_t end = (offset_bytes + length_bytes - 1) / kBlockBytes + 1;
  if (!touched_.empty() && touched_.back().first <= first && end <= touched_.back().second) return;
  touched_.emplace_back(first, end);
}

uint64_t SumsUpdate::encoded_bytes() {
  std::ranges::sort(touched_);
  for (const auto& [first, end] : touched_) {
    if (ranges_.empty() || ranges_.back().end() < first) ranges_.push_back({first, {}});
    SumRange& range = ranges_.back();
    for (uint64_t block = range.end(); block < end; ++block) {
      range.sums.push_back(block < base_->block_count() ? base_->sum(block) : 0);
    }
  }
  uint64_t bytes = 0;
  for (const SumRange& range : ranges_) bytes += kRangeBytes + range.sums.size() * kSumBytes;
  return bytes;
}

uint32_t& SumsUpdate::sum(uint64_t block) {
  const auto range = std::ranges::upper_bound(ranges_, block, {}, &SumRange::first) - 1;
  return range->sums[block - range->first];
}

void SumsUpdate::append(uint64_t offset_bytes, uint64_t length_bytes, io::Bytes checksums) {
  for (uint64_t done = 0; done < length_bytes; checksums = checksums.subspan(kSumBytes)) {
    const uint64_t at = offset_bytes + done;
    const uint64_t piece = std::min(length_bytes - done, kBlockBytes - at % kBlockBytes);
    uint32_t& whole = sum(at / kBlockBytes);
    whole = simd::crc32c_joined(at % kBlockBytes == 0 ? 0 : whole,
                                get_le<uint32_t>(checksums.data()), piece);
    done += piece;
  }
}

void SumsUpdate::replace(uint64_t offset_bytes, const std::byte* from, io::Bytes to) {
  while (!to.empty()) {
    const uint64_t count = std::min(to.size(), kBlockBytes - offset_bytes % kBlockBytes);
    pieces_.push_back({offset_bytes, from, to.first(count)});
    offset_bytes += count;
    from += count;
    to = to.subspan(count);
  }
}

void SumsUpdate::replace_in_block(std::span<const Piece> pieces, uint64_t size_bytes) {
  const uint64_t block = pieces.front().offset_bytes / kBlockBytes;
  const uint64_t end = std::min(size_bytes, (block + 1) * kBlockBytes);
  uint64_t replaced_bytes = 0;
  for (const Piece& piece : pieces) replaced_bytes += piece.to.size();
  uint32_t& whole = sum(block);
  if (replaced_bytes == end - block * kBlockBytes) {  // All of it: whatever was there is gone.
    whole = 0;
    for (const Piece& piece : pieces) whole = simd::crc32c(piece.to, whole);
    return;
  }
  for (const Piece& piece : pieces) {
    const uint32_t difference =
        simd::crc32c({piece.from, piece.to.size()}) ^ simd::crc32c(piece.to);
    whole ^= simd::crc32c_moved(difference, end - piece.offset_bytes - piece.to.size());
  }
}

std::shared_ptr<const RowSums> SumsUpdate::finish(uint64_t size_bytes) {
  std::ranges::stable_sort(pieces_, {}, &Piece::offset_bytes);
  // Of pieces for the same bytes the last one stays.
  const auto kept =
      std::unique(pieces_.rbegin(), pieces_.rend(),
                  [](const Piece& a, const Piece& b) { return a.offset_bytes == b.offset_bytes; });
  const std::span<const Piece> pieces(kept.base(), pieces_.end());
  const auto block_of = [](const Piece& piece) { return piece.offset_bytes / kBlockBytes; };
  for (size_t begin = 0, end = 0; begin < pieces.size(); begin = end) {
    while (end < pieces.size() && block_of(pieces[end]) == block_of(pieces[begin])) ++end;
    replace_in_block(pieces.subspan(begin, end - begin), size_bytes);
  }
  return base_->with(ranges_, size_bytes);
}

std::vector<std::byte> SumsUpdate::encode() const {
  std::vector<std::byte> payload;
  for (const SumRange& range : ranges_) {
    append_le(payload, range.first);
    append_le(payload, uint64_t{range.sums.size()});
    for (const uint32_t sum : range.sums) append_le(payload, sum);
  }
  return payload;
}

}  // namespace npk::internal
