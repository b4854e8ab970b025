// What the filter kernels share (simd/filter.h): from the lanes of rows to the bits of those that
// pass. Included once per target by dispatching files.
//
// The lanes of as many rows as a vector has lanes are added up together: one addition for each
// vector instead of one for each halving of it. How the lanes of a row come about is what `Row`
// says, a struct with
//   D                                   the tag of the vectors of lanes: float or int32_t
//   Element                             of a row
//   Query, query_of(data, dims)         what sum_row() wants to know
//   kHasSquare                          false: rows are rejected whatever their length
//   sum_row<kAccess>(block, i, query, dot, square)
//                                       vectors whose lanes add up to the sums of row i, or of the
//                                       last one if there are no more
//   sum_in_quarters(block, i, query, dots, squares)
//                                       the sums of row i, or the last one, of each quarter, as
//                                       add_lanes_of_four() leaves them; where kReadsQuarters
#if defined(NPK_SIMD_FILTER_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NPK_SIMD_FILTER_ROWS_INL_H_
#undef NPK_SIMD_FILTER_ROWS_INL_H_
#else
#define NPK_SIMD_FILTER_ROWS_INL_H_
#endif

#include <cstring>

#include <hwy/highway.h>

#include "simd/filter.h"
#include "simd/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace npk::simd::HWY_NAMESPACE {
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::CappedTag<float, 16>;
using VF = hn::Vec<DF>;
static_assert(64 % hn::MaxLanes(DF()) == 0);

/// Where row i lies, or the last one if there are no more.
template <typename T, Access kAccess>
HWY_INLINE const T* row_at(const RowBlock& block, size_t i) {
  const size_t place = HWY_MIN(i, block.count - 1);
  return reinterpret_cast<const T*>(block.rows) +
         (is_list(kAccess) ? block.numbers[place] : place) * block.dims;
}

/// The `left` last elements of a row, for a kernel that reads `count`: in `copy`, with zeros behind
/// them, where that would be too many.
template <typename T>
HWY_INLINE const T* readable(const RowBlock& block, const T* last, size_t left, size_t count,
                             T* copy) {
  if (static_cast<size_t>(end_of<T>(block) - last) >= count) return last;
  std::memset(static_cast<void*>(copy), 0, count * sizeof(T));
  std::memcpy(static_cast<void*>(copy), last, left * sizeof(T));
  return copy;
}

#if HWY_HAVE_SCALABLE
/// The sums of neighbouring lanes: those of a, then those of b.
template <class D, class V>
HWY_INLINE V add_neighbours(D d, V a, V b) {
  return hn::Add(hn::ConcatEven(d, b, a), hn::ConcatOdd(d, b, a));
}

/// A step on the way from the lanes of four rows, and of as many as a vector has lanes, to their
/// sums.
template <class D, class V>
HWY_INLINE V add_lanes_of_four(D d, V v0, V v1, V v2, V v3) {
  return add_neighbours(d, add_neighbours(d, v0, v1), add_neighbours(d, v2, v3));
}

/// The sums, of what add_lanes_of_four() made of as many rows as there are lanes, one vector after
/// the other: of four lanes they are the sums already, of eight it takes two.
template <class D>
HWY_INLINE hn::Vec<D> add_lanes_of_all(D d, const hn::TFromD<D>* HWY_RESTRICT of_fours) {
  const size_t lanes = hn::Lanes(d);
  const auto v0 = hn::Load(d, of_fours);
  if (lanes == 4) return v0;
  const auto v1 = hn::Load(d, of_fours + lanes);
  if (lanes == 8) return add_neighbours(d, v0, v1);
  return add_lanes_of_four(d, v0, v1, hn::Load(d, of_fours + 2 * lanes),
                           hn::Load(d, of_fours + 3 * lanes));
}
#else
// As above, but within blocks of four lanes as long as that goes: shuffles across them take longer.
template <class D, class V>
HWY_INLINE V add_pairs(D d, V a, V b) {
  return hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
}

