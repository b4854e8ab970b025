// Arithmetic behind CRC-32C, all of it at compile time: byte tables for the scalar twin, and tables
// that move a checksum over a run of zero bytes, by which interleaved lanes become one checksum.
//
// Polynomials over GF(2) in the reflected order of CRC-32C: bit 31 is the coefficient of x^0.
#ifndef NPK_SIMD_CRC32C_MATH_H_
#define NPK_SIMD_CRC32C_MATH_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace npk::simd::crc32c_math {

inline constexpr uint32_t kPolynomial = 0x82F63B78;  // 0x1EDC6F41 (RFC 3720, 12.1) reflected
inline constexpr uint32_t kOne = uint32_t{1} << 31;

constexpr uint32_t times_x(uint32_t a) { return (a >> 1) ^ ((a & 1) != 0 ? kPolynomial : 0); }

constexpr uint32_t multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = kOne; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) product ^= b;
    b = times_x(b);
  }
  return product;
}

/// x^exponent by repeated squaring.
constexpr uint32_t power_of_x(uint64_t exponent) {
  uint32_t result = kOne;
  for (uint32_t square = times_x(kOne); exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) result = multiply(result, square);
    square = multiply(square, square);
  }
  return result;
}

using ByteTable = std::array<uint32_t, 256>;

/// Products of all bytes, placed `shift_bits` up, with `factor`; multiplication is linear, so each
/// is the product without its lowest bit plus that of the bit.
constexpr ByteTable products(uint32_t shift_bits, uint32_t factor) {
  ByteTable table{};
  for (uint32_t byte = 1; byte < 256; ++byte) {
    const uint32_t rest = byte & (byte - 1);
    table[byte] =
        rest != 0 ? table[rest] ^ table[byte ^ rest] : multiply(byte << shift_bits, factor);
  }
  return table;
}

/// factor^0, factor^1, …
constexpr ByteTable powers(uint32_t factor) {
  ByteTable table{};
  table[0] = kOne;
  for (uint32_t i = 1; i < 256; ++i) table[i] = multiply(table[i - 1], factor);
  return table;
}

/// Eight tables for slice-by-8: table i advances a byte over i + 1 bytes.
constexpr std::array<ByteTable, 8> slice_tables() {
  std::array<ByteTable, 8> tables{};
  for (uint32_t i = 0; i < 8; ++i) tables[i] = products(0, power_of_x(8 * (i + 1)));
  return tables;
}

/// Moves a checksum register over `Length` zero bytes with four look-ups.
template <uint64_t Length>
struct ZeroRun {
  static constexpr uint32_t kFactor = power_of_x(8 * Length);
  static constexpr std::array<ByteTable, 4> kTables{products(0, kFactor), products(8, kFactor),
                                                    products(16, kFactor), products(24, kFactor)};
  static constexpr uint32_t advance(uint32_t crc) {
    return kTables[0][crc & 0xFF] ^ kTables[1][(crc >> 8) & 0xFF] ^ kTables[2][(crc >> 16) & 0xFF] ^
           kTables[3][crc >> 24];
  }
};

}  // namespace npk::simd::crc32c_math

#endif  // NPK_SIMD_CRC32C_MATH_H_
