// The filter kernels for every target: simd/filter.h.
//
// Rows are walked one after the other, as in simd/scan.cc, or four at once, of which each lies in
// another quarter of the block. The lanes of as many rows as a vector has lanes are added up
// together: one addition for each vector instead of one for each halving of it.
#include <cstring>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/filter.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// Must come after foreach_target.h.
#include <hwy/highway.h>

#include "simd/filter.h"
#include "simd/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace npk::simd::HWY_NAMESPACE {
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
namespace {

using DF = hn::CappedTag<float, 16>;
using VF = hn::Vec<DF>;
constexpr size_t kMaxLanes = hn::MaxLanes(DF());
static_assert(64 % kMaxLanes == 0 && kVirtualLanes % kMaxLanes == 0);

template <typename T>
HWY_INLINE VF load(const T* from) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return hn::LoadU(DF(), from);
  } else if constexpr (sizeof(T) == sizeof(double)) {
    const hn::Half<DF> half;
    const hn::Rebind<double, hn::Half<DF>> wide;
    const auto low = hn::DemoteTo(half, hn::LoadU(wide, from));
    return hn::Combine(DF(), hn::DemoteTo(half, hn::LoadU(wide, from + hn::Lanes(half))), low);
  } else {
    return widen_to_float32(DF(), from);
  }
}

template <typename T>
constexpr bool kIsBFloat16 = std::is_same_v<T, hwy::bfloat16_t>;

/// Two vectors of elements: of bfloat16 those at even places and those at odd ones, which takes no
/// shuffle; else one after the other.
template <typename T>
HWY_INLINE void load_two(const T* from, VF& first, VF& second) {
  const DF d;
  if constexpr (kIsBFloat16<T>) {
    const hn::RebindToUnsigned<DF> du32;
    const hn::Repartition<uint16_t, DF> du16;
    const auto bits = hn::BitCast(du32, hn::LoadU(du16, reinterpret_cast<const uint16_t*>(from)));
    first = hn::BitCast(d, hn::ShiftLeft<16>(bits));
    second = hn::BitCast(d, hn::And(bits, hn::Set(du32, 0xffff0000u)));
  } else {
    first = load(from);
    second = load(from + hn::Lanes(d));
  }
}

/// As load_two() of what a row has from element j on, with zeros behind it. Reads nothing behind
/// the last row.
template <typename T>
HWY_INLINE void load_rest(const RowBlock& block, const T* row, size_t j, VF& first, VF& second) {
  const DF d;
  const size_t lanes = hn::Lanes(d);
  const size_t left = block.dims - j;
  const T* rest = row + j;
  T copy[2 * kMaxLanes];
  if (static_cast<size_t>(end_of<T>(block) - rest) < 2 * lanes) {
    std::memset(static_cast<void*>(copy), 0, sizeof(copy));
    std::memcpy(static_cast<void*>(copy), rest, left * sizeof(T));
    rest = copy;
  }
  load_two(rest, first, second);
  const size_t of_first = kIsBFloat16<T> ? (left + 1) / 2 : HWY_MIN(left, lanes);
  first = hn::IfThenElseZero(hn::FirstN(d, of_first), first);
  second = hn::IfThenElseZero(hn::FirstN(d, left - of_first), second);
}

/// How far the query's elements for the second vector lie behind those for the first.
template <typename T>
HWY_INLINE size_t second_vector(size_t dims) {
  return kIsBFloat16<T> ? padded_filter_dims(dims) / 2 : hn::Lanes(DF());
}

/// Adds the products of two vectors of elements.
HWY_INLINE void add_products(VF x0, VF x1, const float* HWY_RESTRICT query0,
                             const float* HWY_RESTRICT query1, VF& dot0, VF& dot1, VF& square0,
                             VF& square1) {
  const DF d;
  dot0 = hn::MulAdd(x0, hn::LoadU(d, query0), dot0);
  dot1 = hn::MulAdd(x1, hn::LoadU(d, query1), dot1);
  square0 = hn::MulAdd(x0, x0, square0);
  square1 = hn::MulAdd(x1, x1, square1);
}

/// Vectors whose lanes add up to the sums of row i, or of the last one if there are no more. Reads
/// nothing behind the last one.
template <typename T, Access kAccess>
HWY_INLINE void sum_row(const RowBlock& block, size_t i, const float* HWY_RESTRICT query, VF& dot,
                        VF& square) {
  const DF d;
  const size_t lanes = hn::Lanes(d);
  const size_t dims = block.dims;
  const size_t place = HWY_MIN(i, block.count - 1);
  const auto* HWY_RESTRICT row = reinterpret_cast<const T*>(block.rows) +
                                 (is_list(kAccess) ? block.numbers[place] : place) * dims;
  const T* asked = kAccess == Access::kList ? asked_row<T>(block, place) : nullptr;
  const size_t apart = second_vector<T>(dims);
  const size_t step = kIsBFloat16<T> ? lanes : 2 * lanes;
  VF dot0 = hn::Zero(d);
  VF dot1 = dot0;
  VF square0 = dot0;
  VF square1 = dot0;
  VF x0, x1;
  size_t j = 0;
  for (; j + 2 * lanes <= dims; j += 2 * lanes, query += step) {
    if constexpr (kAccess == Access::kAskedSequence) {
      prefetch_elements(row + j, 2 * lanes, block.ahead);
    }
    if constexpr (kAccess == Access::kList) prefetch_elements(asked + j, 2 * lanes);
    load_two(row + j, x0, x1);
    add_products(x0, x1, query, query + apart, dot0, dot1, square0, square1);
  }
  if (j < dims) {
    load_rest(block, row, j, x0, x1);
    add_products(x0, x1, query, query + apart, dot0, dot1, square0, square1);
  }
  if constexpr (kAccess == Access::kList) prefetch_row_end(asked, dims * sizeof(T));
  dot = hn::Add(dot0, dot1);
  square = hn::Add(square0, square1);
}

