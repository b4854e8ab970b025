#include "npk/dtype.h"

#include <array>
#include <cmath>
#include <string>

#include "npk/internal/text.h"

namespace npk {
namespace {

constexpr std::array kTable = {
    DTypeInfo{DType::kBool, "bool", DTypeKind::kBool, 1, 1},
    DTypeInfo{DType::kUint8, "uint8", DTypeKind::kUnsigned, 1, 1},
    DTypeInfo{DType::kUint16, "uint16", DTypeKind::kUnsigned, 2, 2},
    DTypeInfo{DType::kUint32, "uint32", DTypeKind::kUnsigned, 4, 4},
    DTypeInfo{DType::kUint64, "uint64", DTypeKind::kUnsigned, 8, 8},
    DTypeInfo{DType::kInt8, "int8", DTypeKind::kSigned, 1, 1},
    DTypeInfo{DType::kInt16, "int16", DTypeKind::kSigned, 2, 2},
    DTypeInfo{DType::kInt32, "int32", DTypeKind::kSigned, 4, 4},
    DTypeInfo{DType::kInt64, "int64", DTypeKind::kSigned, 8, 8},
    DTypeInfo{DType::kFloat16, "float16", DTypeKind::kFloat, 2, 2},
    DTypeInfo{DType::kFloat32, "float32", DTypeKind::kFloat, 4, 4},
    DTypeInfo{DType::kFloat64, "float64", DTypeKind::kFloat, 8, 8},
    DTypeInfo{DType::kComplex64, "complex64", DTypeKind::kComplex, 8, 4},
    DTypeInfo{DType::kComplex128, "complex128", DTypeKind::kComplex, 16, 8},
    DTypeInfo{DType::kBFloat16, "bfloat16", DTypeKind::kBrainFloat, 2, 2},
};

consteval bool table_is_in_order() {
  for (size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<size_t>(kTable[i].dtype) != i) return false;
  }
  return true;
}
static_assert(table_is_in_order(), "dtype_info() indexes the table by number");

}  // namespace

std::span<const DTypeInfo> dtype_table() noexcept { return kTable; }

const DTypeInfo& dtype_info(DType dtype) noexcept { return kTable[static_cast<size_t>(dtype)]; }

Result<DType> dtype_from_name(std::string_view name) {
  std::string known;
  for (const DTypeInfo& info : kTable) {
    if (info.name == name) return info.dtype;
    known += internal::concat(known.empty() ? "" : ", ", info.name);
  }
  return Status::invalid_argument(
      internal::concat("unknown element type '", name, "'; known are ", known));
}

Result<DType> dtype_from_number(uint64_t number) {
  if (number < kTable.size()) return kTable[number].dtype;
  return Status::unsupported(
      internal::concat("element type number ", number, " is not known to this version"));
}

Float16::Float16(float value) noexcept {
  const uint32_t in = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (in >> 16) & 0x8000u;
  const uint32_t magnitude = in & 0x7fffffffu;
  if (magnitude >= 0x7f800000u) {  // Infinity, or NaN with its top payload bits and the quiet bit.
    const uint32_t payload = magnitude > 0x7f800000u ? 0x200u | ((magnitude >> 13) & 0x3ffu) : 0u;
    bits = static_cast<uint16_t>(sign | 0x7c00u | payload);
  } else if (magnitude >= 0x477ff000u) {  // Rounds to 65536 or more.
    bits = static_cast<uint16_t>(sign | 0x7c00u);
  } else if (magnitude >= 0x38800000u) {  // Normal: rebias the exponent, round the 13 low bits.
    const uint32_t odd = (magnitude >> 13) & 1u;
    bits = static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
  } else {  // Subnormal or zero: the sum's low bits are the rounded multiple of 2^-24.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    bits = static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
  }
}

Float16::operator float() const noexcept {
  const uint32_t sign = (bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1fu;
  const uint32_t fraction = bits & 0x3ffu;
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
    return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
  }
  const uint32_t wide = exponent == 31 ? 0xffu : exponent + 112u;
  return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

BFloat16::BFloat16(float value) noexcept {
  const uint32_t in = std::bit_cast<uint32_t>(value);
  if ((in & 0x7fffffffu) > 0x7f800000u) {
    bits = static_cast<uint16_t>((in >> 16) | 0x40u);
  } else {
    bits = static_cast<uint16_t>((in + 0x7fffu + ((in >> 16) & 1u)) >> 16);
  }
}

}  // namespace npk
