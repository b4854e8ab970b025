// prefetch_ahead: how the kernels ask for the memory that they will read.
//
// Twice: far ahead into the second-level cache, which can have many more lines under way than the
// first-level one and keeps going while a row is finished, and near ahead from there into the
// first. Measured with one query against 1M x 128 float16 from memory, of the read bandwidth: far
// into the first level 0.87, far into the second 1.00, both 1.03. The hardware's own prefetchers
// stop at page ends.
#ifndef NPK_SIMD_PREFETCH_H_
#define NPK_SIMD_PREFETCH_H_

#include <cstddef>
#include <cstdint>

namespace npk::simd {

/// How far ahead of what a kernel reads it asks for memory: into the second-level cache and into
/// the first. 0: nowhere, where what follows is not wanted.
struct Ahead {
  size_t far_bytes = 8192;
  size_t near_bytes = 1024;
};

/// Asks for two lines behind `at`. An address past the end is no access: prefetches do not fault.
/// Always inlined: a copy could be compiled for one target and be run on another.
__attribute__((always_inline)) inline void prefetch_ahead(const void* at, Ahead ahead) {
  const auto address = reinterpret_cast<uintptr_t>(at);
  __builtin_prefetch(reinterpret_cast<const void*>(address + ahead.far_bytes), 0, 2);
  __builtin_prefetch(reinterpret_cast<const void*>(address + ahead.near_bytes), 0, 3);
}

}  // namespace npk::simd

#endif  // NPK_SIMD_PREFETCH_H_