/// The sums of neighbouring lanes: those of a, then those of b.
HWY_INLINE VF add_neighbours(VF a, VF b) {
  const DF d;
  return hn::Add(hn::ConcatEven(d, b, a), hn::ConcatOdd(d, b, a));
}

HWY_INLINE VF add_lanes_of_four(VF a, VF b, VF c, VF d) {
  return add_neighbours(add_neighbours(a, b), add_neighbours(c, d));
}

/// From what add_lanes_of_four() made of as many rows as a vector has lanes to their sums. A vector
/// of four lanes has them already, and one of eight is made of two.
HWY_INLINE VF add_lanes_of_all(VF a, VF b, VF c, VF d) {
  if (hn::Lanes(DF()) == 4) return a;
  if (hn::Lanes(DF()) == 8) return add_neighbours(a, b);
  return add_lanes_of_four(a, b, c, d);
}

HWY_INLINE uint64_t rejected_bits(VF dot, VF square, const FilterLine& line) {
  const DF d;
  const VF base = hn::MulAdd(hn::Set(d, line.half), square, hn::Set(d, line.bound));
  const VF bound = hn::MulAdd(hn::Set(d, line.slope), hn::Sqrt(square), base);
  const auto is_long = hn::Ge(square, hn::Set(d, line.least_square));
  const auto is_short = hn::Le(square, hn::Set(d, line.most_square));
  uint8_t bytes[8] = {};
  hn::StoreMaskBits(d, hn::And(hn::Lt(dot, bound), hn::And(is_long, is_short)), bytes);
  return bytes[0] | uint64_t{bytes[1]} << 8;
}

