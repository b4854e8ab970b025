// The scan kernels of int8 and uint8 rows in integers, for every target: simd/scan.h.
//
// Elements are widened to int16, which holds both types and their differences, and products are
// added in int32. A difference is at most 255 + 128, so kSpan squares sum up to at most
// 8192 * 383^2 < 2^31: the sum of all lanes fits as well, and goes to float64 before more follow.
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/integers.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// Must come after foreach_target.h.
#include <hwy/highway.h>

#include "simd/prefetch.h"
#include "simd/scan.h"

HWY_BEFORE_NAMESPACE();
namespace npk::simd::HWY_NAMESPACE {
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using D16 = hn::CappedTag<int16_t, 32>;
using D32 = hn::Repartition<int32_t, D16>;
using V16 = hn::Vec<D16>;
using V32 = hn::Vec<D32>;
constexpr size_t kMaxWidth = hn::MaxLanes(D16());
constexpr size_t kSpan = 8'192;
static_assert(kSpan * 383 * 383 < (uint64_t{1} << 31));
static_assert(kIntegerPadding % (2 * kMaxWidth) == 0 && kSpan % kIntegerPadding == 0);

enum class Op : uint8_t { kDot, kDotNorm, kL2Sq };

template <typename T>
HWY_INLINE V16 widen16(const T* from) {
  return hn::PromoteTo(D16(), hn::LoadU(hn::Rebind<T, D16>(), from));
}

HWY_INLINE V32 add_products(V16 a, V16 b, V32 sum) {
  V32 high = hn::Zero(D32());
  const V32 low = hn::ReorderWidenMulAccumulate(D32(), a, b, sum, high);
  return hn::Add(low, high);
}

template <Op kOp>
HWY_INLINE void step(V16 x, const int16_t* HWY_RESTRICT query, V32& sum, V32& norm) {
  const V16 q = hn::LoadU(D16(), query);
  if constexpr (kOp == Op::kL2Sq) {
    const V16 difference = hn::Sub(x, q);
    sum = add_products(difference, difference, sum);
  } else {
    sum = add_products(x, q, sum);
    if constexpr (kOp == Op::kDotNorm) norm = add_products(x, x, norm);
  }
}

/// Sums of at most kSpan elements.
template <Op kOp, typename T>
HWY_INLINE void add_span(const T* HWY_RESTRICT row, const int16_t* HWY_RESTRICT query, size_t count,
                         const T* end, const RowBlock& block, double* first, double* second) {
  const D16 d;
  const size_t width = hn::Lanes(d);
  V32 sum0 = hn::Zero(D32());
  V32 sum1 = sum0;
  V32 norm0 = sum0;
  V32 norm1 = sum0;
  size_t j = 0;
  for (; j + 2 * width <= count; j += 2 * width) {
    prefetch_in_turn(row + j, block);
    step<kOp>(widen16(row + j), query + j, sum0, norm0);
    step<kOp>(widen16(row + j + width), query + j + width, sum1, norm1);
  }
  for (; j < count; j += width) {
    const size_t left = HWY_MIN(count - j, width);
    const T* at = row + j;
    T copy[kMaxWidth];
    if (static_cast<size_t>(end - at) < width) {
      std::memset(copy, 0, sizeof(copy));
      std::memcpy(copy, at, left * sizeof(T));
      at = copy;
    }
    const V16 x = hn::IfThenElseZero(hn::FirstN(d, left), widen16(at));
    step<kOp>(x, query + j, sum0, norm0);
  }
  *first += static_cast<double>(hn::GetLane(hn::SumOfLanes(D32(), hn::Add(sum0, sum1))));
  if constexpr (kOp == Op::kDotNorm) {
    *second += static_cast<double>(hn::GetLane(hn::SumOfLanes(D32(), hn::Add(norm0, norm1))));
  }
}

template <Op kOp, typename T>
void scan_integers(const void* query_data, const RowBlock& block, double* first, double* second) {
  const auto* HWY_RESTRICT query = static_cast<const IntegerQuery*>(query_data)->values;
  const T* const end = end_of<T>(block);
  for (size_t turn = 0; turn < block.count; ++turn) {
    const size_t i = row_in_turn(block, turn);
    const T* row = row_of<T>(block, i);
    double sum = 0;
    double norm = 0;
    for (size_t j = 0; j < block.dims; j += kSpan) {
      const size_t count = HWY_MIN(block.dims - j, kSpan);
      add_span<kOp>(row + j, query + j, count, end, block, &sum, &norm);
    }
    first[i] = sum;
    if constexpr (kOp == Op::kDotNorm) second[i] = norm;
  }
}

template <typename T>
constexpr ScanOps ops_of() {
  return {scan_integers<Op::kDot, T>, scan_integers<Op::kDotNorm, T>, scan_integers<Op::kL2Sq, T>};
}

constexpr IntegerKernels kTable = {ops_of<int8_t>(), ops_of<uint8_t>()};

}  // namespace
const IntegerKernels* integer_table() { return &kTable; }
#endif  // HWY_TARGET
}  // namespace npk::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "simd/integers_vnni.h"
#include "simd/target_tables.h"

namespace npk::simd {

const IntegerKernels& integer_kernels(Target target) noexcept {
  static const auto tables = [] {
    TargetTables<IntegerKernels> filled;
    filled.tables[0] = &scalar_integer_kernels();
    NPK_FILL_TARGET_TABLES(filled, integer_table)
    filled.tables[static_cast<size_t>(Target::kAvx3Dl)] = vnni_integer_kernels();
    return filled;
  }();
  return tables.get(target);
}

}  // namespace npk::simd
#endif  // HWY_ONCE
