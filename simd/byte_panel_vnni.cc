// The panel kernels of bytes for AVX-512 with VNNI: simd/byte_panel.h. Highway 1.0.3 has no target
// for it, hence a file of its own.
//
// Eight rows times three vectors of queries, as in simd/panel.cc; a step is four elements.
#include "simd/byte_panel.h"

#if defined(__x86_64__)

#include <cstring>
#include <immintrin.h>

// GCC 12 takes the undefined source of its own unmasked intrinsics for a mistake of ours.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define NPK_VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,bmi2")))
#define NPK_VNNI_INLINE NPK_VNNI __attribute__((always_inline)) inline

namespace npk::simd {
namespace {

constexpr size_t kStep = 4;  // Elements of one lane.
constexpr size_t kTileRows = 8;

template <bool kSignedQuery>
NPK_VNNI_INLINE __m512i add_products(__m512i sum, __m512i row, __m512i query) {
  return kSignedQuery ? _mm512_dpbusd_epi32(sum, row, query) : _mm512_dpbusd_epi32(sum, query, row);
}

/// Row r, whose sums lie in `dots` as integers. Not in the loop that computes them: GCC would keep
/// them in memory all along to convert them from there.
NPK_VNNI_INLINE uint64_t finish(const BytePanelRows& rows, const BytePanelQueries& queries,
                                size_t r, size_t width, float* dots) {
  const __m512 length = _mm512_set1_ps(rows.lengths[r]);
  const __m512 offset = _mm512_set1_ps(rows.offsets[r]);
  uint64_t passing = 0;
  for (size_t q = 0; q < width; q += kBytePanelLanes) {
    const __m512 dot = _mm512_cvtepi32_ps(_mm512_loadu_si512(dots + q));
    _mm512_storeu_ps(dots + q, dot);
    const __m512 base = _mm512_add_ps(_mm512_loadu_ps(queries.bounds + q), offset);
    const __m512 bound = _mm512_fmadd_ps(_mm512_loadu_ps(queries.slopes + q), length, base);
    passing |= uint64_t{_mm512_cmp_ps_mask(dot, bound, _CMP_NLT_UQ)} << q;
  }
  return passing;
}

/// The sums of kRows rows from `first` on with the whole panel, as integers.
template <bool kSignedQuery, size_t kVectors, size_t kRows>
NPK_VNNI_INLINE void tile(const BytePanelRows& rows, const BytePanelQueries& queries, size_t first,
                          float* dots) {
  constexpr size_t kWidth = kVectors * kBytePanelLanes;
  const size_t steps = (rows.dims + kStep - 1) / kStep;
  const std::byte* row = rows.rows + first * rows.step_bytes;
  const std::byte* query = queries.packed;
  const size_t tiles = (rows.count + kTileRows - 1) / kTileRows;
  const size_t share = rows.next_bytes / tiles;
  auto next = reinterpret_cast<uintptr_t>(rows.next) + first / kTileRows * share;
  const size_t ahead = share / (steps + 1) + 1;
#define NPK_EACH_ROW(M) \
  M(0) if constexpr (kRows > 1) { M(1) M(2) M(3) M(4) M(5) M(6) M(7) }
  const __m512i zero = _mm512_setzero_si512();
  const __m512i start0 = _mm512_loadu_si512(queries.starts);
  const __m512i start1 = kVectors > 1 ? _mm512_loadu_si512(queries.starts + 16) : zero;
  const __m512i start2 = kVectors > 2 ? _mm512_loadu_si512(queries.starts + 32) : zero;
  __m512i a0 = start0, a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0;
  __m512i b0 = start1, b1 = b0, b2 = b0, b3 = b0, b4 = b0, b5 = b0, b6 = b0, b7 = b0;
  __m512i c0 = start2, c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
  const size_t step_bytes = rows.step_bytes;
  // GCC 12 spills the sums if the rows are walked by a pointer, or the loop tests at its end.
  for (size_t j = 0; j < steps; ++j, query += kWidth * kStep) {
    __builtin_prefetch(reinterpret_cast<const void*>(next), 0, 2);  // To the second-level cache.
    next += ahead;
    const __m512i q0 = _mm512_loadu_si512(query);
    const __m512i q1 = kVectors > 1 ? _mm512_loadu_si512(query + 64) : zero;
    const __m512i q2 = kVectors > 2 ? _mm512_loadu_si512(query + 128) : zero;
#define NPK_MULTIPLY(r)                                                         \
  {                                                                             \
    int32_t four;                                                               \
    std::memcpy(&four, row + (r)*step_bytes + j * kStep, kStep);                \
    const __m512i x = _mm512_set1_epi32(four);                                  \
    a##r = add_products<kSignedQuery>(a##r, x, q0);                             \
    if constexpr (kVectors > 1) b##r = add_products<kSignedQuery>(b##r, x, q1); \
    if constexpr (kVectors > 2) c##r = add_products<kSignedQuery>(c##r, x, q2); \
  }
    NPK_EACH_ROW(NPK_MULTIPLY)
#undef NPK_MULTIPLY
  }
#define NPK_STORE(r)                                                \
  {                                                                 \
    float* to = dots + (first + (r)) * kWidth;                      \
    _mm512_storeu_si512(to, a##r);                                  \
    if constexpr (kVectors > 1) _mm512_storeu_si512(to + 16, b##r); \
    if constexpr (kVectors > 2) _mm512_storeu_si512(to + 32, c##r); \
  }
  NPK_EACH_ROW(NPK_STORE)
#undef NPK_STORE
#undef NPK_EACH_ROW
}

template <bool kSignedQuery, size_t kVectors>
NPK_VNNI void panel(const BytePanelRows& rows, const BytePanelQueries& queries, float* dots,
                    uint64_t* passing) {
  size_t r = 0;
  for (; r + kTileRows <= rows.count; r += kTileRows) {
    tile<kSignedQuery, kVectors, kTileRows>(rows, queries, r, dots);
  }
  for (; r < rows.count; ++r) tile<kSignedQuery, kVectors, 1>(rows, queries, r, dots);
  constexpr size_t kWidth = kVectors * kBytePanelLanes;
  for (r = 0; r < rows.count; ++r) {
    passing[r] = finish(rows, queries, r, kWidth, dots + r * kWidth);
  }
}

/// Squares of 32 bytes, two to a lane: a lane stays below 2^31 up to kMostBytePanelDims.
template <bool kSigned>
NPK_VNNI_INLINE __m512i add_squares(__m512i sum, __m256i bytes) {
  const __m512i wide = kSigned ? _mm512_cvtepi8_epi16(bytes) : _mm512_cvtepu8_epi16(bytes);
  return _mm512_dpwssd_epi32(sum, wide, wide);
}

template <bool kSigned>
NPK_VNNI void prepare_rows(const std::byte* rows, size_t count, size_t dims, uint8_t flip,
                           std::byte* to, size_t step_bytes, float* squares) {
  const __m512i flips = _mm512_set1_epi8(static_cast<char>(flip));
  for (size_t r = 0; r < count; ++r, rows += dims, to += step_bytes) {
    __m512i sum0 = _mm512_setzero_si512();
    __m512i sum1 = sum0;
    for (size_t j = 0; j < dims; j += 64) {
      const size_t left = dims - j;
      const __mmask64 mask = left < 64 ? _bzhi_u64(~0ULL, static_cast<unsigned>(left)) : ~0ULL;
      const __m512i bytes = _mm512_maskz_loadu_epi8(mask, rows + j);
      sum0 = add_squares<kSigned>(sum0, _mm512_castsi512_si256(bytes));
      sum1 = add_squares<kSigned>(sum1, _mm512_extracti64x4_epi64(bytes, 1));
      _mm512_storeu_si512(to + j, _mm512_xor_si512(bytes, flips));
    }
    // All lanes together stay below 2^31: see kMostBytePanelDims.
    squares[r] = static_cast<float>(_mm512_reduce_add_epi32(_mm512_add_epi32(sum0, sum1)));
  }
}

void prepare(const std::byte* rows, size_t count, size_t dims, bool is_signed, uint8_t flip,
             std::byte* to, size_t step_bytes, float* squares) {
  (is_signed ? prepare_rows<true> : prepare_rows<false>)(rows, count, dims, flip, to, step_bytes,
                                                         squares);
}

constexpr BytePanelKernels kTable = {{panel<true, 1>, panel<true, 2>, panel<true, 3>},
                                     {panel<false, 1>, panel<false, 2>, panel<false, 3>},
                                     prepare};

}  // namespace

const BytePanelKernels* byte_panel_kernels(Target target) noexcept {
  return target == Target::kAvx3Dl ? &kTable : nullptr;
}

}  // namespace npk::simd

#else

namespace npk::simd {

const BytePanelKernels* byte_panel_kernels(Target) noexcept { return nullptr; }

}  // namespace npk::simd

#endif
