// Which file systems keep locks and mappings coherent. Two machines that share a network file
// system can each hold "the" lock or see stale pages: a store there would be scrambled.
#ifndef NPK_IO_FILESYSTEM_KIND_H_
#define NPK_IO_FILESYSTEM_KIND_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "npk/status.h"

namespace npk::io {

/// The name of an unsafe file system by its statfs number; empty for all others. Plain FUSE counts
/// as safe: most of what it serves is local.
std::string_view unsafe_filesystem_name(uint64_t magic) noexcept;
/// The same for the file system that holds `path`.
Result<std::string> unsafe_filesystem_of(const std::string& path);

/// Whether a direct read (O_DIRECT) of the open file sees everything that was stored into shared
/// mappings of it before. False where that is not known.
Result<bool> direct_reads_see_mappings(int descriptor, const std::string& path);

}  // namespace npk::io

#endif  // NPK_IO_FILESYSTEM_KIND_H_
