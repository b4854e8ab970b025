#include "simd/bits_vpopcnt.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "simd/prefetch.h"

// GCC 12 takes the undefined source of its own unmasked intrinsics for a mistake of ours.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define NPK_VPOPCNT \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq,bmi2,popcnt")))

namespace npk::simd {
namespace {

constexpr size_t kBytes = 64;
constexpr size_t kGroup = 8;  // Rows whose sums are finished together.

NPK_VPOPCNT inline __m512i add_pairs(__m512i a, __m512i b) {
  return _mm512_add_epi64(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

NPK_VPOPCNT inline __m512i add_quarters(__m512i a, __m512i b) {
  // a: four quarters, each with a sum of row 0 and one of row 1; b: rows 2 and 3.
  return _mm512_add_epi64(_mm512_shuffle_i64x2(a, b, 0x88), _mm512_shuffle_i64x2(a, b, 0xdd));
}

/// Lane i of the result is the sum of the lanes of v[i]: 7 additions for eight rows together
/// instead of 3 for each.
NPK_VPOPCNT inline __m512i add_lanes_of_eight(const __m512i* v) {
  const __m512i rows_0123 = add_quarters(add_pairs(v[0], v[1]), add_pairs(v[2], v[3]));
  const __m512i rows_4567 = add_quarters(add_pairs(v[4], v[5]), add_pairs(v[6], v[7]));
  return add_quarters(rows_0123, rows_4567);
}

template <bool kHamming>
NPK_VPOPCNT inline void count_row(const std::byte* row, const std::byte* query, size_t bytes,
                                  Ahead ahead, __m512i* first, __m512i* second) {
  __m512i one = _mm512_setzero_si512();
  __m512i two = _mm512_setzero_si512();
  size_t at = 0;
  for (; at + kBytes <= bytes; at += kBytes) {
    const __m512i x = _mm512_loadu_si512(row + at);
    const __m512i q = _mm512_loadu_si512(query + at);
    prefetch_ahead(row + at, ahead);
    const __m512i both = kHamming ? _mm512_xor_si512(x, q) : _mm512_and_si512(x, q);
    one = _mm512_add_epi64(one, _mm512_popcnt_epi64(both));
    if constexpr (!kHamming) {
      two = _mm512_add_epi64(two, _mm512_popcnt_epi64(_mm512_or_si512(x, q)));
    }
  }
  if (at < bytes) {
    const __mmask64 mask = _bzhi_u64(~0ULL, static_cast<unsigned>(bytes - at));
    const __m512i x = _mm512_maskz_loadu_epi8(mask, row + at);
    const __m512i q = _mm512_maskz_loadu_epi8(mask, query + at);
    const __m512i both = kHamming ? _mm512_xor_si512(x, q) : _mm512_and_si512(x, q);
    one = _mm512_add_epi64(one, _mm512_popcnt_epi64(both));
    if constexpr (!kHamming) {
      two = _mm512_add_epi64(two, _mm512_popcnt_epi64(_mm512_or_si512(x, q)));
    }
  }
  *first = one;
  *second = two;
}

template <bool kHamming>
NPK_VPOPCNT void scan_bits(const void* query_data, const RowBlock& block, double* first,
                           double* second) {
  const auto* query = static_cast<const std::byte*>(query_data);
  const std::byte* row = block.rows;
  __m512i one[kGroup];
  __m512i two[kGroup];
  for (size_t i = 0; i < block.count; i += kGroup) {
    const size_t rows = block.count - i < kGroup ? block.count - i : kGroup;
    for (size_t r = 0; r < kGroup; ++r) {
      if (r < rows) {
        count_row<kHamming>(row, query, block.dims, block.ahead, &one[r], &two[r]);
        row += block.dims;
      } else {
        one[r] = two[r] = _mm512_setzero_si512();
      }
    }
    const auto kept = static_cast<__mmask8>((1u << rows) - 1);
    _mm512_mask_storeu_pd(first + i, kept, _mm512_cvtepi64_pd(add_lanes_of_eight(one)));
    if constexpr (!kHamming) {
      _mm512_mask_storeu_pd(second + i, kept, _mm512_cvtepi64_pd(add_lanes_of_eight(two)));
    }
  }
}

constexpr BitKernels kTable = {scan_bits<true>, scan_bits<false>};

}  // namespace

const BitKernels* vpopcnt_bit_kernels() noexcept { return &kTable; }

}  // namespace npk::simd

#else

namespace npk::simd {

const BitKernels* vpopcnt_bit_kernels() noexcept { return nullptr; }

}  // namespace npk::simd

#endif
