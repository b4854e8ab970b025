// CRC-32C (Castagnoli, RFC 3720 appendix B.4): the checksum of every structure that npk writes.
// Uses the processor's CRC instruction where there is one, in three interleaved lanes.
#ifndef NPK_SIMD_CRC32C_H_
#define NPK_SIMD_CRC32C_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace npk::simd {

/// The checksum of `seed`'s data followed by `bytes`: crc32c(b, crc32c(a)) == crc32c(a + b).
uint32_t crc32c(std::span<const std::byte> bytes, uint32_t seed = 0) noexcept;
/// The table-driven twin: oracle and fallback.
uint32_t crc32c_scalar(std::span<const std::byte> bytes, uint32_t seed = 0) noexcept;
/// Moves a checksum, or a difference (XOR) of two, over `length_bytes` bytes that follow: with
/// equally long a and b, crc32c(a + c) ^ crc32c(b + c) == crc32c_moved(crc32c(a) ^ crc32c(b), |c|).
uint32_t crc32c_moved(uint32_t checksum, uint64_t length_bytes) noexcept;
/// The checksum of a + b from that of each.
inline uint32_t crc32c_joined(uint32_t a, uint32_t b, uint64_t b_bytes) noexcept {
  return crc32c_moved(a, b_bytes) ^ b;
}
/// What crc32c runs on this machine: "sse4.2", "armv8-crc" or "scalar".
std::string_view crc32c_kernel_name() noexcept;

}  // namespace npk::simd

#endif  // NPK_SIMD_CRC32C_H_
