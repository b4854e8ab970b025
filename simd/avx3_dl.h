// What the kernels for AVX3_DL share. Highway 1.0.3 has no safe target for it, hence intrinsics and
// files of their own, of functions that say themselves what they are compiled for.
//
// Included by .cc files only, where __x86_64__ is defined.
#ifndef NPK_SIMD_AVX3_DL_H_
#define NPK_SIMD_AVX3_DL_H_

#include <immintrin.h>

// GCC 12 takes the undefined source of its own unmasked intrinsics for a mistake of ours.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

/// A function that is called only on Target::kAvx3Dl.
#define NPK_AVX3_DL \
  __attribute__((   \
      target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vpopcntdq,bmi2,popcnt")))
#define NPK_AVX3_DL_INLINE NPK_AVX3_DL __attribute__((always_inline)) inline

namespace npk::simd {

/// Adds four products of an unsigned and a signed byte to each lane. Not by the intrinsic, around
/// which GCC 12 copies the sums from register to register (measured: a third more time).
NPK_AVX3_DL_INLINE void add_products(__m512i& sums, __m512i unsigned_bytes, __m512i signed_bytes) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(unsigned_bytes), "v"(signed_bytes));
}

NPK_AVX3_DL_INLINE __m512i add_neighbours(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}

NPK_AVX3_DL_INLINE __m512i add_pairs(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

NPK_AVX3_DL_INLINE __m512i add_quarters(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
}

/// Each quarter of the result: a quarter of the sums of the lanes of a, b, c and d.
NPK_AVX3_DL_INLINE __m512i add_lanes_of_four(__m512i a, __m512i b, __m512i c, __m512i d) {
  return add_pairs(add_neighbours(a, b), add_neighbours(c, d));
}

/// From the quarters of four times four rows to the sums of sixteen: 15 additions in all instead of
/// 4 for each.
NPK_AVX3_DL_INLINE __m512i add_lanes_of_sixteen(const __m512i* v) {
  return add_quarters(add_quarters(v[0], v[1]), add_quarters(v[2], v[3]));
}

}  // namespace npk::simd

#endif  // NPK_SIMD_AVX3_DL_H_
