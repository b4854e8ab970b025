#include "core/store/superblock.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "core/store/codec.h"
#include "npk/internal/text.h"
#include "npk/version.h"
#include "simd/crc32c.h"

namespace npk::internal {
namespace {

constexpr std::string_view kMagic = "NPKSTORE";
using Layout = SlotLayout;

}  // namespace

uint32_t Superblock::log_seed() const {
  std::array<std::byte, 24> bytes;
  std::copy(uuid.begin(), uuid.end(), bytes.begin());
  put_le(bytes.data() + 16, checkpoint);
  return simd::crc32c(bytes);
}

uint64_t Superblock::uuid_hash() const {
  return get_le<uint64_t>(uuid.data()) ^ get_le<uint64_t>(uuid.data() + 8);
}

void encode_slot(const Superblock& superblock, std::span<std::byte, kSlotBytes> out) {
  std::fill(out.begin(), out.end(), std::byte{0});
  std::memcpy(out.data() + Layout::kMagic, kMagic.data(), kMagic.size());
  put_le(out.data() + Layout::kFormat, superblock.format);
  put_le(out.data() + Layout::kIncompatibleFeatures, superblock.incompatible_features);
  put_le(out.data() + Layout::kCompatibleFeatures, superblock.compatible_features);
  put_le(out.data() + Layout::kLogIndex, superblock.log_index);
  std::copy(superblock.uuid.begin(), superblock.uuid.end(), out.data() + Layout::kUuid);
  put_le(out.data() + Layout::kCheckpoint, superblock.checkpoint);
  put_le(out.data() + Layout::kFirstRecord, superblock.first_record);
  put_le(out.data() + Layout::kGenerationFloor, superblock.generation_floor);
  put_le(out.data() + Layout::kArrays, superblock.arrays);
  put_le(out.data() + Layout::kChecksum, simd::crc32c(out.first<Layout::kChecksum>()));
}

Result<Superblock> decode_slot(std::span<const std::byte, kSlotBytes> slot) {
  if (as_text(slot.first(kMagic.size())) != kMagic) {
    return Status::corruption("STORE slot does not begin with NPKSTORE");
  }
  if (get_le<uint32_t>(slot.data() + Layout::kChecksum) !=
      simd::crc32c(slot.first<Layout::kChecksum>())) {
    return Status::corruption("STORE slot fails its checksum");
  }
  Superblock superblock;
  superblock.format = get_le<uint32_t>(slot.data() + Layout::kFormat);
  superblock.incompatible_features = get_le<uint32_t>(slot.data() + Layout::kIncompatibleFeatures);
  if (superblock.format > kStoreFormatVersion ||
      (superblock.incompatible_features & ~kKnownIncompatibleFeatures) != 0) {
    return Status::unsupported(
        concat("the store is of format ", superblock.format, " with incompatible features ",
               superblock.incompatible_features, "; this npk reads format ", kStoreFormatVersion,
               " with features ", kKnownIncompatibleFeatures, ": open it with a newer npk"));
  }
  superblock.compatible_features = get_le<uint32_t>(slot.data() + Layout::kCompatibleFeatures);
  superblock.log_index = get_le<uint32_t>(slot.data() + Layout::kLogIndex);
  std::copy_n(slot.data() + Layout::kUuid, superblock.uuid.size(), superblock.uuid.begin());
  superblock.checkpoint = get_le<uint64_t>(slot.data() + Layout::kCheckpoint);
  superblock.first_record = get_le<uint64_t>(slot.data() + Layout::kFirstRecord);
  superblock.generation_floor = get_le<uint64_t>(slot.data() + Layout::kGenerationFloor);
  superblock.arrays = get_le<uint64_t>(slot.data() + Layout::kArrays);
  if (superblock.format == 0 || superblock.log_index > 1) {
    return Status::corruption("STORE slot holds impossible values");
  }
  return superblock;
}

Result<SuperblockRead> read_superblock(io::Env& env, const std::string& path) {
  NPK_ASSIGN_OR_RETURN(const auto file, env.open(path, io::OpenMode::kRead));
  std::array<std::byte, kSlotBytes * kSlots> bytes;
  NPK_ASSIGN_OR_RETURN(const uint64_t found, file->read_some_at(0, bytes));
  if (found < bytes.size()) {
    return Status::corruption(concat("STORE is cut off: it has ", found, " bytes of ", bytes.size(),
                                     "; restore it from a backup"))
        .with_path(path)
        .with_offset(found);
  }
  std::optional<Superblock> best;
  SuperblockRead read;
  for (uint64_t slot = 0; slot < kSlots; ++slot) {
    auto decoded = decode_slot(
        std::span<const std::byte, kSlotBytes>(bytes.data() + slot * kSlotBytes, kSlotBytes));
    if (decoded.is_ok()) {
      if (!best || decoded->checkpoint > best->checkpoint) best = *decoded;
    } else {
      read.damaged_slots.push_back(
          std::move(decoded).status().with_path(path).with_offset(slot * kSlotBytes));
    }
  }
  for (Status& damage : read.damaged_slots) {
    // A newer version's slot is not damage to be worked around.
    if (damage.code() == StatusCode::kUnsupported) return damage;
    if (!best) {
      return std::move(damage).with_context(
          "neither slot of STORE can be read; restore it from a backup");
    }
    damage = std::move(damage).with_context(
        "the other slot serves, and the next two checkpoints write this one anew");
  }
  read.superblock = *best;
  return read;
}

Status write_superblock(io::File& file, const Superblock& superblock) {
  std::array<std::byte, kSlotBytes> slot;
  encode_slot(superblock, slot);
  NPK_RETURN_IF_ERROR(file.write_at(superblock.checkpoint % kSlots * kSlotBytes, slot));
  return file.sync();
}

}  // namespace npk::internal
