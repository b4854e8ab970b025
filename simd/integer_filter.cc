// The integer filter kernels for every target: simd/filter.h.
//
// Two bytes of a row are one lane of 16 bits, taken apart into its lower byte and its upper one:
// elements at even places and at odd ones, which takes no shuffle. The query is laid out likewise.
// Products are at most 255 * 255, so all sums fit 32 bits in whatever order they are added.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/integer_filter.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// Must come after foreach_target.h.
#include <hwy/highway.h>

#include "simd/filter_rows-inl.h"
#include "simd/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace npk::simd::HWY_NAMESPACE {
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
namespace {

using D32 = hn::RebindToSigned<DF>;
using D16 = hn::Repartition<int16_t, DF>;
using D8 = hn::Repartition<uint8_t, DF>;
using V32 = hn::Vec<D32>;
using V16 = hn::Vec<D16>;
using V8 = hn::Vec<D8>;
constexpr size_t kMaxBytes = hn::MaxLanes(D8());
static_assert(kIntegerPadding % kMaxBytes == 0);

/// A vector of a row's bytes from `at` on, with zeros behind its end. Reads nothing behind the last
/// row.
HWY_INLINE V8 load_rest(const RowBlock& block, const uint8_t* row, size_t at) {
  const D8 d;
  const size_t width = hn::Lanes(d);
  const size_t left = block.dims - at;
  if (left >= width) return hn::LoadU(d, row + at);
  uint8_t copy[kMaxBytes];
  return hn::IfThenElseZero(hn::FirstN(d, left),
                            hn::LoadU(d, readable(block, row + at, left, width, copy)));
}

/// What simd/filter_rows-inl.h wants of rows of bytes. Bytes::add_one(x, query, at, …) adds a
/// vector of a row's bytes, at being their place. Zeros add nothing. Bytes may have an add_two() of
/// its own.
template <class Bytes>
struct RowsOf {
  using D = D32;
  using Element = uint8_t;

  /// Adds a vector and the next one.
  HWY_INLINE static void add_two(V8 x0, V8 x1, const auto& query, size_t at, V32& dot,
                                 V32& square) {
    Bytes::add_one(x0, query, at, dot, square);
    Bytes::add_one(x1, query, at + hn::Lanes(D8()), dot, square);
  }

  template <Access kAccess>
  HWY_INLINE static void sum_row(const RowBlock& block, size_t i, const auto& query, V32& dot,
                                 V32& square) {
    const D8 d;
    const size_t width = hn::Lanes(d);
    const size_t bytes = block.dims;
    const uint8_t* HWY_RESTRICT row = row_at<uint8_t, kAccess>(block, i);
    const uint8_t* asked = nullptr;
    if constexpr (kAccess == Access::kList) {
      asked = asked_row<uint8_t>(block, HWY_MIN(i, block.count - 1));
    }
    dot = square = hn::Zero(D32());
    size_t at = 0;
    for (; at + 2 * width <= bytes; at += 2 * width) {
      if constexpr (kAccess == Access::kAskedSequence) {
        prefetch_elements(row + at, 2 * width, block.ahead);
      }
      if constexpr (kAccess == Access::kList) prefetch_elements(asked + at, 2 * width);
      const V8 x0 = hn::LoadU(d, row + at);
      const V8 x1 = hn::LoadU(d, row + at + width);
      Bytes::add_two(x0, x1, query, at, dot, square);
    }
    for (; at < bytes; at += width) {
      if constexpr (kAccess == Access::kAskedSequence) {
        prefetch_elements(row + at, width, block.ahead);
      }
      if constexpr (kAccess == Access::kList) prefetch_elements(asked + at, width);
      Bytes::add_one(load_rest(block, row, at), query, at, dot, square);
    }
    if constexpr (kAccess == Access::kList) prefetch_row_end(asked, bytes);
  }

