// What the machine itself can do, measured beside searches: reading memory, multiplying and adding.
#ifndef NPK_BENCHES_SEARCH_PROBES_H_
#define NPK_BENCHES_SEARCH_PROBES_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/base/threads.h"
#include "simd/prefetch.h"

namespace npk {

inline std::atomic<uint64_t> sink{0};  // What the probes computed, so that it is computed.

#if defined(__x86_64__)
// Each for AVX-512 and for AVX2. Macros: a vector type in a function that is inlined into one of
// another target would be taken apart before.

/// 12 independent multiply-adds of vectors of floats, `steps` times, nothing from memory: more than
/// the four cycles that one takes times the two that begin in each.
#define NPK_MULTIPLY_ADD(name, isa, wide_bytes)                                                \
  __attribute__((target(isa))) inline float name(uint64_t steps) {                             \
    using Floats = float __attribute__((vector_size(wide_bytes)));                             \
    Floats x = {1.0f};                                                                         \
    Floats y = {1e-3f};                                                                        \
    asm volatile("" : "+v"(x), "+v"(y));                                                       \
    Floats a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x; \
    for (uint64_t step = 0; step < steps; ++step) {                                            \
      NPK_FMA4(a, b, c, d);                                                                    \
      NPK_FMA4(e, f, g, h);                                                                    \
      NPK_FMA4(i, j, k, l);                                                                    \
    }                                                                                          \
    const Floats all = ((a + b) + (c + d)) + ((e + f) + (g + h)) + ((i + j) + (k + l));        \
    return all[0];                                                                             \
  }
#define NPK_FMA(v) asm volatile("vfmadd231ps %1, %2, %0" : "+v"(v) : "v"(x), "v"(y))
#define NPK_FMA4(p, q, r, s) \
  NPK_FMA(p);                \
  NPK_FMA(q);                \
  NPK_FMA(r);                \
  NPK_FMA(s)
NPK_MULTIPLY_ADD(multiply_add_512, "avx512f", 64)
NPK_MULTIPLY_ADD(multiply_add_256, "avx2,fma", 32)
#undef NPK_FMA4
#undef NPK_FMA
#undef NPK_MULTIPLY_ADD

/// Sum of whole 64-byte lines, eight vectors at a time, as fast as one core reads: at kPlaces
/// places at once, 4 KiB ahead asked for where that helps.
#define NPK_SUM_LINES(name, isa, wide_bytes)                                         \
  template <size_t kPlaces, bool kAsksAhead>                                         \
  __attribute__((target(isa))) uint64_t name(const std::byte* from, size_t lines) {  \
    using Lane = long long __attribute__((vector_size(wide_bytes)));                 \
    Lane sums[8] = {};                                                               \
    constexpr size_t kAtOnce = 8 / kPlaces;                                          \
    const size_t steps = lines * 64 / (8 * (wide_bytes));                            \
    const size_t apart = steps * kAtOnce * (wide_bytes);                             \
    for (size_t i = 0; i < steps; ++i) {                                             \
      for (size_t s = 0; s < 8; ++s) {                                               \
        const std::byte* at =                                                        \
            from + s / kAtOnce * apart + (i * kAtOnce + s % kAtOnce) * (wide_bytes); \
        Lane lane;                                                                   \
        std::memcpy(&lane, at, wide_bytes);                                          \
        if constexpr (kAsksAhead) {                                                  \
          const auto ahead = reinterpret_cast<uintptr_t>(at) + 4096;                 \
          __builtin_prefetch(reinterpret_cast<const void*>(ahead));                  \
        }                                                                            \
        sums[s] += lane;                                                             \
      }                                                                              \
    }                                                                                \
    Lane all = {};                                                                   \
    for (const Lane& sum : sums) all += sum;                                         \
    return static_cast<uint64_t>(all[0] + all[1] + all[3]);                          \
  }
NPK_SUM_LINES(sum_lines_512, "avx512f", 64)
NPK_SUM_LINES(sum_lines_256, "avx2", 32)
#undef NPK_SUM_LINES
#endif

inline uint64_t sum_lines(const std::byte* from, size_t lines) {
#if defined(__x86_64__)
  const simd::PrefetchPolicy& policy = simd::prefetch_policy();
  const bool asks_ahead = policy.sequential.far_bytes != 0;
  if (__builtin_cpu_supports("avx512f") != 0) {
    return (asks_ahead ? sum_lines_512<1, true> : sum_lines_512<1, false>)(from, lines);
  }
  if (__builtin_cpu_supports("avx2") != 0) {
    if (policy.in_quarters) return sum_lines_256<4, false>(from, lines);
    return (asks_ahead ? sum_lines_256<1, true> : sum_lines_256<1, false>)(from, lines);
  }
#endif
  uint64_t sums[16] = {};
  for (size_t i = 0; i + 2 <= lines; i += 2) {
    for (size_t s = 0; s < 16; ++s) {
      uint64_t word;
      std::memcpy(&word, from + i * 64 + s * 8, 8);
      sums[s] += word;
    }
  }
  uint64_t all = 0;
  for (const uint64_t sum : sums) all += sum;
  return all;
}

/// Reads all the bytes with as many threads as the scan, in chunks as large as the scan's.
inline void read_all(const std::byte* from, uint64_t bytes, uint32_t threads) {
  constexpr uint64_t kChunk = 768u << 10;
  std::atomic<uint64_t> next{0};
  internal::run_on_threads(threads, [&](uint32_t) {
    uint64_t sum = 0;
    for (uint64_t at = next.fetch_add(kChunk); at < bytes; at = next.fetch_add(kChunk)) {
      sum += sum_lines(from + at, std::min(kChunk, bytes - at) / 64);
    }
    sink += sum;
  });
}

/// As many multiply-adds as the products of all rows with all queries take; at once where the
/// processor has none.
inline void multiply_all(uint64_t products, uint32_t threads) {
#if defined(__x86_64__)
  const bool is_wide = __builtin_cpu_supports("avx512f") != 0;
  if (!is_wide && __builtin_cpu_supports("fma") == 0) return;
  const uint64_t steps = products / (is_wide ? 12 * 16 : 12 * 8) / threads;
  internal::run_on_threads(threads, [&](uint32_t) {
    sink += static_cast<uint64_t>(is_wide ? multiply_add_512(steps) : multiply_add_256(steps));
  });
#endif
}

}  // namespace npk

#endif  // NPK_BENCHES_SEARCH_PROBES_H_
