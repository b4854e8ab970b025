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
using Lane = long long __attribute__((vector_size(64)));

using Floats = float __attribute__((vector_size(64)));

/// 24 independent multiply-adds of 16 floats each, `steps` times, nothing from memory.
__attribute__((target("avx512f"))) inline float multiply_add_512(uint64_t steps) {
  Floats x = {1.0f};
  Floats y = {1e-3f};
  asm volatile("" : "+v"(x), "+v"(y));
#define NPK_ACC8(p) \
  Floats p##0 = x, p##1 = x, p##2 = x, p##3 = x, p##4 = x, p##5 = x, p##6 = x, p##7 = x
  NPK_ACC8(a);
  NPK_ACC8(b);
  NPK_ACC8(c);
#undef NPK_ACC8
  for (uint64_t i = 0; i < steps; ++i) {
#define NPK_FMA(v) asm volatile("vfmadd231ps %1, %2, %0" : "+v"(v) : "v"(x), "v"(y))
#define NPK_FMA8(p) \
  NPK_FMA(p##0);    \
  NPK_FMA(p##1);    \
  NPK_FMA(p##2);    \
  NPK_FMA(p##3);    \
  NPK_FMA(p##4);    \
  NPK_FMA(p##5);    \
  NPK_FMA(p##6);    \
  NPK_FMA(p##7)
    NPK_FMA8(a);
    NPK_FMA8(b);
    NPK_FMA8(c);
#undef NPK_FMA8
#undef NPK_FMA
  }
  const Floats all = ((a0 + a1) + (a2 + a3)) + ((a4 + a5) + (a6 + a7)) + ((b0 + b1) + (b2 + b3)) +
                     ((b4 + b5) + (b6 + b7)) + ((c0 + c1) + (c2 + c3)) + ((c4 + c5) + (c6 + c7));
  return all[0];
}

/// Sum of whole 64-byte lines, eight at a time, as fast as one core reads: 4 KiB ahead asked for
/// where that helps.
template <bool kAsksAhead>
__attribute__((target("avx512f"))) uint64_t sum_lines_512(const std::byte* from, size_t lines) {
  Lane sums[8] = {};
  for (size_t i = 0; i + 8 <= lines; i += 8) {
    for (size_t s = 0; s < 8; ++s) {
      Lane line;
      std::memcpy(&line, from + (i + s) * 64, 64);
      if constexpr (kAsksAhead) {
        const auto at = reinterpret_cast<uintptr_t>(from + (i + s) * 64);
        __builtin_prefetch(reinterpret_cast<const void*>(at + 4096));
      }
      sums[s] += line;
    }
  }
  Lane all = {};
  for (const Lane& sum : sums) all += sum;
  return static_cast<uint64_t>(all[0] + all[3] + all[7]);
}
#endif

inline uint64_t sum_lines(const std::byte* from, size_t lines) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") != 0) {
    const bool asks_ahead = simd::prefetch_policy().sequential.far_bytes != 0;
    return (asks_ahead ? sum_lines_512<true> : sum_lines_512<false>)(from, lines);
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

/// As many multiply-adds as the products of all rows with all queries take.
inline void multiply_all(uint64_t products, uint32_t threads) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") == 0) return;
  constexpr uint64_t kPerStep = 24 * 16;
  internal::run_on_threads(threads, [&](uint32_t) {
    sink += static_cast<uint64_t>(multiply_add_512(products / kPerStep / threads));
  });
#endif
}

}  // namespace npk

#endif  // NPK_BENCHES_SEARCH_PROBES_H_