  HWY_INLINE static void sum_in_quarters(const RowBlock& block, size_t i, const auto& query,
                                         V32& dots, V32& squares) {
    const D8 d;
    const D32 d32;
    const size_t width = hn::Lanes(d);
    const size_t bytes = block.dims;
    const size_t quarter_rows = block.count / 4;
    const uint8_t* HWY_RESTRICT row0 = row_of<uint8_t>(block, HWY_MIN(i, quarter_rows - 1));
    const uint8_t* HWY_RESTRICT row1 = row0 + quarter_rows * bytes;
    const uint8_t* HWY_RESTRICT row2 = row1 + quarter_rows * bytes;
    const uint8_t* HWY_RESTRICT row3 = row2 + quarter_rows * bytes;
    V32 dot0 = hn::Zero(d32), dot1 = dot0, dot2 = dot0, dot3 = dot0;
    V32 square0 = dot0, square1 = dot0, square2 = dot0, square3 = dot0;
#define NPK_EACH_ROW(M) M(0) M(1) M(2) M(3)
    size_t at = 0;
    for (; at + 2 * width <= bytes; at += 2 * width) {
#define NPK_ADD_TWO(r)                                                                            \
  prefetch_near_elements(row##r + at, 2 * width, block.ahead);                                    \
  Bytes::add_two(hn::LoadU(d, row##r + at), hn::LoadU(d, row##r + at + width), query, at, dot##r, \
                 square##r);
      NPK_EACH_ROW(NPK_ADD_TWO)
#undef NPK_ADD_TWO
    }
    for (; at < bytes; at += width) {
#define NPK_ADD_REST(r) Bytes::add_one(load_rest(block, row##r, at), query, at, dot##r, square##r);
      NPK_EACH_ROW(NPK_ADD_REST)
#undef NPK_ADD_REST
    }
#undef NPK_EACH_ROW
    dots = add_lanes_of_four(d32, dot0, dot1, dot2, dot3);
    squares = add_lanes_of_four(d32, square0, square1, square2, square3);
  }
};

HWY_INLINE V32 add_products(V16 a0, V16 b0, V16 a1, V16 b1, V32 sum) {
  const D32 d;
  // Of instructions that multiply half a vector; the others leave it 0.
  V32 high = hn::Zero(d);
  sum = hn::ReorderWidenMulAccumulate(d, a0, b0, sum, high);
  sum = hn::ReorderWidenMulAccumulate(d, a1, b1, sum, high);
  return hn::Add(sum, high);
}

/// Rows of int8 or uint8.
template <typename T, bool kSquares>
struct Integers : RowsOf<Integers<T, kSquares>> {
  struct Query {
    const int16_t* even;
    const int16_t* odd;
  };
  static constexpr bool kHasSquare = kSquares;

  HWY_INLINE static Query query_of(const void* data, size_t dims) {
    const int16_t* even = static_cast<const IntegerQuery*>(data)->apart;
    return {even, even + padded_integer_dims(dims) / 2};
  }
  HWY_INLINE static V16 lower_bytes(V16 pairs) {
    if constexpr (hwy::IsSigned<T>()) return hn::ShiftRight<8>(hn::ShiftLeft<8>(pairs));
    return hn::And(pairs, hn::Set(D16(), 0xff));
  }
  HWY_INLINE static V16 upper_bytes(V16 pairs) {
    if constexpr (hwy::IsSigned<T>()) return hn::ShiftRight<8>(pairs);
    return hn::BitCast(D16(), hn::ShiftRight<8>(hn::BitCast(hn::RebindToUnsigned<D16>(), pairs)));
  }
  HWY_INLINE static void add_one(V8 x, const Query& query, size_t at, V32& dot, V32& square) {
    const D16 d;
    const V16 even = lower_bytes(hn::BitCast(d, x));
    const V16 odd = upper_bytes(hn::BitCast(d, x));
    const V16 query_even = hn::LoadU(d, query.even + at / 2);
    const V16 query_odd = hn::LoadU(d, query.odd + at / 2);
    dot = add_products(even, query_even, odd, query_odd, dot);
    if constexpr (kSquares) square = add_products(even, even, odd, odd, square);
  }
};

/// Rows of int8 or uint8 and a query of the same: 0 less the squared distances.
template <typename T>
struct Distances : RowsOf<Distances<T>> {
  using Values = Integers<T, false>;
  using Query = typename Values::Query;
  static constexpr bool kHasSquare = false;

  HWY_INLINE static Query query_of(const void* data, size_t dims) {
    return Values::query_of(data, dims);
  }
  HWY_INLINE static void add_one(V8 x, const Query& query, size_t at, V32& dot, V32& /*square*/) {
    const D16 d;
    const V16 pairs = hn::BitCast(d, x);
    const V16 even = hn::Sub(Values::lower_bytes(pairs), hn::LoadU(d, query.even + at / 2));
    const V16 odd = hn::Sub(Values::upper_bytes(pairs), hn::LoadU(d, query.odd + at / 2));
    dot = hn::Sub(dot, add_products(even, even, odd, odd, hn::Zero(D32())));
  }
};

#if HWY_TARGET == HWY_AVX2
/// Rows of int8 and IntegerQuery::clipped: products of magnitudes and of the query's elements with
/// the signs of the row's, two of which always fit 16 bits: 2 * 128 * 127 < 2^15. In the squared
/// length -128 counts as -127. 9 instructions for a vector and its length instead of 11, 5 for 7
/// without.
template <bool kSquares>
struct SignedBytes : RowsOf<SignedBytes<kSquares>> {
  using Query = const int8_t*;
  static constexpr bool kHasSquare = kSquares;

  HWY_INLINE static Query query_of(const void* data, size_t /*dims*/) {
    return static_cast<const IntegerQuery*>(data)->clipped;
  }
  HWY_INLINE static V32 add_byte_products(V8 magnitudes, V8 values, V32 sum) {
    const V16 pairs{_mm256_maddubs_epi16(magnitudes.raw, values.raw)};
    return hn::Add(sum, V32{_mm256_madd_epi16(pairs.raw, hn::Set(D16(), 1).raw)});
  }
  HWY_INLINE static void add_one(V8 x, const Query& query, size_t at, V32& dot, V32& square) {
    const D8 d;
    const V8 magnitudes = hn::BitCast(d, hn::Abs(hn::BitCast(hn::RebindToSigned<D8>(), x)));
    const V8 q = hn::LoadU(d, reinterpret_cast<const uint8_t*>(query) + at);
    dot = add_byte_products(magnitudes, V8{_mm256_sign_epi8(q.raw, x.raw)}, dot);
    if constexpr (kSquares) {
      const V8 clipped = hn::Min(magnitudes, hn::Set(d, 127));
      square = add_byte_products(clipped, clipped, square);
    }
  }
};

/// Without the length the dot product must be exact.
template <bool kSquares>
void filter_int8(const void* query, const RowBlock& block, const FilterLine& line,
                 uint64_t* passing) {
  const auto& integers = *static_cast<const IntegerQuery*>(query);
  if (integers.is_signed && (kSquares || integers.clipped_count == 0)) {
    return filter<SignedBytes<kSquares>>(query, block, line, passing);
  }
  return filter<Integers<int8_t, kSquares>>(query, block, line, passing);
}
#else
template <bool kSquares>
constexpr FilterFn filter_int8 = filter<Integers<int8_t, kSquares>>;
#endif

/// Packed bits: those of row & query and of the row, or less one for each that differs.
template <bool kHamming>
struct Bits : RowsOf<Bits<kHamming>> {
  using Query = const uint8_t*;
  static constexpr bool kHasSquare = !kHamming;

  HWY_INLINE static Query query_of(const void* data, size_t /*dims*/) {
    return static_cast<const uint8_t*>(data);
  }
#if HWY_ARCH_X86
  /// Of bytes below 16.
  HWY_INLINE static V8 count_half(V8 x) {
    HWY_ALIGN static constexpr uint8_t kCounts[16] = {0, 1, 1, 2, 1, 2, 2, 3,
                                                      1, 2, 2, 3, 2, 3, 3, 4};
    return hn::TableLookupBytes(hn::LoadDup128(D8(), kCounts), x);
  }
#endif
  /// Counts of bits by byte.
  HWY_INLINE static void count(V8 x, const uint8_t* query, V8& dot, V8& square) {
    const V8 q = hn::LoadU(D8(), query);
    if constexpr (kHamming) {
      dot = hn::PopulationCount(hn::Xor(x, q));
    } else {
#if HWY_ARCH_X86
      // As there is no instruction that counts, halves of bytes are looked up: those of x serve for
      // both, those of q for all rows that are read at once.
      const D8 d;
      const V8 lower = hn::Set(d, 0x0f);
      const V8 x_low = hn::And(x, lower), x_high = hn::ShiftRight<4>(x);
      const V8 q_low = hn::And(q, lower), q_high = hn::ShiftRight<4>(q);
      square = hn::Add(count_half(x_low), count_half(x_high));
      dot = hn::Add(count_half(hn::And(x_low, q_low)), count_half(hn::And(x_high, q_high)));
#else
      square = hn::PopulationCount(x);
      dot = hn::PopulationCount(hn::And(x, q));
#endif
    }
  }
  HWY_INLINE static void add_counts(V8 dot_counts, V8 square_counts, V32& dot, V32& square) {
    const V32 sums = hn::BitCast(D32(), hn::SumsOf8(dot_counts));
    dot = kHamming ? hn::Sub(dot, sums) : hn::Add(dot, sums);
    if constexpr (!kHamming) {
      square = hn::Add(square, hn::BitCast(D32(), hn::SumsOf8(square_counts)));
    }
  }
  HWY_INLINE static void add_one(V8 x, const Query& query, size_t at, V32& dot, V32& square) {
    V8 of_dot = x, of_square = x;
    count(x, query + at, of_dot, of_square);
    add_counts(of_dot, of_square, dot, square);
  }
  HWY_INLINE static void add_two(V8 x0, V8 x1, const Query& query, size_t at, V32& dot,
                                 V32& square) {
    V8 of_dot = x0, of_square = x0, next_dot = x1, next_square = x1;
    count(x0, query + at, of_dot, of_square);
    count(x1, query + at + hn::Lanes(D8()), next_dot, next_square);
    add_counts(hn::Add(of_dot, next_dot), hn::Add(of_square, next_square), dot, square);
  }
};

constexpr IntegerFilterKernels kTable = {
    filter_int8<true>,         filter<Integers<uint8_t, true>>,
    filter_int8<false>,        filter<Integers<uint8_t, false>>,
    filter<Distances<int8_t>>, filter<Distances<uint8_t>>,
    filter<Bits<false>>,       filter<Bits<true>>};

}  // namespace
const IntegerFilterKernels* integer_filter_table() { return &kTable; }
#endif  // HWY_TARGET
}  // namespace npk::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "simd/integer_filter_avx3_dl.h"
#include "simd/target_tables.h"

namespace npk::simd {

const IntegerFilterKernels& integer_filter_kernels(Target target) noexcept {
  static const auto tables = [] {
    TargetTables<IntegerFilterKernels> filled;
    filled.tables[0] = &scalar_integer_filter_kernels();
    NPK_FILL_TARGET_TABLES(filled, integer_filter_table)
    filled.tables[static_cast<size_t>(Target::kAvx3Dl)] = avx3_dl_integer_filter_kernels();
    return filled;
  }();
  return tables.get(target);
}

}  // namespace npk::simd
#endif  // HWY_ONCE
