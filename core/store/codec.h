// Little-endian integers to and from bytes: the only way numbers reach npk's files.
#ifndef NPK_CORE_STORE_CODEC_H_
#define NPK_CORE_STORE_CODEC_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace npk::internal {

template <std::unsigned_integral T>
void put_le(std::byte* at, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) at[i] = static_cast<std::byte>((value >> (8 * i)) & 0xff);
}

template <std::unsigned_integral T>
T get_le(const std::byte* at) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value | (static_cast<T>(std::to_integer<uint8_t>(at[i])) << (8 * i)));
  }
  return value;
}

template <std::unsigned_integral T>
void append_le(std::vector<std::byte>& out, T value) {
  out.resize(out.size() + sizeof(T));
  put_le(out.data() + out.size() - sizeof(T), value);
}

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_CODEC_H_