/// The sums of row i, or the last there is, of each quarter, as add_lanes_of_four() leaves them.
template <typename T>
HWY_INLINE void sum_in_quarters(const RowBlock& block, size_t i, const float* HWY_RESTRICT query,
                                VF& dots, VF& squares) {
  const size_t dims = block.dims;
  const size_t quarter_rows = block.count / 4;
  const T* HWY_RESTRICT row0 = row_of<T>(block, HWY_MIN(i, quarter_rows - 1));
  const T* HWY_RESTRICT row1 = row0 + quarter_rows * dims;
  const T* HWY_RESTRICT row2 = row1 + quarter_rows * dims;
  const T* HWY_RESTRICT row3 = row2 + quarter_rows * dims;
  const size_t two = 2 * hn::Lanes(DF());
  const size_t apart = second_vector<T>(dims);
  const size_t step = kIsBFloat16<T> ? two / 2 : two;
  VF dot0 = hn::Zero(DF());
  VF dot1 = dot0, dot2 = dot0, dot3 = dot0;
  VF square0 = dot0, square1 = dot0, square2 = dot0, square3 = dot0;
  VF x0, x1;
  size_t j = 0;
#define NPK_ADD(r) add_products(x0, x1, query, query + apart, dot##r, dot##r, square##r, square##r);
#define NPK_EACH_ROW(M) M(0) M(1) M(2) M(3)
  for (; j + two <= dims; j += two, query += step) {
#define NPK_STEP(r)             \
  load_two(row##r + j, x0, x1); \
  NPK_ADD(r)
    NPK_EACH_ROW(NPK_STEP)
#undef NPK_STEP
  }
  if (j < dims) {
#define NPK_REST(r)                    \
  load_rest(block, row##r, j, x0, x1); \
  NPK_ADD(r)
    NPK_EACH_ROW(NPK_REST)
#undef NPK_REST
  }
#undef NPK_EACH_ROW
#undef NPK_ADD
  dots = add_lanes_of_four(dot0, dot1, dot2, dot3);
  squares = add_lanes_of_four(square0, square1, square2, square3);
}

/// Those of four rows from `first` on, as add_lanes_of_four() leaves them.
template <typename T, Access kAccess>
HWY_INLINE void sum_four(const RowBlock& block, size_t first, const float* HWY_RESTRICT query,
                         VF& dots, VF& squares) {
  if constexpr (kAccess == Access::kQuarters) {
    return sum_in_quarters<T>(block, first / 4, query, dots, squares);
  }
  if constexpr (kAccess == Access::kGroupedList) {
    for (size_t i = first; i < first + 4; ++i) prefetch_scattered<T>(block, i);
  }
  VF dot0, dot1, dot2, dot3, square0, square1, square2, square3;
  sum_row<T, kAccess>(block, first, query, dot0, square0);
  sum_row<T, kAccess>(block, first + 1, query, dot1, square1);
  sum_row<T, kAccess>(block, first + 2, query, dot2, square2);
  sum_row<T, kAccess>(block, first + 3, query, dot3, square3);
  dots = add_lanes_of_four(dot0, dot1, dot2, dot3);
  squares = add_lanes_of_four(square0, square1, square2, square3);
}

/// Which of as many rows as a vector has lanes, from `first` on, pass.
template <typename T, Access kAccess>
HWY_INLINE uint64_t filter_group(const float* query, const RowBlock& block, size_t first,
                                 const FilterLine& line) {
  const size_t lanes = hn::Lanes(DF());
  const VF zero = hn::Zero(DF());
  VF dot0 = zero, dot1 = zero, dot2 = zero, dot3 = zero;
  VF square0 = zero, square1 = zero, square2 = zero, square3 = zero;
  sum_four<T, kAccess>(block, first, query, dot0, square0);
  if (lanes > 4) sum_four<T, kAccess>(block, first + 4, query, dot1, square1);
  if (lanes > 8) {
    sum_four<T, kAccess>(block, first + 8, query, dot2, square2);
    sum_four<T, kAccess>(block, first + 12, query, dot3, square3);
  }
  return ~rejected_bits(add_lanes_of_all(dot0, dot1, dot2, dot3),
                        add_lanes_of_all(square0, square1, square2, square3), line);
}

template <typename T, Access kAccess>
void filter_rows(const float* query, const RowBlock& block, const FilterLine& line,
                 uint64_t* passing) {
  const size_t lanes = hn::Lanes(DF());
  for (size_t first = 0; first < block.count; first += lanes) {
    const size_t count = HWY_MIN(block.count - first, lanes);
    const uint64_t bits =
        filter_group<T, kAccess>(query, block, first, line) & ((uint64_t{1} << count) - 1);
    if (first % 64 == 0) passing[first / 64] = 0;
    passing[first / 64] |= bits << (first % 64);
  }
}

template <typename T>
void filter_quarters(const float* query, const RowBlock& block, const FilterLine& line,
                     uint64_t* passing) {
  const size_t lanes = hn::Lanes(DF());
  const size_t quarter_rows = block.count / 4;
  for (size_t word = 0; word * 64 < block.count; ++word) passing[word] = 0;
  for (size_t first = 0; first < 4 * quarter_rows; first += lanes) {
    const size_t count = HWY_MIN(4 * quarter_rows - first, lanes);
    const uint64_t bits = filter_group<T, Access::kQuarters>(query, block, first, line) &
                          ((uint64_t{1} << count) - 1);
    set_in_quarters(bits, first, quarter_rows, passing);
  }
  // Up to three are left.
  for (size_t i = 4 * quarter_rows; i < block.count; ++i) {
    const uint64_t bits = filter_group<T, Access::kSequence>(query, block, i, line) & 1;
    passing[i / 64] |= bits << (i % 64);
  }
}

template <typename T>
void filter(const void* query_data, const RowBlock& block, const FilterLine& line,
            uint64_t* passing) {
  const auto* query = static_cast<const float*>(query_data);
  switch (access_of(block, sizeof(T))) {
    case Access::kSequence:
      return filter_rows<T, Access::kSequence>(query, block, line, passing);
    case Access::kAskedSequence:
      return filter_rows<T, Access::kAskedSequence>(query, block, line, passing);
    case Access::kQuarters:
      return filter_quarters<T>(query, block, line, passing);
    case Access::kList:
      return filter_rows<T, Access::kList>(query, block, line, passing);
    case Access::kGroupedList:
      return filter_rows<T, Access::kGroupedList>(query, block, line, passing);
  }
}

// float64 is scored as quickly where eight of its products are one instruction; the others round it
// on the way.
#if HWY_TARGET == HWY_SSSE3 || HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_AVX2
constexpr FilterFn kOfFloat64 = filter<double>;
#else
constexpr FilterFn kOfFloat64 = nullptr;
#endif
constexpr FilterKernels kTable = {{kOfFloat64, filter<float>, filter<hwy::float16_t>,
                                   filter<hwy::bfloat16_t>, filter<int8_t>, filter<uint8_t>}};

}  // namespace
const FilterKernels* filter_table() { return &kTable; }
#endif  // HWY_TARGET
}  // namespace npk::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "simd/target_tables.h"

namespace npk::simd {

const FilterKernels& filter_kernels(Target target) noexcept {
  static const auto tables = [] {
    TargetTables<FilterKernels> filled;
    filled.tables[0] = &scalar_filter_kernels();
    NPK_FILL_TARGET_TABLES(filled, filter_table)
    return filled;
  }();
  return tables.get(target);
}

}  // namespace npk::simd
#endif  // HWY_ONCE