/// In each block of four lanes: a part of each row's sum.
template <class D, class V>
HWY_INLINE V add_lanes_of_four(D d, V v0, V v1, V v2, V v3) {
  const hn::Repartition<uint64_t, D> dw;
  const auto first = hn::BitCast(dw, add_pairs(d, v0, v1));
  const auto second = hn::BitCast(dw, add_pairs(d, v2, v3));
  return hn::Add(hn::BitCast(d, hn::InterleaveLower(dw, first, second)),
                 hn::BitCast(d, hn::InterleaveUpper(dw, first, second)));
}

template <class D, class V>
HWY_INLINE V add_halves(D d, V a, V b) {
  return hn::Add(hn::ConcatLowerLower(d, b, a), hn::ConcatUpperUpper(d, b, a));
}

template <class D>
HWY_INLINE hn::Vec<D> add_lanes_of_all(D d, const hn::TFromD<D>* HWY_RESTRICT of_fours) {
  constexpr size_t kLanes = hn::MaxLanes(D());
  const auto v0 = hn::Load(d, of_fours);
  if constexpr (kLanes == 4) {
    return v0;
  } else {
    const auto v1 = hn::Load(d, of_fours + kLanes);
    if constexpr (kLanes == 8) {
      return add_halves(d, v0, v1);
    } else {
      const auto even = add_halves(d, v0, hn::Load(d, of_fours + 2 * kLanes));
      const auto odd = add_halves(d, v1, hn::Load(d, of_fours + 3 * kLanes));
      return hn::OddEvenBlocks(hn::Add(odd, hn::SwapAdjacentBlocks(odd)),
                               hn::Add(even, hn::SwapAdjacentBlocks(even)));
    }
  }
}
#endif

template <class M>
HWY_INLINE uint64_t bits_of(M mask) {
  uint8_t bytes[8] = {};
  hn::StoreMaskBits(DF(), mask, bytes);
  return bytes[0] | uint64_t{bytes[1]} << 8;
}

HWY_INLINE uint64_t rejected_bits(VF dot, VF square, const FilterLine& line) {
  const DF d;
  const VF base = hn::MulAdd(hn::Set(d, line.half), square, hn::Set(d, line.bound));
  const VF bound = hn::MulAdd(hn::Set(d, line.slope), hn::Sqrt(square), base);
  const auto is_long = hn::Ge(square, hn::Set(d, line.least_square));
  const auto is_short = hn::Le(square, hn::Set(d, line.most_square));
  return bits_of(hn::And(hn::Lt(dot, bound), hn::And(is_long, is_short)));
}

HWY_INLINE VF to_float32(VF sums) { return sums; }
HWY_INLINE VF to_float32(hn::Vec<hn::RebindToSigned<DF>> sums) { return hn::ConvertTo(DF(), sums); }

/// Those of four rows from `first` on, as add_lanes_of_four() leaves them.
template <class Row, Access kAccess, class V>
HWY_INLINE void sum_four(const RowBlock& block, size_t first, const typename Row::Query& query,
                         V& dots, V& squares) {
  if constexpr (kAccess == Access::kQuarters) {
    Row::sum_in_quarters(block, first / 4, query, dots, squares);
  } else {
    if constexpr (kAccess == Access::kGroupedList) {
      for (size_t i = first; i < first + 4; ++i) {
        prefetch_scattered<typename Row::Element>(block, i);
      }
    }
    const typename Row::D d;
    V dot0, dot1, dot2, dot3, square0, square1, square2, square3;
    Row::template sum_row<kAccess>(block, first, query, dot0, square0);
    Row::template sum_row<kAccess>(block, first + 1, query, dot1, square1);
    Row::template sum_row<kAccess>(block, first + 2, query, dot2, square2);
    Row::template sum_row<kAccess>(block, first + 3, query, dot3, square3);
    dots = add_lanes_of_four(d, dot0, dot1, dot2, dot3);
    if constexpr (Row::kHasSquare) {
      squares = add_lanes_of_four(d, square0, square1, square2, square3);
    }
  }
}

