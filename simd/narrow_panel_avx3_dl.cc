// The panel kernels of narrow elements for AVX3_DL: simd/narrow_panel.h.
//
// Eight rows times three vectors of queries, as in simd/panel.cc; a step is a word of 32 bits.
#include "simd/narrow_panel.h"

#if defined(__x86_64__)

#include <cstring>

#include "simd/narrow_panel_avx3_dl.h"
#include "simd/narrow_panel_int16.h"

namespace npk::simd {
namespace {

constexpr size_t kTileRows = 8;

template <Query kQuery>
NPK_AVX3_DL_INLINE __m512i multiplied(__m512i sum, __m512i row, __m512i query) {
  if constexpr (kQuery == Query::kInt16) return _mm512_dpwssd_epi32(sum, row, query);
  return kQuery == Query::kInt8 ? _mm512_dpbusd_epi32(sum, row, query)
                                : _mm512_dpbusd_epi32(sum, query, row);
}

/// The sums of kRows rows from `first` on with the whole panel, as integers.
template <Query kQuery, size_t kVectors, size_t kRows>
NPK_AVX3_DL_INLINE void tile(const NarrowPanelRows& rows, const NarrowPanelQueries& queries,
                             size_t first, float* dots) {
  constexpr size_t kWidth = kVectors * kNarrowPanelLanes;
  const std::byte* row = rows.rows + first * rows.step_bytes;
  const std::byte* query = queries.packed;
  UpcomingRequests next(rows.upcoming, first / kTileRows, (rows.count + kTileRows - 1) / kTileRows,
                        rows.words);
#define NPK_EACH_ROW(M) \
  M(0) if constexpr (kRows > 1) { M(1) M(2) M(3) M(4) M(5) M(6) M(7) }
  const __m512i zero = _mm512_setzero_si512();
  constexpr bool kStarts = kQuery != Query::kInt16;
  const __m512i start0 = kStarts ? _mm512_loadu_si512(queries.starts) : zero;
  const __m512i start1 = kStarts && kVectors > 1 ? _mm512_loadu_si512(queries.starts + 16) : zero;
  const __m512i start2 = kStarts && kVectors > 2 ? _mm512_loadu_si512(queries.starts + 32) : zero;
  __m512i a0 = start0, a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0;
  __m512i b0 = start1, b1 = b0, b2 = b0, b3 = b0, b4 = b0, b5 = b0, b6 = b0, b7 = b0;
  __m512i c0 = start2, c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
  const size_t step_bytes = rows.step_bytes;
  const size_t words = rows.words;
  // GCC 12 spills the sums if the rows are walked by a pointer, or the loop tests at its end.
  for (size_t j = 0; j < words; ++j, query += kWidth * kNarrowWordBytes) {
    next.ask();
    const __m512i q0 = _mm512_loadu_si512(query);
    const __m512i q1 = kVectors > 1 ? _mm512_loadu_si512(query + 64) : zero;
    const __m512i q2 = kVectors > 2 ? _mm512_loadu_si512(query + 128) : zero;
#define NPK_MULTIPLY(r)                                                                \
  {                                                                                    \
    int32_t word;                                                                      \
    std::memcpy(&word, row + (r)*step_bytes + j * kNarrowWordBytes, kNarrowWordBytes); \
    const __m512i x = _mm512_set1_epi32(word);                                         \
    a##r = multiplied<kQuery>(a##r, x, q0);                                            \
    if constexpr (kVectors > 1) b##r = multiplied<kQuery>(b##r, x, q1);                \
    if constexpr (kVectors > 2) c##r = multiplied<kQuery>(c##r, x, q2);                \
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

template <Query kQuery, size_t kVectors>
NPK_AVX3_DL void panel(const NarrowPanelRows& rows, const NarrowPanelQueries& queries, float* dots,
                       uint64_t* passing) {
  size_t r = 0;
  for (; r + kTileRows <= rows.count; r += kTileRows) {
    tile<kQuery, kVectors, kTileRows>(rows, queries, r, dots);
  }
  for (; r < rows.count; ++r) tile<kQuery, kVectors, 1>(rows, queries, r, dots);
  finish<kQuery, kVectors * kNarrowPanelLanes>(rows, queries, dots, passing);
}

/// Squares of 32 bytes, two to a lane: a lane stays below 2^31 up to kMostInt32Dims.
template <bool kSigned>
NPK_AVX3_DL_INLINE __m512i add_squares(__m512i sum, __m256i bytes) {
  const __m512i wide = kSigned ? _mm512_cvtepi8_epi16(bytes) : _mm512_cvtepu8_epi16(bytes);
  return _mm512_dpwssd_epi32(sum, wide, wide);
}

template <bool kSigned>
NPK_AVX3_DL void prepare_rows(const std::byte* rows, size_t count, size_t dims, uint8_t flip,
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
    // All lanes together stay below 2^31: see kMostInt32Dims.
    squares[r] = static_cast<float>(_mm512_reduce_add_epi32(_mm512_add_epi32(sum0, sum1)));
  }
}

void prepare_bytes(const std::byte* rows, size_t count, size_t dims, bool is_signed, uint8_t flip,
                   std::byte* to, size_t step_bytes, float* squares) {
  (is_signed ? prepare_rows<true> : prepare_rows<false>)(rows, count, dims, flip, to, step_bytes,
                                                         squares);
}

NPK_AVX3_DL_INLINE float square_norm(const std::byte* row, size_t dims) {
  __m512 sum0 = _mm512_setzero_ps();
  __m512 sum1 = sum0;
  for (size_t j = 0; j < dims; j += 32) {
    const __m512 low = load_floats(row, j, dims);
    const __m512 high = load_floats(row, j + 16, dims);
    sum0 = _mm512_fmadd_ps(low, low, sum0);
    sum1 = _mm512_fmadd_ps(high, high, sum1);
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(sum0, sum1));
}

NPK_AVX3_DL void square_norms(const std::byte* rows, size_t count, size_t dims,
                              UpcomingRequests& /*upcoming*/, float* squares) {
  for (size_t r = 0; r < count; ++r) {
    squares[r] = square_norm(rows + r * dims * sizeof(float), dims);
  }
}

NPK_AVX3_DL_INLINE void scale_row(const std::byte* row, size_t dims, float factor, std::byte* to) {
  // From 2^23 to 2^24 the last bit of a float32 is worth 1: its lower half is the int16.
  const __m512 magic = _mm512_set1_ps(0x1.8p23f);
  const __m512 factors = _mm512_set1_ps(factor);
  alignas(64) static constexpr uint16_t kLowerHalves[32] = {
      0,  2,  4,  6,  8,  10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30,
      32, 34, 36, 38, 40, 42, 44, 46, 48, 50, 52, 54, 56, 58, 60, 62};
  const __m512i lower = _mm512_load_si512(kLowerHalves);
  for (size_t j = 0; j < dims; j += 32) {
    const __m512 first = _mm512_fmadd_ps(load_floats(row, j, dims), factors, magic);
    const __m512 second = _mm512_fmadd_ps(load_floats(row, j + 16, dims), factors, magic);
    _mm512_storeu_si512(to + j * 2, _mm512_permutex2var_epi16(_mm512_castps_si512(first), lower,
                                                              _mm512_castps_si512(second)));
  }
}

NPK_AVX3_DL void scale_rows(const std::byte* rows, size_t count, size_t dims, const float* factors,
                            UpcomingRequests& /*upcoming*/, std::byte* to, size_t step_bytes) {
  for (size_t r = 0; r < count; ++r) {
    scale_row(rows + r * dims * sizeof(float), dims, factors[r], to + r * step_bytes);
  }
}

constexpr NarrowPanelKernels kTable = {
    {panel<Query::kInt8, 1>, panel<Query::kInt8, 2>, panel<Query::kInt8, 3>},
    {panel<Query::kUint8, 1>, panel<Query::kUint8, 2>, panel<Query::kUint8, 3>},
    prepare_bytes,
    1,
    Rounding::kInt16,
    {panel<Query::kInt16, 1>, panel<Query::kInt16, 2>, panel<Query::kInt16, 3>},
    prepare_int16<square_norms, scale_rows, 32>,
    nullptr,
    kMaxPanelVectors,
    1,
    9,
    24,
    0};

}  // namespace

const NarrowPanelKernels& avx3_dl_narrow_panel_kernels() noexcept { return kTable; }

const NarrowPanelKernels* narrow_panel_kernels(Target target) noexcept {
  if (target == Target::kAmx) return &amx_narrow_panel_kernels();
  if (target == Target::kAvx3Dl) return &kTable;
  if (target == Target::kAvx3) return &avx3_narrow_panel_kernels();
  return target == Target::kAvx2 ? &avx2_narrow_panel_kernels() : nullptr;
}

}  // namespace npk::simd

#else

namespace npk::simd {

const NarrowPanelKernels* narrow_panel_kernels(Target) noexcept { return nullptr; }

}  // namespace npk::simd

#endif
