// The STORE file: which format, which store, which checkpoint, which log.
//
// Two slots of 4 KiB, written in turn by checkpoints; a slot that a power cut tore fails its
// checksum, and the other one still recovers the store (recovery.h). Layout: docs/format.md.
#ifndef NPK_CORE_STORE_SUPERBLOCK_H_
#define NPK_CORE_STORE_SUPERBLOCK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/env.h"
#include "npk/status.h"

namespace npk::internal {

inline constexpr uint64_t kSlotBytes = 4'096;
inline constexpr uint64_t kSlots = 2;

// Offsets inside a slot. docs/format.md has the same table; a test compares them.
struct SlotLayout {
  static constexpr size_t kMagic = 0;                  // 8 bytes "NPKSTORE"
  static constexpr size_t kFormat = 8;                 // u32
  static constexpr size_t kIncompatibleFeatures = 12;  // u32
  static constexpr size_t kCompatibleFeatures = 16;    // u32
  static constexpr size_t kLogIndex = 20;              // u32
  static constexpr size_t kUuid = 24;                  // 16 bytes
  static constexpr size_t kCheckpoint = 40;            // u64
  static constexpr size_t kFirstRecord = 48;           // u64
  static constexpr size_t kGenerationFloor = 56;       // u64
  static constexpr size_t kArrays = 64;                // u64
  static constexpr size_t kChecksum = 4'092;           // u32
};

/// Bits of incompatible_features: a reader that does not know one refuses the store.
inline constexpr uint32_t kFeatureChecksums = 1;  // An array has checksums of its rows.
inline constexpr uint32_t kKnownIncompatibleFeatures = kFeatureChecksums;

struct Superblock {
  uint32_t format = 1;
  uint32_t incompatible_features = 0;
  uint32_t compatible_features = 0;
  uint32_t log_index = 0;  ///< The log that follows this checkpoint.
  std::array<std::byte, 16> uuid{};
  uint64_t checkpoint = 0;        ///< Number of this checkpoint; its slot is checkpoint % 2.
  uint64_t first_record = 0;      ///< Number of the first record of that log.
  uint64_t arrays = 0;            ///< How many there are as of this checkpoint.
  uint64_t generation_floor = 0;  ///< Generations below it may have belonged to dropped arrays.

  /// Seed of the log's checksums: differs for every store and checkpoint.
  [[nodiscard]] uint32_t log_seed() const;
  /// A number for the store itself, to tell a shared page of another store.
  [[nodiscard]] uint64_t uuid_hash() const;
};

void encode_slot(const Superblock& superblock, std::span<std::byte, kSlotBytes> out);
/// Errors: Corruption, or Unsupported for a newer format or unknown incompatible features.
Result<Superblock> decode_slot(std::span<const std::byte, kSlotBytes> slot);

struct SuperblockRead {
  Superblock superblock;
  std::vector<Status> damaged_slots;  ///< What is wrong with the other slot, if anything.
};

/// The newest valid slot of a STORE file. Errors: Corruption names file and byte.
Result<SuperblockRead> read_superblock(io::Env& env, const std::string& path);
/// Writes and syncs the slot of superblock.checkpoint.
Status write_superblock(io::File& file, const Superblock& superblock);

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_SUPERBLOCK_H_
