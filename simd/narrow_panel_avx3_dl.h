// What the panel kernels of narrow elements for AVX3_DL and for AMX share: simd/narrow_panel.h.
//
// Included by .cc files only, where __x86_64__ is defined.
#ifndef NPK_SIMD_NARROW_PANEL_AVX3_DL_H_
#define NPK_SIMD_NARROW_PANEL_AVX3_DL_H_

#include "simd/avx3_dl.h"
#include "simd/narrow_panel.h"

namespace npk::simd {

const NarrowPanelKernels& avx3_dl_narrow_panel_kernels() noexcept;
const NarrowPanelKernels& amx_narrow_panel_kernels() noexcept;

/// What a word of a query holds.
enum class Query : uint8_t { kInt8, kUint8, kInt16, kBFloat16 };

/// From the sums in `dots`, integers but of bfloat16, to dot products and what passes. Not in the
/// loop that computes them: GCC would keep them in memory all along to convert them from there.
template <Query kQuery, size_t kWidth>
NPK_AVX3_DL_INLINE void finish(const NarrowPanelRows& rows, const NarrowPanelQueries& queries,
                               float* dots, uint64_t* passing) {
  constexpr bool kHasUnits = kQuery == Query::kInt16 || kQuery == Query::kBFloat16;
  for (size_t r = 0; r < rows.count; ++r, dots += kWidth) {
    const __m512 length = _mm512_set1_ps(rows.lengths[r]);
    const __m512 offset = _mm512_set1_ps(rows.offsets[r]);
    passing[r] = 0;
    for (size_t q = 0; q < kWidth; q += kNarrowPanelLanes) {
      __m512 dot = _mm512_loadu_ps(dots + q);
      if constexpr (kQuery != Query::kBFloat16) {
        dot = _mm512_cvtepi32_ps(_mm512_castps_si512(dot));
      }
      if constexpr (kHasUnits) {
        const __m512 unit = _mm512_set1_ps(rows.units[r]);
        dot = _mm512_mul_ps(dot, _mm512_mul_ps(unit, _mm512_loadu_ps(queries.units + q)));
      }
      _mm512_storeu_ps(dots + q, dot);
      const __m512 base = _mm512_add_ps(_mm512_loadu_ps(queries.bounds + q), offset);
      const __m512 bound = _mm512_fmadd_ps(_mm512_loadu_ps(queries.slopes + q), length, base);
      passing[r] |= uint64_t{_mm512_cmp_ps_mask(dot, bound, _CMP_NLT_UQ)} << q;
    }
  }
}

/// Requires: count <= 16.
NPK_AVX3_DL_INLINE __m512 load_first_floats(const std::byte* from, size_t count) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((uint32_t{1} << count) - 1), from);
}

/// Elements j to j + 15 of `dims`, zeros behind the last one.
NPK_AVX3_DL_INLINE __m512 load_floats(const std::byte* row, size_t j, size_t dims) {
  if (j >= dims) return _mm512_setzero_ps();
  const std::byte* from = row + j * sizeof(float);
  return dims - j < 16 ? load_first_floats(from, dims - j) : _mm512_loadu_ps(from);
}

}  // namespace npk::simd

#endif  // NPK_SIMD_NARROW_PANEL_AVX3_DL_H_
