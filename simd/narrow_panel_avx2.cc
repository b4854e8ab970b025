// The panel kernels of narrow elements for AVX2: simd/narrow_panel.h.
//
// All elements are int16, bytes too: vpmaddubsw, which multiplies bytes, adds pairs of products in
// 16 bits. Six rows times the two registers of a vector of queries are 12 sums, which leave four of
// 16 registers. Panels are of one vector, so that they stay in a first-level cache.
#include "simd/narrow_panel.h"

#if defined(__x86_64__)

#include <cstring>
#include <immintrin.h>
#include <limits>

#include "simd/narrow_panel_int16.h"

/// A function that is called only on Target::kAvx2 and better ones.
#define NPK_AVX2 __attribute__((target("avx2,fma,bmi2,popcnt")))
/// GCC 12 otherwise reads a factor again for each product and copies each sum after it is added to.
#define NPK_IN_REGISTER(v) asm("" : "+x"(v))
#define NPK_AVX2_INLINE NPK_AVX2 __attribute__((always_inline)) inline

namespace npk::simd {
namespace {

constexpr size_t kLanes = 8;
constexpr size_t kTileRows = 6;

NPK_AVX2_INLINE __m256i load(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}
NPK_AVX2_INLINE void store(void* to, __m256i v) {
  _mm256_storeu_si256(static_cast<__m256i*>(to), v);
}

/// The sums of kRows rows from `first` on with the whole panel, as integers.
template <size_t kRows>
NPK_AVX2_INLINE void tile(const NarrowPanelRows& rows, const NarrowPanelQueries& queries,
                          size_t first, float* dots) {
  const std::byte* row = rows.rows + first * rows.step_bytes;
  const std::byte* query = queries.packed;
  UpcomingRequests next(rows.upcoming, first / kTileRows, (rows.count + kTileRows - 1) / kTileRows,
                        rows.words);
#define NPK_EACH_ROW(M)                            \
  M(0) if constexpr (kRows > 1) { M(1) M(2) M(3) } \
  if constexpr (kRows > 4) {                       \
    M(4) M(5)                                      \
  }
  const __m256i zero = _mm256_setzero_si256();
  __m256i a0 = zero, a1 = zero, a2 = zero, a3 = zero, a4 = zero, a5 = zero;
  __m256i b0 = zero, b1 = zero, b2 = zero, b3 = zero, b4 = zero, b5 = zero;
  const size_t step_bytes = rows.step_bytes;
  const size_t words = rows.words;
  for (size_t j = 0; j < words; ++j, query += kNarrowPanelLanes * kNarrowWordBytes) {
    next.ask();
    const __m256i q0 = load(query);
    const __m256i q1 = load(query + 32);
#define NPK_MULTIPLY(r)                                                                \
  {                                                                                    \
    int32_t word;                                                                      \
    std::memcpy(&word, row + (r)*step_bytes + j * kNarrowWordBytes, kNarrowWordBytes); \
    const __m256i x = _mm256_set1_epi32(word);                                         \
    a##r = _mm256_add_epi32(a##r, _mm256_madd_epi16(x, q0));                           \
    b##r = _mm256_add_epi32(b##r, _mm256_madd_epi16(x, q1));                           \
  }
    NPK_EACH_ROW(NPK_MULTIPLY)
#undef NPK_MULTIPLY
  }
#define NPK_STORE(r)                                      \
  {                                                       \
    float* to = dots + (first + (r)) * kNarrowPanelLanes; \
    store(to, a##r);                                      \
    store(to + kLanes, b##r);                             \
  }
  NPK_EACH_ROW(NPK_STORE)
#undef NPK_STORE
#undef NPK_EACH_ROW
}

/// From the sums in `dots` to dot products and what passes. Not in the loop that computes them: GCC
/// would keep them in memory all along to convert them from there.
NPK_AVX2_INLINE void finish(const NarrowPanelRows& rows, const NarrowPanelQueries& queries,
                            float* dots, uint64_t* passing) {
  for (size_t r = 0; r < rows.count; ++r) {
    const __m256 length = _mm256_set1_ps(rows.lengths[r]);
    const __m256 offset = _mm256_set1_ps(rows.offsets[r]);
    const __m256 unit = _mm256_set1_ps(rows.units[r]);
    passing[r] = 0;
    for (size_t q = 0; q < kNarrowPanelLanes; q += kLanes, dots += kLanes) {
      const __m256 units = _mm256_mul_ps(unit, _mm256_loadu_ps(queries.units + q));
      const __m256 dot = _mm256_mul_ps(_mm256_cvtepi32_ps(load(dots)), units);
      _mm256_storeu_ps(dots, dot);
      const __m256 base = _mm256_add_ps(_mm256_loadu_ps(queries.bounds + q), offset);
      const __m256 bound = _mm256_fmadd_ps(_mm256_loadu_ps(queries.slopes + q), length, base);
      const int bits = _mm256_movemask_ps(_mm256_cmp_ps(dot, bound, _CMP_NLT_UQ));
      passing[r] |= static_cast<uint64_t>(bits) << q;
    }
  }
}

NPK_AVX2 void panel(const NarrowPanelRows& rows, const NarrowPanelQueries& queries, float* dots,
                    uint64_t* passing) {
  size_t r = 0;
  for (; r + kTileRows <= rows.count; r += kTileRows) tile<kTileRows>(rows, queries, r, dots);
  for (; r + 4 <= rows.count; r += 4) tile<4>(rows, queries, r, dots);
  for (; r < rows.count; ++r) tile<1>(rows, queries, r, dots);
  finish(rows, queries, dots, passing);
}

/// [0]: the sum of the lanes of a, [1] of b, [2] of c, [3] of d.
NPK_AVX2_INLINE __m128i sum_each(__m256i a, __m256i b, __m256i c, __m256i d) {
  const __m256i pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
  return _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
}

/// The sums of kRows rows (4 or 1) from `first` on with two queries, as integers.
template <size_t kRows>
NPK_AVX2_INLINE void unpacked_tile(const NarrowPanelRows& rows, const std::byte* query,
                                   size_t first, float* dots, UpcomingRequests& next) {
  const size_t step_bytes = rows.step_bytes;
  const std::byte* row = rows.rows + first * step_bytes;
  const size_t vectors = (rows.words + kLanes - 1) / kLanes;
#define NPK_EACH_ROW(M) \
  M(0) if constexpr (kRows > 1) { M(1) M(2) M(3) }
  const __m256i zero = _mm256_setzero_si256();
  __m256i a0 = zero, a1 = zero, a2 = zero, a3 = zero;
  __m256i b0 = zero, b1 = zero, b2 = zero, b3 = zero;
  for (size_t v = 0; v < vectors; ++v) {
    const size_t at = v * sizeof(__m256i);
    next.ask();
    __m256i q0 = load(query + at);
    __m256i q1 = load(query + step_bytes + at);
    NPK_IN_REGISTER(q0);
    NPK_IN_REGISTER(q1);
#define NPK_MULTIPLY(r)                                      \
  {                                                          \
    __m256i x = load(row + (r)*step_bytes + at);             \
    NPK_IN_REGISTER(x);                                      \
    a##r = _mm256_add_epi32(a##r, _mm256_madd_epi16(x, q0)); \
    b##r = _mm256_add_epi32(b##r, _mm256_madd_epi16(x, q1)); \
    NPK_IN_REGISTER(a##r);                                   \
    NPK_IN_REGISTER(b##r);                                   \
  }
    NPK_EACH_ROW(NPK_MULTIPLY)
#undef NPK_MULTIPLY
  }
#undef NPK_EACH_ROW
  float* to = dots + first * kNarrowPanelLanes;
  const __m128i low = sum_each(a0, b0, a1, b1);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), low);
  if constexpr (kRows == 1) return;
  const __m128i high = sum_each(a2, b2, a3, b3);
  _mm_storeh_pd(reinterpret_cast<double*>(to + kNarrowPanelLanes), _mm_castsi128_pd(low));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to + 2 * kNarrowPanelLanes), high);
  _mm_storeh_pd(reinterpret_cast<double*>(to + 3 * kNarrowPanelLanes), _mm_castsi128_pd(high));
}

NPK_AVX2 void unpacked(const NarrowPanelRows& rows, const NarrowPanelQueries& queries, float* dots,
                       uint64_t* passing) {
  constexpr size_t kRows = 4;
  constexpr size_t kQueries = 2;
  const size_t tiles =
      (rows.count + kRows - 1) / kRows * ((queries.count + kQueries - 1) / kQueries);
  const size_t steps = rows.words * kNarrowWordBytes / sizeof(__m256i) + 1;
  UpcomingRequests next(rows.upcoming, 0, 1, tiles * steps);
  size_t r = 0;
  for (; r + kRows <= rows.count; r += kRows) {
    for (size_t q = 0; q < queries.count; q += kQueries) {
      unpacked_tile<kRows>(rows, queries.packed + q * rows.step_bytes, r, dots + q, next);
    }
  }
  for (; r < rows.count; ++r) {
    for (size_t q = 0; q < queries.count; q += kQueries) {
      unpacked_tile<1>(rows, queries.packed + q * rows.step_bytes, r, dots + q, next);
    }
  }
  finish(rows, queries, dots, passing);
}

/// The first 16 bytes, or `count`, and zeros.
NPK_AVX2_INLINE __m128i load_bytes(const std::byte* from, size_t count) {
  __m128i bytes = _mm_setzero_si128();
  std::memcpy(&bytes, from, count < sizeof(bytes) ? count : sizeof(bytes));
  return bytes;
}

/// Widens 16 bytes and adds their squares, two to a lane: all lanes together stay below 2^31, see
/// kMostInt32Dims.
template <bool kSigned>
NPK_AVX2_INLINE void widen(__m128i bytes, std::byte* to, __m256i& sum) {
  const __m256i wide = kSigned ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes);
  store(to, wide);
  sum = _mm256_add_epi32(sum, _mm256_madd_epi16(wide, wide));
}

NPK_AVX2_INLINE int32_t sum_of_lanes(__m256i v) {
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  sum = _mm_add_epi32(sum, _mm_unpackhi_epi64(sum, sum));
  return _mm_cvtsi128_si32(sum) + _mm_extract_epi32(sum, 1);
}

template <bool kSigned>
NPK_AVX2 void prepare_rows(const std::byte* rows, size_t count, size_t dims, std::byte* to,
                           size_t step_bytes, float* squares) {
  for (size_t r = 0; r < count; ++r, rows += dims, to += step_bytes) {
    __m256i sum0 = _mm256_setzero_si256();
    __m256i sum1 = sum0;
    size_t j = 0;
    for (; j + 32 <= dims; j += 32) {
      widen<kSigned>(load_bytes(rows + j, 16), to + 2 * j, sum0);
      widen<kSigned>(load_bytes(rows + j + 16, 16), to + 2 * j + 32, sum1);
    }
    if (j < dims) {
      const size_t left = dims - j;
      widen<kSigned>(load_bytes(rows + j, left), to + 2 * j, sum0);
      const __m128i last = left > 16 ? load_bytes(rows + j + 16, left - 16) : _mm_setzero_si128();
      widen<kSigned>(last, to + 2 * j + 32, sum1);
    }
    squares[r] = static_cast<float>(sum_of_lanes(_mm256_add_epi32(sum0, sum1)));
  }
}

void prepare_bytes(const std::byte* rows, size_t count, size_t dims, bool is_signed, uint8_t,
                   std::byte* to, size_t step_bytes, float* squares) {
  (is_signed ? prepare_rows<true> : prepare_rows<false>)(rows, count, dims, to, step_bytes,
                                                         squares);
}

/// Elements j to j + 7 of `dims`, zeros behind the last one.
template <bool kAreAll>
NPK_AVX2_INLINE __m256 load_floats(const std::byte* row, size_t j, size_t dims) {
  const auto* from = reinterpret_cast<const float*>(row) + j;
  if constexpr (kAreAll) return _mm256_loadu_ps(from);
  static constexpr int32_t kMasks[2 * kLanes] = {-1, -1, -1, -1, -1, -1, -1, -1};
  if (j >= dims) return _mm256_setzero_ps();
  const size_t count = dims - j < kLanes ? dims - j : kLanes;
  return _mm256_maskload_ps(from, load(kMasks + kLanes - count));
}

constexpr size_t kStep = 32;  // Elements of float32 that become 64 bytes.

template <bool kAreAll>
NPK_AVX2_INLINE void add_squares(const std::byte* row, size_t j, size_t dims, __m256* sums) {
  for (size_t v = 0; v < 4; ++v) {
    const __m256 x = load_floats<kAreAll>(row, j + v * kLanes, dims);
    sums[v] = _mm256_fmadd_ps(x, x, sums[v]);
  }
}

NPK_AVX2 void square_norms(const std::byte* rows, size_t count, size_t dims,
                           UpcomingRequests& upcoming, float* squares) {
  UpcomingRequests next = upcoming;
  for (size_t r = 0; r < count; ++r, rows += dims * sizeof(float)) {
    __m256 sums[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),
                      _mm256_setzero_ps()};
    size_t j = 0;
    for (; j + kStep <= dims; j += kStep) {
      next.ask();
      add_squares<true>(rows, j, dims, sums);
    }
    if (j < dims) add_squares<false>(rows, j, dims, sums);
    const __m256 all =
        _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    squares[r] = _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
  }
  upcoming = next;
}

