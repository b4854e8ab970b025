#include "simd/bits_vpopcnt.h"

#if defined(__x86_64__)

#include "simd/avx3_dl.h"
#include "simd/prefetch.h"

namespace npk::simd {
namespace {

constexpr size_t kBytes = 64;
constexpr size_t kGroup = 8;  // Rows whose lanes are added up together: 7 additions, not 8 * 3.

NPK_AVX3_DL_INLINE __m512i add_pairs_of_64(__m512i a, __m512i b) {
  return _mm512_add_epi64(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

NPK_AVX3_DL_INLINE __m512i add_quarters_of_64(__m512i a, __m512i b) {
  // a: four quarters, each with a sum of row 0 and one of row 1; b: rows 2 and 3.
  return _mm512_add_epi64(_mm512_shuffle_i64x2(a, b, 0x88), _mm512_shuffle_i64x2(a, b, 0xdd));
}

/// The bits of a row in 8 lanes.
struct Lanes {
  __m512i first;
  __m512i second;
};

template <bool kHamming>
NPK_AVX3_DL_INLINE void count_line(__m512i x, __m512i q, Lanes& lanes) {
  // Kept in a register: GCC would load it once for each use.
  asm("" : "+v"(x));
  const __m512i both = kHamming ? _mm512_xor_si512(x, q) : _mm512_and_si512(x, q);
  lanes.first = _mm512_add_epi64(lanes.first, _mm512_popcnt_epi64(both));
  if constexpr (!kHamming) {
    lanes.second = _mm512_add_epi64(lanes.second, _mm512_popcnt_epi64(_mm512_or_si512(x, q)));
  }
}

template <bool kHamming>
NPK_AVX3_DL_INLINE Lanes count_row(const std::byte* row, const std::byte* query, size_t bytes,
                                   Ahead ahead) {
  Lanes lanes = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  size_t at = 0;
  for (; at + kBytes <= bytes; at += kBytes) {
    prefetch_ahead(row + at, ahead);
    count_line<kHamming>(_mm512_loadu_si512(row + at), _mm512_loadu_si512(query + at), lanes);
  }
  if (at < bytes) {
    const __mmask64 mask = _bzhi_u64(~0ULL, static_cast<unsigned>(bytes - at));
    count_line<kHamming>(_mm512_maskz_loadu_epi8(mask, row + at),
                         _mm512_maskz_loadu_epi8(mask, query + at), lanes);
  }
  return lanes;
}

/// Of four rows, of which `count` are there: halves of their numbers, in one vector each.
template <bool kHamming>
NPK_AVX3_DL_INLINE Lanes count_four(const std::byte* rows, size_t count, const std::byte* query,
                                    size_t bytes, Ahead ahead) {
  // Of a row behind the last one there are no bytes.
  const auto bytes_of = [&](size_t r) { return r < count ? bytes : 0; };
  const Lanes a = count_row<kHamming>(rows, query, bytes_of(0), ahead);
  const Lanes b = count_row<kHamming>(rows + bytes, query, bytes_of(1), ahead);
  const Lanes c = count_row<kHamming>(rows + 2 * bytes, query, bytes_of(2), ahead);
  const Lanes d = count_row<kHamming>(rows + 3 * bytes, query, bytes_of(3), ahead);
  Lanes four = {
      add_quarters_of_64(add_pairs_of_64(a.first, b.first), add_pairs_of_64(c.first, d.first)),
      a.second};
  if constexpr (!kHamming) {
    four.second = add_quarters_of_64(add_pairs_of_64(a.second, b.second),
                                     add_pairs_of_64(c.second, d.second));
  }
  return four;
}

template <bool kHamming>
NPK_AVX3_DL void scan_bits(const void* query_data, const RowBlock& block, double* first,
                           double* second) {
  const auto* query = static_cast<const std::byte*>(query_data);
  const size_t bytes = block.dims;
  const Ahead ahead = block.ahead;
  for (size_t i = 0; i < block.count; i += kGroup) {
    const std::byte* rows = block.rows + i * bytes;
    const size_t count = block.count - i < kGroup ? block.count - i : kGroup;
    const size_t behind = count > 4 ? count - 4 : 0;
    const Lanes low = count_four<kHamming>(rows, count, query, bytes, ahead);
    const Lanes high = count_four<kHamming>(rows + 4 * bytes, behind, query, bytes, ahead);
    const auto kept = static_cast<__mmask8>((1u << count) - 1);
    const __m512i firsts = add_quarters_of_64(low.first, high.first);
    _mm512_mask_storeu_pd(first + i, kept, _mm512_cvtepi64_pd(firsts));
    if constexpr (!kHamming) {
      const __m512i seconds = add_quarters_of_64(low.second, high.second);
      _mm512_mask_storeu_pd(second + i, kept, _mm512_cvtepi64_pd(seconds));
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
