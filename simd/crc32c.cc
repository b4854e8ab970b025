#include "simd/crc32c.h"

#include <bit>
#include <cstring>

#include "simd/crc32c_math.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace npk::simd {
namespace {

using crc32c_math::ByteTable;

static_assert(std::endian::native == std::endian::little, "words are loaded as they lie");

inline uint64_t load_u64(const std::byte* at) {
  uint64_t word = 0;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

// Kernels work on the register: neither the initial nor the final inversion.
using Kernel = uint32_t (*)(uint32_t crc, const std::byte* data, size_t size);

struct Choice {
  Kernel kernel;
  std::string_view name;
};

uint32_t kernel_scalar(uint32_t crc, const std::byte* data, size_t size) {
  static constexpr std::array<ByteTable, 8> kTables = crc32c_math::slice_tables();
  for (; size >= 8; size -= 8, data += 8) {
    uint64_t word = load_u64(data) ^ crc;
    crc = 0;
    for (size_t i = 0; i < 8; ++i, word >>= 8) crc ^= kTables[7 - i][word & 0xFF];
  }
  for (; size > 0; --size, ++data) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<uint32_t>(*data)) & 0xFF];
  }
  return crc;
}

#if defined(__x86_64__)
#define NPK_CRC_TARGET __attribute__((target("sse4.2")))
constexpr std::string_view kInstructionName = "sse4.2";
NPK_CRC_TARGET inline uint32_t step_u64(uint32_t crc, uint64_t word) {
  return static_cast<uint32_t>(_mm_crc32_u64(crc, word));
}
NPK_CRC_TARGET inline uint32_t step_u8(uint32_t crc, std::byte byte) {
  return _mm_crc32_u8(crc, static_cast<uint8_t>(byte));
}
bool has_instruction() { return __builtin_cpu_supports("sse4.2") != 0; }

#elif defined(__aarch64__) && defined(__linux__)
#if defined(__clang__)
#define NPK_CRC_TARGET __attribute__((target("crc")))
NPK_CRC_TARGET inline uint32_t step_u64(uint32_t crc, uint64_t word) {
  return __builtin_arm_crc32cd(crc, word);
}
NPK_CRC_TARGET inline uint32_t step_u8(uint32_t crc, std::byte byte) {
  return __builtin_arm_crc32cb(crc, static_cast<uint8_t>(byte));
}
#else
#define NPK_CRC_TARGET __attribute__((target("+crc")))
NPK_CRC_TARGET inline uint32_t step_u64(uint32_t crc, uint64_t word) {
  return __builtin_aarch64_crc32cx(crc, word);
}
NPK_CRC_TARGET inline uint32_t step_u8(uint32_t crc, std::byte byte) {
  return __builtin_aarch64_crc32cb(crc, static_cast<uint8_t>(byte));
}
#endif
constexpr std::string_view kInstructionName = "armv8-crc";
bool has_instruction() {
  constexpr unsigned long kHwcapCrc32 = 1UL << 7;  // HWCAP_CRC32 of Linux's arm64 ABI
  return (getauxval(AT_HWCAP) & kHwcapCrc32) != 0;
}
#endif

#if defined(NPK_CRC_TARGET)

/// Three lanes side by side: the instruction takes 3 cycles and starts every cycle, so that one
/// chain alone would use a third of it.
template <size_t LaneBytes>
NPK_CRC_TARGET inline uint32_t three_lanes(uint32_t crc, const std::byte*& data, size_t& size) {
  using Lane = crc32c_math::ZeroRun<LaneBytes>;
  while (size >= 3 * LaneBytes) {
    uint32_t second = 0;
    uint32_t third = 0;
    for (size_t i = 0; i < LaneBytes; i += 8) {
      crc = step_u64(crc, load_u64(data + i));
      second = step_u64(second, load_u64(data + LaneBytes + i));
      third = step_u64(third, load_u64(data + 2 * LaneBytes + i));
    }
    crc = Lane::advance(Lane::advance(crc) ^ second) ^ third;
    data += 3 * LaneBytes;
    size -= 3 * LaneBytes;
  }
  return crc;
}

NPK_CRC_TARGET uint32_t kernel_instruction(uint32_t crc, const std::byte* data, size_t size) {
  crc = three_lanes<4096>(crc, data, size);
  crc = three_lanes<256>(crc, data, size);
  for (; size >= 8; size -= 8, data += 8) crc = step_u64(crc, load_u64(data));
  for (; size > 0; --size, ++data) crc = step_u8(crc, *data);
  return crc;
}

Choice choose() {
  if (has_instruction()) return {kernel_instruction, kInstructionName};
  return {kernel_scalar, "scalar"};
}
#else
Choice choose() { return {kernel_scalar, "scalar"}; }
#endif

const Choice& chosen() {
  static const Choice choice = choose();
  return choice;
}

}  // namespace

uint32_t crc32c(std::span<const std::byte> bytes, uint32_t seed) noexcept {
  return ~chosen().kernel(~seed, bytes.data(), bytes.size());
}

uint32_t crc32c_scalar(std::span<const std::byte> bytes, uint32_t seed) noexcept {
  return ~kernel_scalar(~seed, bytes.data(), bytes.size());
}

uint32_t crc32c_moved(uint32_t checksum, uint64_t length_bytes) noexcept {
  using crc32c_math::multiply;
  // Runs within a block of 64 KiB, the common case, are two look-ups and two products.
  static constexpr ByteTable kShort = crc32c_math::powers(crc32c_math::power_of_x(8));
  static constexpr ByteTable kLong = crc32c_math::powers(crc32c_math::power_of_x(8 * 256));
  uint32_t power = multiply(kShort[length_bytes & 0xFF], kLong[(length_bytes >> 8) & 0xFF]);
  if (const uint64_t rest = length_bytes >> 16; rest != 0) {
    power = multiply(power, crc32c_math::power_of_x(rest << 19));
  }
  return multiply(power, checksum);
}

std::string_view crc32c_kernel_name() noexcept { return chosen().name; }

}  // namespace npk::simd