/// row[j] to row[j + 15], scaled and rounded.
template <bool kAreAll>
NPK_AVX2_INLINE void scale(const std::byte* row, size_t j, size_t dims, __m256 factors,
                           std::byte* to) {
  // From 2^23 to 2^24 the last bit of a float32 is worth 1: its lower half is the int16.
  const __m256 magic = _mm256_set1_ps(0x1.8p23f);
  const __m256i lower = _mm256_set1_epi32(0xffff);
  const __m256 first = _mm256_fmadd_ps(load_floats<kAreAll>(row, j, dims), factors, magic);
  const __m256 second =
      _mm256_fmadd_ps(load_floats<kAreAll>(row, j + kLanes, dims), factors, magic);
  const __m256i packed = _mm256_packus_epi32(_mm256_and_si256(_mm256_castps_si256(first), lower),
                                             _mm256_and_si256(_mm256_castps_si256(second), lower));
  store(to + j * 2, _mm256_permute4x64_epi64(packed, 0xd8));
}

NPK_AVX2 void scale_rows(const std::byte* rows, size_t count, size_t dims, const float* factors,
                         UpcomingRequests& upcoming, std::byte* to, size_t step_bytes) {
  UpcomingRequests next = upcoming;
  for (size_t r = 0; r < count; ++r, rows += dims * sizeof(float), to += step_bytes) {
    const __m256 factor = _mm256_set1_ps(factors[r]);
    size_t j = 0;
    for (; j + kStep <= dims; j += kStep) {
      next.ask();
      scale<true>(rows, j, dims, factor, to);
      scale<true>(rows, j + kStep / 2, dims, factor, to);
    }
    if (j < dims) {
      scale<false>(rows, j, dims, factor, to);
      scale<false>(rows, j + kStep / 2, dims, factor, to);
    }
  }
  upcoming = next;
}

/// `fewest_queries`: of rounded elements.
constexpr NarrowPanelKernels table_from(size_t fewest_queries) {
  return {{panel},
          {panel},
          prepare_bytes,
          2,
          Rounding::kInt16,
          {panel},
          prepare_int16<square_norms, scale_rows, kStep>,
          unpacked,
          1,
          1,
          fewest_queries,
          64,
          2};
}

}  // namespace

const NarrowPanelKernels& avx2_narrow_panel_kernels() noexcept {
  static constexpr NarrowPanelKernels kTable = table_from(4);
  return kTable;
}

const NarrowPanelKernels& avx3_narrow_panel_kernels() noexcept {
  static constexpr NarrowPanelKernels kTable = table_from(std::numeric_limits<size_t>::max());
  return kTable;
}

}  // namespace npk::simd

#endif
