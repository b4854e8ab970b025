// Ranges of zeroed memory at addresses that stay, for simulated mappings. A range may be far longer
// than memory: pages that nobody touches cost nothing. Ranges are kept for reuse, because a crash
// test makes and drops millions of small mappings and a system call for each would be most of it.
//
// Thread safety: all functions may be called from any threads.
#ifndef NPK_IO_SIM_MEMORY_H_
#define NPK_IO_SIM_MEMORY_H_

#include <cstddef>
#include <cstdint>

namespace npk::io {

/// Zeroed, page-aligned memory of capacity_bytes, a power of two of at least 4096. Null if there is
/// no address space for it.
std::byte* acquire_range(uint64_t capacity_bytes);
/// Gives it back. If `is_zeroed`, all of it is zero again and little of it was ever touched.
void release_range(std::byte* data, uint64_t capacity_bytes, bool is_zeroed);

}  // namespace npk::io

#endif  // NPK_IO_SIM_MEMORY_H_
