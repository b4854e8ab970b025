// Filter kernels: one query against a block of rows in float32, to reject rows early.
//
// Narrow rows take several times as many instructions in float64 as in float32, more than there is
// time for while the memory delivers them. So all but a few rows are rejected by a float32 dot
// product, which is compared with a bound that the caller has lowered by a rigorous margin for the
// rounding in here (core/search/margin.h); what passes is then scored canonically. Of bytes and
// bits the dot product is an integer, and what is saved is to make scores of integers.
#ifndef NPK_SIMD_FILTER_H_
#define NPK_SIMD_FILTER_H_

#include <cstdint>

#include "simd/scan.h"
#include "simd/target.h"

namespace npk::simd {

/// A row of the squared length `square` may be rejected if its dot product with the query is below
/// slope * sqrt(square) + (bound + half * square).
struct FilterLine {
  float slope = 0;
  float bound = 0;
  float half = 0;
  /// Rows whose squared length is not in between (or is NaN) pass.
  float least_square = 0;
  float most_square = 0;
};

/// Rows back to back or scattered. Bit i of `passing` is 0 only if row i may be rejected. Writes
/// (count + 63) / 64 words, zeros above count.
using FilterFn = void (*)(const void* query, const RowBlock& block, const FilterLine& line,
                          uint64_t* passing);

/// Elements of a float32 query with the zeros behind it. Always inlined, as prefetch_ahead().
__attribute__((always_inline)) constexpr size_t padded_filter_dims(size_t dims) {
  constexpr size_t kMultiple = 2 * kVirtualLanes;
  return (dims + kMultiple - 1) / kMultiple * kMultiple;
}

/// Where element j of a float32 query lies, by the type of the rows. For bfloat16 those at even
/// places come first, then those at odd ones: kernels take such rows apart that way.
constexpr size_t filter_query_place(RowType type, size_t dims, size_t j) {
  return type == RowType::kBFloat16 ? j % 2 * (padded_filter_dims(dims) / 2) + j / 2 : j;
}

/// How the rows of a block lie, and how what follows is to be asked for: what the kernels of this
/// family are compiled for, each way by itself.
enum class Access : uint8_t { kSequence, kAskedSequence, kQuarters, kList, kGroupedList };
constexpr bool is_list(Access access) {
  return access == Access::kList || access == Access::kGroupedList;
}
/// Quarters are worth it where they lie on pages of their own.
__attribute__((always_inline)) constexpr Access access_of(const RowBlock& block,
                                                          size_t element_bytes) {
  constexpr size_t kPageBytes = 4096;
  if (block.numbers != nullptr) {
    const bool is_grouped = block.scattered.order == ScatteredOrder::kByGroup;
    return is_grouped ? Access::kGroupedList : Access::kList;
  }
  if (block.in_quarters && block.count / 4 * block.dims * element_bytes >= kPageBytes) {
    return Access::kQuarters;
  }
  return block.ahead.far_bytes != 0 ? Access::kAskedSequence : Access::kSequence;
}

/// With Access::kQuarters the first rows of the four quarters come first, then the second ones, and
/// so on. Sets the bits of `passing` of rows from the `first` on in that order.
__attribute__((always_inline)) inline void set_in_quarters(uint64_t bits, size_t first,
                                                           size_t quarter_rows, uint64_t* passing) {
  for (; bits != 0; bits &= bits - 1) {
    const size_t place = first + static_cast<size_t>(__builtin_ctzll(bits));
    const size_t row = place % 4 * quarter_rows + place / 4;
    passing[row / 64] |= uint64_t{1} << (row % 64);
  }
}

/// All in float32: dot product and squared length each add dims products, in any order, fused or
/// not. Query: padded_filter_dims() float32, each at its filter_query_place().
struct FilterKernels {
  /// Null for float64 where that is scored at the speed of the memory.
  FilterFn by_type[kRowTypeCount];
};

/// Dot product and squared length are exact integers, each rounded to float32 once. Some kernels do
/// without the length: they reject what is below the line's bound, whatever else the line says.
/// Requires: block.dims <= kMostInt32Dims.
struct IntegerFilterKernels {
  // Query: IntegerQuery.
  /// May take -128 for -127: of the row in the squared length, of an int8 query in the dot product.
  FilterFn of_int8;
  FilterFn of_uint8;
  FilterFn dot_of_int8;   // Without the length.
  FilterFn dot_of_uint8;  // Without the length.
  /// Dot product: 0 less the squared distance. Without the length. The query is of the rows' type.
  /// Null where products of bytes and lengths are quicker.
  FilterFn l2sq_of_int8;
  FilterFn l2sq_of_uint8;
  // Query: bytes, padded with zeros to a multiple of kIntegerPadding.
  FilterFn of_bits;  // Dot product: bits of row & query; squared length: bits of the row.
  FilterFn hamming;  // Dot product: 0 less one for each bit that differs. Without the length.
};

const FilterKernels& filter_kernels(Target target) noexcept;
const FilterKernels& scalar_filter_kernels() noexcept;

const IntegerFilterKernels& integer_filter_kernels(Target target) noexcept;
const IntegerFilterKernels& scalar_integer_filter_kernels() noexcept;

}  // namespace npk::simd

#endif  // NPK_SIMD_FILTER_H_