/// Of as many rows from `first` on as a vector has lanes.
template <class Row, Access kAccess>
HWY_INLINE uint64_t rejected_rows(const RowBlock& block, size_t first,
                                  const typename Row::Query& query, const FilterLine& line) {
  const typename Row::D d;
  const size_t lanes = hn::Lanes(d);
  // Four rows after the other, through memory: sixteen at once would be four times the code, and
  // most of the time that this library takes to compile. Unrolled by two, which on AVX2 is wholly:
  // without, float16 takes some 5 % longer there (by hand).
  constexpr size_t kMaxSums = hn::MaxLanes(d) / 4 * hn::MaxLanes(d);
  HWY_ALIGN hn::TFromD<typename Row::D> dots[kMaxSums];
  [[maybe_unused]] HWY_ALIGN hn::TFromD<typename Row::D> squares[kMaxSums];
#pragma GCC unroll 2
  for (size_t four = 0; four < lanes; four += 4) {
    auto dot = hn::Zero(d), square = hn::Zero(d);
    sum_four<Row, kAccess>(block, first + four, query, dot, square);
    hn::Store(dot, d, dots + four / 4 * lanes);
    if constexpr (Row::kHasSquare) hn::Store(square, d, squares + four / 4 * lanes);
  }
  const VF dot = to_float32(add_lanes_of_all(d, dots));
  if constexpr (Row::kHasSquare) {
    const VF square = to_float32(add_lanes_of_all(d, squares));
    return rejected_bits(dot, square, line);
  } else {
    return bits_of(hn::Lt(dot, hn::Set(DF(), line.bound)));
  }
}

template <class Row, Access kAccess>
HWY_NOINLINE void filter_rows(const void* query_data, const RowBlock& block, const FilterLine& line,
                              uint64_t* passing) {
  const size_t lanes = hn::Lanes(DF());
  const typename Row::Query query = Row::query_of(query_data, block.dims);
  for (size_t first = 0; first < block.count; first += lanes) {
    const uint64_t rejected = rejected_rows<Row, kAccess>(block, first, query, line);
    const size_t count = HWY_MIN(block.count - first, lanes);
    const uint64_t bits = ~rejected & ((uint64_t{1} << count) - 1);
    if (first % 64 == 0) passing[first / 64] = 0;
    passing[first / 64] |= bits << (first % 64);
  }
}

template <class Row>
void filter_quarters(const void* query_data, const RowBlock& block, const FilterLine& line,
                     uint64_t* passing) {
  const size_t lanes = hn::Lanes(DF());
  const size_t quarter_rows = block.count / 4;
  const typename Row::Query query = Row::query_of(query_data, block.dims);
  for (size_t word = 0; word * 64 < block.count; ++word) passing[word] = 0;
  for (size_t first = 0; first < 4 * quarter_rows; first += lanes) {
    const uint64_t rejected = rejected_rows<Row, Access::kQuarters>(block, first, query, line);
    const size_t count = HWY_MIN(4 * quarter_rows - first, lanes);
    set_in_quarters(~rejected & ((uint64_t{1} << count) - 1), first, quarter_rows, passing);
  }
  // Up to three are left. By a call: inlined, they would be half of this function.
  RowBlock rest = block;
  rest.rows += 4 * quarter_rows * block.dims * sizeof(typename Row::Element);
  rest.count = block.count % 4;
  uint64_t bits = 0;
  filter_rows<Row, Access::kSequence>(query_data, rest, line, &bits);
  for (size_t i = 4 * quarter_rows; bits != 0; ++i, bits >>= 1) {
    passing[i / 64] |= (bits & 1) << (i % 64);
  }
}

/// The kernel of the rows that `Row` describes.
template <class Row>
void filter(const void* query, const RowBlock& block, const FilterLine& line, uint64_t* passing) {
  switch (access_of(block, sizeof(typename Row::Element))) {
    case Access::kQuarters:
      if constexpr (kReadsQuarters) return filter_quarters<Row>(query, block, line, passing);
      [[fallthrough]];
    case Access::kSequence:
      return filter_rows<Row, Access::kSequence>(query, block, line, passing);
    case Access::kAskedSequence:
      return filter_rows<Row, Access::kAskedSequence>(query, block, line, passing);
    case Access::kList:
      return filter_rows<Row, Access::kList>(query, block, line, passing);
    case Access::kGroupedList:
      return filter_rows<Row, Access::kGroupedList>(query, block, line, passing);
  }
}

}  // namespace
#endif  // HWY_TARGET
}  // namespace npk::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // Toggle guard.
