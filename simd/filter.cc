// The filter kernels for every target: simd/filter.h.
//
// Rows are walked one after the other, as in simd/scan.cc, or four at once, of which each lies in
// another quarter of the block.
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/filter.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// Must come after foreach_target.h.
#include <hwy/highway.h>

#include "simd/filter_rows-inl.h"
#include "simd/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace npk::simd::HWY_NAMESPACE {
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
namespace {

constexpr size_t kMaxLanes = hn::MaxLanes(DF());
static_assert(kVirtualLanes % kMaxLanes == 0);

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
  T copy[2 * kMaxLanes];
  load_two(readable(block, row + j, left, 2 * lanes, copy), first, second);
  const size_t of_first = kIsBFloat16<T> ? (left + 1) / 2 : HWY_MIN(left, lanes);
  first = hn::IfThenElseZero(hn::FirstN(d, of_first), first);
  second = hn::IfThenElseZero(hn::FirstN(d, left - of_first), second);
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

/// Rows of T: simd/filter_rows-inl.h.
template <typename T>
struct Floats {
  using D = DF;
  using Element = T;
  using Query = const float*;
  static constexpr bool kHasSquare = true;

  HWY_INLINE static Query query_of(const void* data, size_t /*dims*/) {
    return static_cast<const float*>(data);
  }
  /// How far the query's elements for the second vector lie behind those for the first.
  HWY_INLINE static size_t second_vector(size_t dims) {
    return kIsBFloat16<T> ? padded_filter_dims(dims) / 2 : hn::Lanes(D());
  }

  template <Access kAccess>
  HWY_INLINE static void sum_row(const RowBlock& block, size_t i, const float* HWY_RESTRICT query,
                                 VF& dot, VF& square) {
    const DF d;
    const size_t lanes = hn::Lanes(d);
    const size_t dims = block.dims;
    const T* HWY_RESTRICT row = row_at<T, kAccess>(block, i);
    const T* asked =
        kAccess == Access::kList ? asked_row<T>(block, HWY_MIN(i, block.count - 1)) : nullptr;
    const size_t apart = second_vector(dims);
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

  HWY_INLINE static void sum_in_quarters(const RowBlock& block, size_t i,
                                         const float* HWY_RESTRICT query, VF& dots, VF& squares) {
    const size_t dims = block.dims;
    const size_t quarter_rows = block.count / 4;
    const T* HWY_RESTRICT row0 = row_of<T>(block, HWY_MIN(i, quarter_rows - 1));
    const T* HWY_RESTRICT row1 = row0 + quarter_rows * dims;
    const T* HWY_RESTRICT row2 = row1 + quarter_rows * dims;
    const T* HWY_RESTRICT row3 = row2 + quarter_rows * dims;
    const size_t two = 2 * hn::Lanes(DF());
    const size_t apart = second_vector(dims);
    const size_t step = kIsBFloat16<T> ? two / 2 : two;
    VF dot0 = hn::Zero(DF());
    VF dot1 = dot0, dot2 = dot0, dot3 = dot0;
    VF square0 = dot0, square1 = dot0, square2 = dot0, square3 = dot0;
    VF x0, x1;
    size_t j = 0;
#define NPK_ADD(r) add_products(x0, x1, query, query + apart, dot##r, dot##r, square##r, square##r);
#define NPK_EACH_ROW(M) M(0) M(1) M(2) M(3)
    for (; j + two <= dims; j += two, query += step) {
#define NPK_STEP(r)                                     \
  prefetch_near_elements(row##r + j, two, block.ahead); \
  load_two(row##r + j, x0, x1);                         \
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
    dots = add_lanes_of_four(DF(), dot0, dot1, dot2, dot3);
    squares = add_lanes_of_four(DF(), square0, square1, square2, square3);
  }
};

// float64 is scored as quickly where eight of its products are one instruction; the others round it
// on the way.
#if HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_AVX2
constexpr FilterFn kOfFloat64 = filter<Floats<double>>;
#else
constexpr FilterFn kOfFloat64 = nullptr;
#endif
constexpr FilterKernels kTable = {{kOfFloat64, filter<Floats<float>>,
                                   filter<Floats<hwy::float16_t>>, filter<Floats<hwy::bfloat16_t>>,
                                   filter<Floats<int8_t>>, filter<Floats<uint8_t>>}};

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
