// The library's version, and the versions of the formats it writes.
#ifndef NPK_VERSION_H_
#define NPK_VERSION_H_

#include <cstdint>
#include <string_view>

namespace npk {

inline constexpr std::string_view kVersion = "0.1.0";
/// Format of a store's files: written, and newest read. docs/format.md has the table.
inline constexpr uint32_t kStoreFormatVersion = 1;

}  // namespace npk

#endif  // NPK_VERSION_H_
