// Element types: one table holds all that npk knows of each.
//
// Adding a type is one enumerator and one row of the table in core/base/dtype.cc.
#ifndef NPK_DTYPE_H_
#define NPK_DTYPE_H_

#include <bit>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "npk/status.h"

namespace npk {

/// On disk and in the C API: never renumber or reuse. 0–13 are NumPack's numbers.
enum class DType : uint8_t {
  kBool = 0,
  kUint8 = 1,
  kUint16 = 2,
  kUint32 = 3,
  kUint64 = 4,
  kInt8 = 5,
  kInt16 = 6,
  kInt32 = 7,
  kInt64 = 8,
  kFloat16 = 9,
  kFloat32 = 10,
  kFloat64 = 11,
  kComplex64 = 12,
  kComplex128 = 13,
  kBFloat16 = 14,
};

enum class DTypeKind : uint8_t { kBool, kUnsigned, kSigned, kFloat, kBrainFloat, kComplex };

struct DTypeInfo {
  DType dtype;
  std::string_view name;  ///< "float32"
  DTypeKind kind;
  uint32_t item_bytes;
  uint32_t swap_bytes;  ///< Width of one byte-order unit: 4 for complex64, whose item is 8.
};

/// All types, in the order of their numbers.
std::span<const DTypeInfo> dtype_table() noexcept;
/// Requires: a valid enumerator.
const DTypeInfo& dtype_info(DType dtype) noexcept;
inline std::string_view dtype_name(DType dtype) noexcept { return dtype_info(dtype).name; }
inline size_t dtype_item_bytes(DType dtype) noexcept { return dtype_info(dtype).item_bytes; }
/// "float32" → kFloat32. Errors: InvalidArgument that lists the known names.
Result<DType> dtype_from_name(std::string_view name);
/// Errors: Unsupported for a number that this version does not know.
Result<DType> dtype_from_number(uint64_t number);

/// IEEE 754 binary16 as bits; converts through float with round-to-nearest-even.
struct Float16 {
  uint16_t bits = 0;
  Float16() = default;
  explicit Float16(float value) noexcept;
  explicit operator float() const noexcept;
  static Float16 from_bits(uint16_t bits) noexcept { return std::bit_cast<Float16>(bits); }
  friend bool operator==(Float16 a, Float16 b) noexcept {
    return static_cast<float>(a) == static_cast<float>(b);
  }
};

/// The upper half of a float32 as bits; converts with round-to-nearest-even.
struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  explicit BFloat16(float value) noexcept;
  explicit operator float() const noexcept {
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  }
  static BFloat16 from_bits(uint16_t bits) noexcept { return std::bit_cast<BFloat16>(bits); }
  friend bool operator==(BFloat16 a, BFloat16 b) noexcept {
    return static_cast<float>(a) == static_cast<float>(b);
  }
};

/// dtype_of<float>() == DType::kFloat32, for every C++ type that has an element type.
template <typename T>
consteval DType dtype_of();
template <>
consteval DType dtype_of<bool>() {
  return DType::kBool;
}
template <>
consteval DType dtype_of<uint8_t>() {
  return DType::kUint8;
}
template <>
consteval DType dtype_of<uint16_t>() {
  return DType::kUint16;
}
template <>
consteval DType dtype_of<uint32_t>() {
  return DType::kUint32;
}
template <>
consteval DType dtype_of<uint64_t>() {
  return DType::kUint64;
}
template <>
consteval DType dtype_of<int8_t>() {
  return DType::kInt8;
}
template <>
consteval DType dtype_of<int16_t>() {
  return DType::kInt16;
}
template <>
consteval DType dtype_of<int32_t>() {
  return DType::kInt32;
}
template <>
consteval DType dtype_of<int64_t>() {
  return DType::kInt64;
}
template <>
consteval DType dtype_of<Float16>() {
  return DType::kFloat16;
}
template <>
consteval DType dtype_of<BFloat16>() {
  return DType::kBFloat16;
}
template <>
consteval DType dtype_of<float>() {
  return DType::kFloat32;
}
template <>
consteval DType dtype_of<double>() {
  return DType::kFloat64;
}
template <>
consteval DType dtype_of<std::complex<float>>() {
  return DType::kComplex64;
}
template <>
consteval DType dtype_of<std::complex<double>>() {
  return DType::kComplex128;
}

}  // namespace npk

#endif  // NPK_DTYPE_H_
