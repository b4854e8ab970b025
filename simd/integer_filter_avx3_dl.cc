// The integer filters for AVX3_DL: simd/filter.h.
//
// Products are those of an unsigned byte and a signed one, as in simd/integers_vnni.cc. Sums are
// modulo 2^32, whatever becomes of parts of them: those of a row fit. Sixteen rows are added up
// together, compared while they are in registers, and leave sixteen bits.
#include "simd/integer_filter_avx3_dl.h"

#if defined(__x86_64__)

#include "simd/avx3_dl.h"
#include "simd/prefetch.h"

namespace npk::simd {
namespace {

constexpr size_t kBytes = 64;
constexpr size_t kGroup = 16;

template <bool kSignedRow, bool kSignedQuery, bool kSquares>
struct Bytes {
  static constexpr bool kHasSquare = kSquares;
  static const std::byte* bytes_of(const void* query) {
    return static_cast<const IntegerQuery*>(query)->bytes;
  }
  /// What the sums of products lack of Σ row·query.
  static int64_t shift_of(const void* query) {
    const int64_t sum = static_cast<const IntegerQuery*>(query)->sum;
    return kSignedRow != kSignedQuery ? 0 : (kSignedRow ? -128 : 128) * sum;
  }
  NPK_AVX3_DL_INLINE static void add(__m512i x, __m512i q, __m512i& dot, __m512i& square,
                                     __m512i& sum) {
    const __m512i flipped = _mm512_xor_si512(x, _mm512_set1_epi8(-128));
    if constexpr (kSignedRow) {
      kSignedQuery ? add_products(dot, flipped, q) : add_products(dot, q, x);
    } else {
      kSignedQuery ? add_products(dot, x, q) : add_products(dot, q, flipped);
    }
    if constexpr (!kSquares) return;
    const __m512i ones = _mm512_set1_epi8(1);
    kSignedRow ? add_products(square, flipped, x) : add_products(square, x, flipped);
    kSignedRow ? add_products(sum, ones, x) : add_products(sum, x, ones);
  }
  NPK_AVX3_DL_INLINE static void finish(__m512i& square, __m512i sum) {
    const __m512i shift = _mm512_slli_epi32(sum, 7);
    square = kSignedRow ? _mm512_sub_epi32(square, shift) : _mm512_add_epi32(square, shift);
  }
};

/// Bits of row & query, and of the row; for hamming less one for each that differs.
template <bool kHamming>
struct Bits {
  static constexpr bool kHasSquare = !kHamming;
  static const std::byte* bytes_of(const void* query) {
    return static_cast<const std::byte*>(query);
  }
  static int64_t shift_of(const void* /*query*/) { return 0; }
  NPK_AVX3_DL_INLINE static void add(__m512i x, __m512i q, __m512i& dot, __m512i& square,
                                     __m512i& /*sum*/) {
    if constexpr (kHamming) {
      dot = _mm512_sub_epi32(dot, _mm512_popcnt_epi32(_mm512_xor_si512(x, q)));
    } else {
      dot = _mm512_add_epi32(dot, _mm512_popcnt_epi32(_mm512_and_si512(x, q)));
      square = _mm512_add_epi32(square, _mm512_popcnt_epi32(x));
    }
  }
  NPK_AVX3_DL_INLINE static void finish(__m512i& /*square*/, __m512i /*sum*/) {}
};

/// The lanes of row i, or of the last one if there are no more.
template <typename Elements, Access kAccess>
NPK_AVX3_DL_INLINE void sum_row(const RowBlock& block, size_t i, const std::byte* query,
                                __m512i& dot_of_row, __m512i& square_of_row) {
  const size_t place = i < block.count ? i : block.count - 1;
  const std::byte* row =
      block.rows + (is_list(kAccess) ? block.numbers[place] : place) * block.dims;
  const std::byte* asked = kAccess == Access::kList ? asked_row<std::byte>(block, place) : nullptr;
  __m512i dot = _mm512_setzero_si512();
  __m512i square = _mm512_setzero_si512();
  __m512i sum = _mm512_setzero_si512();
  size_t at = 0;
  for (; at + kBytes <= block.dims; at += kBytes) {
    if constexpr (kAccess == Access::kAskedSequence) prefetch_ahead(row + at, block.ahead);
    if constexpr (kAccess == Access::kList) prefetch_line(asked + at);
    __m512i x = _mm512_loadu_si512(row + at);
    asm("" : "+v"(x));  // Kept in a register: GCC would load it once for each use.
    Elements::add(x, _mm512_loadu_si512(query + at), dot, square, sum);
  }
  if (at < block.dims) {
    const __mmask64 mask = _bzhi_u64(~0ULL, static_cast<unsigned>(block.dims - at));
    Elements::add(_mm512_maskz_loadu_epi8(mask, row + at),
                  _mm512_maskz_loadu_epi8(mask, query + at), dot, square, sum);
  }
  if constexpr (kAccess == Access::kList) prefetch_row_end(asked, block.dims);
  Elements::finish(square, sum);
  dot_of_row = dot;
  square_of_row = square;
}

/// Those of four rows from `first` on, a quarter of a vector each.
template <typename Elements, Access kAccess>
NPK_AVX3_DL_INLINE void sum_four(const RowBlock& block, size_t first, const std::byte* query,
                                 __m512i& dots, __m512i& squares) {
  if constexpr (kAccess == Access::kGroupedList) {
    for (size_t i = first; i < first + 4; ++i) prefetch_scattered<std::byte>(block, i);
  }
  __m512i dot[4];
  __m512i square[4];
  sum_row<Elements, kAccess>(block, first, query, dot[0], square[0]);
  sum_row<Elements, kAccess>(block, first + 1, query, dot[1], square[1]);
  sum_row<Elements, kAccess>(block, first + 2, query, dot[2], square[2]);
  sum_row<Elements, kAccess>(block, first + 3, query, dot[3], square[3]);
  dots = add_lanes_of_four(dot[0], dot[1], dot[2], dot[3]);
  if constexpr (!Elements::kHasSquare) return;
  squares = add_lanes_of_four(square[0], square[1], square[2], square[3]);
}

NPK_AVX3_DL_INLINE uint64_t rejected_bits(__m512i dots, const FilterLine& line) {
  return _mm512_cmp_ps_mask(_mm512_cvtepi32_ps(dots), _mm512_set1_ps(line.bound), _CMP_LT_OQ);
}

NPK_AVX3_DL_INLINE uint64_t rejected_bits(__m512i dots, __m512i squares, const FilterLine& line) {
  const __m512 dot = _mm512_cvtepi32_ps(dots);
  const __m512 square = _mm512_cvtepi32_ps(squares);
  const __m512 base =
      _mm512_fmadd_ps(_mm512_set1_ps(line.half), square, _mm512_set1_ps(line.bound));
  const __m512 bound = _mm512_fmadd_ps(_mm512_set1_ps(line.slope), _mm512_sqrt_ps(square), base);
  const __m512 least = _mm512_set1_ps(line.least_square);
  const __m512 most = _mm512_set1_ps(line.most_square);
  __mmask16 rejected = _mm512_cmp_ps_mask(dot, bound, _CMP_LT_OQ);
  rejected = _mm512_mask_cmp_ps_mask(rejected, square, least, _CMP_GE_OQ);
  return _mm512_mask_cmp_ps_mask(rejected, square, most, _CMP_LE_OQ);
}

template <typename Elements, Access kAccess>
NPK_AVX3_DL void filter_rows(const void* query_data, const RowBlock& block, const FilterLine& line,
                             uint64_t* passing) {
  const std::byte* query = Elements::bytes_of(query_data);
  const __m512i shift = _mm512_set1_epi32(static_cast<int32_t>(Elements::shift_of(query_data)));
  for (size_t first = 0; first < block.count; first += kGroup) {
    __m512i dot[4];
    __m512i square[4];
    sum_four<Elements, kAccess>(block, first, query, dot[0], square[0]);
    sum_four<Elements, kAccess>(block, first + 4, query, dot[1], square[1]);
    sum_four<Elements, kAccess>(block, first + 8, query, dot[2], square[2]);
    sum_four<Elements, kAccess>(block, first + 12, query, dot[3], square[3]);
    const __m512i dots = _mm512_add_epi32(add_lanes_of_sixteen(dot), shift);
    const uint64_t rejected = Elements::kHasSquare
                                  ? rejected_bits(dots, add_lanes_of_sixteen(square), line)
                                  : rejected_bits(dots, line);
    const size_t count = block.count - first < kGroup ? block.count - first : kGroup;
    const uint64_t bits = ~rejected & ((uint64_t{1} << count) - 1);
    if (first % 64 == 0) passing[first / 64] = 0;
    passing[first / 64] |= bits << (first % 64);
  }
}

template <typename Elements>
void filter(const void* query, const RowBlock& block, const FilterLine& line, uint64_t* passing) {
  switch (access_of(block, 1)) {
    case Access::kSequence:
    case Access::kQuarters:  // Processors that read so have no AVX-512.
      return filter_rows<Elements, Access::kSequence>(query, block, line, passing);
    case Access::kAskedSequence:
      return filter_rows<Elements, Access::kAskedSequence>(query, block, line, passing);
    case Access::kList:
      return filter_rows<Elements, Access::kList>(query, block, line, passing);
    case Access::kGroupedList:
      return filter_rows<Elements, Access::kGroupedList>(query, block, line, passing);
  }
}

template <bool kSignedRow, bool kSquares>
void filter_bytes(const void* query, const RowBlock& block, const FilterLine& line,
                  uint64_t* passing) {
  if (static_cast<const IntegerQuery*>(query)->is_signed) {
    filter<Bytes<kSignedRow, true, kSquares>>(query, block, line, passing);
  } else {
    filter<Bytes<kSignedRow, false, kSquares>>(query, block, line, passing);
  }
}

constexpr IntegerFilterKernels kTable = {filter_bytes<true, true>,
                                         filter_bytes<false, true>,
                                         filter_bytes<true, false>,
                                         filter_bytes<false, false>,
                                         nullptr,
                                         nullptr,
                                         filter<Bits<false>>,
                                         filter<Bits<true>>};

}  // namespace

const IntegerFilterKernels* avx3_dl_integer_filter_kernels() noexcept { return &kTable; }

}  // namespace npk::simd

#else

namespace npk::simd {

const IntegerFilterKernels* avx3_dl_integer_filter_kernels() noexcept { return nullptr; }

}  // namespace npk::simd

#endif
