#include "simd/prefetch.h"

namespace npk::simd {

// Measured with one query against 1M x 128 of each type from memory. Intel (Sapphire Rapids),
// float16, of the read bandwidth: far into the first level 0.87, far into the second 1.00, both
// 1.03; its own prefetchers stop at page ends. AMD (Zen 4), float32, one thread: 0.92 without,
// 0.68 with both; its own prefetchers keep up, and being told what they know slows them down.
Ahead sequential_ahead() noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_is("amd") != 0) return {};
#endif
  return {8192, 1024};
}

}  // namespace npk::simd
