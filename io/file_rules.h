// What every kind of File does alike, so that the simulated one cannot drift from the real one: the
// statuses of misuse and of short files, and how bytes are stored into a mapping.
#ifndef NPK_IO_FILE_RULES_H_
#define NPK_IO_FILE_RULES_H_

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "io/env.h"

namespace npk::io {

/// Offsets are signed in the kernel.
inline constexpr uint64_t kMaxFileBytes = std::numeric_limits<int64_t>::max();

/// EFBIG if the range reaches past kMaxFileBytes.
Status check_range(uint64_t offset_bytes, uint64_t length_bytes, std::string_view action,
                   const std::string& path);
/// InvalidArgument if the path holds a NUL, at which the kernel would cut it off.
Status check_path(const std::string& path);
Status read_only_status(std::string_view action, const std::string& path);
/// The read of `wanted_bytes` from offset_bytes found that the file ends at end_bytes.
Status past_end_status(uint64_t offset_bytes, uint64_t wanted_bytes, uint64_t end_bytes,
                       const std::string& path);

/// memcpy, but an aligned word goes in one piece and after all that was stored before: other
/// threads and processes that load it see the old or the new word, never a mixture.
inline void store_bytes(std::byte* to, Bytes bytes) {
  if (bytes.size() == sizeof(uint64_t) && reinterpret_cast<uintptr_t>(to) % 8 == 0) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof(word));
    __atomic_store_n(reinterpret_cast<uint64_t*>(to), word, __ATOMIC_RELEASE);
  } else if (!bytes.empty()) {
    std::memcpy(to, bytes.data(), bytes.size());
  }
}

}  // namespace npk::io

#endif  // NPK_IO_FILE_RULES_H_
