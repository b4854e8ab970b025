// The filter kernels for every target: simd/filter.h.
//
// Rows are walked one after the other, as in simd/scan.cc. As many rows as a vector has lanes leave
// vectors of sums in a small buffer, whose lanes are added up together: one addition for each
// vector instead of one for each halving of it.
#include <cstring>

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
  } else {
    return widen_to_float32(DF(), from);
  }
}

/// Writes vectors whose lanes add up to the row's sums. Reads nothing behind `end`, where the block
/// ends.
template <typename T>
HWY_INLINE void add_row(const T* HWY_RESTRICT row, const float* HWY_RESTRICT query,
                        const RowBlock& block, const T* end, float* HWY_RESTRICT dot,
                        float* HWY_RESTRICT square) {
  const DF d;
  const size_t lanes = hn::Lanes(d);
  const size_t dims = block.dims;
  VF dot0 = hn::Zero(d);
  VF dot1 = dot0;
  VF square0 = dot0;
  VF square1 = dot0;
  size_t j = 0;
  for (; j + 2 * lanes <= dims; j += 2 * lanes) {
    prefetch_elements(row + j, 2 * lanes, block.ahead);
    const VF x0 = load(row + j);
    const VF x1 = load(row + j + lanes);
    dot0 = hn::MulAdd(x0, hn::LoadU(d, query + j), dot0);
    square0 = hn::MulAdd(x0, x0, square0);
    dot1 = hn::MulAdd(x1, hn::LoadU(d, query + j + lanes), dot1);
    square1 = hn::MulAdd(x1, x1, square1);
  }
  for (; j < dims; j += lanes) {
    const T* last = row + j;
    T copy[kMaxLanes];
    if (static_cast<size_t>(end - last) < lanes) {
      std::memset(static_cast<void*>(copy), 0, sizeof(copy));
      std::memcpy(static_cast<void*>(copy), last, (dims - j) * sizeof(T));
      last = copy;
    }
    const VF x = hn::IfThenElseZero(hn::FirstN(d, HWY_MIN(dims - j, lanes)), load(last));
    dot0 = hn::MulAdd(x, hn::LoadU(d, query + j), dot0);
    square0 = hn::MulAdd(x, x, square0);
  }
  hn::Store(hn::Add(dot0, dot1), d, dot);
  hn::Store(hn::Add(square0, square1), d, square);
}

/// Lane i of the result is the sum of the lanes of vector i; there are as many as a vector has
/// lanes, which are overwritten.
HWY_INLINE VF add_lanes_together(float* HWY_RESTRICT vectors) {
  const DF d;
  const size_t lanes = hn::Lanes(d);
  for (size_t count = lanes; count > 1; count /= 2) {
    for (size_t i = 0; i < count; i += 2) {
      const VF a = hn::Load(d, vectors + i * lanes);
      const VF b = hn::Load(d, vectors + (i + 1) * lanes);
      const VF sums = hn::Add(hn::ConcatEven(d, b, a), hn::ConcatOdd(d, b, a));
      hn::Store(sums, d, vectors + i / 2 * lanes);
    }
  }
  return hn::Load(d, vectors);
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

template <typename T>
void filter(const void* query_data, const RowBlock& block, const FilterLine& line,
            uint64_t* passing) {
  const auto* query = static_cast<const float*>(query_data);
  const size_t lanes = hn::Lanes(DF());
  const T* const end = end_of<T>(block);
  HWY_ALIGN float dots[kMaxLanes * kMaxLanes] = {};
  HWY_ALIGN float squares[kMaxLanes * kMaxLanes] = {};
  for (size_t first = 0; first < block.count; first += lanes) {
    // Of the last rows, fewer than a vector has lanes, whatever was there before fills the rest.
    const size_t count = HWY_MIN(block.count - first, lanes);
    for (size_t r = 0; r < count; ++r) {
      prefetch_scattered<T>(block, first + r);
      add_row(row_of<T>(block, first + r), query, block, end, dots + r * lanes,
              squares + r * lanes);
    }
    const uint64_t rejected =
        rejected_bits(add_lanes_together(dots), add_lanes_together(squares), line);
    const uint64_t bits = ~rejected & ((uint64_t{1} << count) - 1);
    if (first % 64 == 0) passing[first / 64] = 0;
    passing[first / 64] |= bits << (first % 64);
  }
}

constexpr FilterKernels kTable = {{nullptr, filter<float>, filter<hwy::float16_t>,
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
