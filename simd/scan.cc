// The scan kernels of floating-point (and small integer) rows for every target: simd/scan.h.
//
// One row at a time, strictly in sequence: interleaving rows confuses the hardware prefetcher
// (measured: 0.6 of the bandwidth instead of 0.95 for narrow types). A line of 64 bytes costs two
// to four multiply-add pairs in float64, about a third of what the memory allows on one core, so
// the canonical score itself runs at memory speed.
#include <array>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/scan.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// Must come after foreach_target.h.
#include <hwy/highway.h>

#include "simd/lanes-inl.h"
#include "simd/scan.h"

HWY_BEFORE_NAMESPACE();
namespace npk::simd::HWY_NAMESPACE {
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
namespace {

enum class Op : uint8_t { kDot, kDotNorm, kL2Sq };

/// sum + x * x. A square of anything narrower than float64 is exact, so fusing changes no bit.
template <typename T>
HWY_INLINE V64 add_square(V64 sum, V64 x) {
  if constexpr (sizeof(T) < 8) return hn::MulAdd(x, x, sum);
  return hn::Add(sum, hn::Mul(x, x));
}

/// Adds 16 elements at `row` against 16 of the query. kMasked: only those where mask is all ones.
template <Op kOp, bool kMasked, typename T>
HWY_INLINE void step(const T* HWY_RESTRICT row, const double* HWY_RESTRICT query,
                     const uint64_t* HWY_RESTRICT mask, const Lanes16& sums, const Lanes16& norms) {
  const D64 d;
#define NPK_STEP(i)                                                                               \
  {                                                                                               \
    auto x = widen(row + (i)*width());                                                            \
    if constexpr (kMasked) x = hn::And(x, hn::BitCast(d, hn::LoadU(DU64(), mask + (i)*width()))); \
    const auto q = hn::LoadU(d, query + (i)*width());                                             \
    if constexpr (kOp == Op::kL2Sq) {                                                             \
      const auto difference = hn::Sub(x, q);                                                      \
      sums.v##i = hn::Add(sums.v##i, hn::Mul(difference, difference));                            \
    } else {                                                                                      \
      sums.v##i = hn::Add(sums.v##i, hn::Mul(x, q));                                              \
      if constexpr (kOp == Op::kDotNorm) norms.v##i = add_square<T>(norms.v##i, x);               \
    }                                                                                             \
  }
  NPK_EACH_VECTOR(NPK_STEP)
#undef NPK_STEP
}

template <Op kOp, typename T>
void scan(const void* query_data, const RowBlock& block, double* first, double* second) {
  const auto* HWY_RESTRICT query = static_cast<const double*>(query_data);
  const auto* row = reinterpret_cast<const T*>(block.rows);
  const size_t dims = block.dims;
  const T* const end = row + block.count * dims;
  const size_t full = dims / kVirtualLanes * kVirtualLanes;
  const size_t tail = dims - full;
  const uint64_t* mask = kTailMasks + kVirtualLanes - tail;
  for (size_t i = 0; i < block.count; ++i, row += dims) {
    NPK_LANES16(sums)
    NPK_LANES16(norms)
    for (size_t j = 0; j < full; j += kVirtualLanes) {
      prefetch_elements(row + j, kVirtualLanes, block.ahead);
      step<kOp, false>(row + j, query + j, mask, sums, norms);
    }
    if (tail != 0) {
      // Reading on into the next row is fine, past the last one it is not.
      const T* last = row + full;
      T copy[kVirtualLanes];
      if (static_cast<size_t>(end - last) < kVirtualLanes) {
        std::memset(static_cast<void*>(copy), 0, sizeof(copy));
        std::memcpy(static_cast<void*>(copy), last, tail * sizeof(T));
        last = copy;
      }
      prefetch_elements(row + full, kVirtualLanes, block.ahead);
      step<kOp, true>(last, query + full, mask, sums, norms);
    }
    first[i] = sums.total();
    if constexpr (kOp == Op::kDotNorm) second[i] = norms.total();
  }
}

template <typename T>
constexpr ScanOps ops_of() {
  return {scan<Op::kDot, T>, scan<Op::kDotNorm, T>, scan<Op::kL2Sq, T>};
}

constexpr ScanKernels kTable = {{ops_of<double>(), ops_of<float>(), ops_of<hwy::float16_t>(),
                                 ops_of<hwy::bfloat16_t>(), ops_of<int8_t>(), ops_of<uint8_t>()}};

}  // namespace
const ScanKernels* scan_table() { return &kTable; }
#endif  // HWY_TARGET
}  // namespace npk::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "simd/target_tables.h"

namespace npk::simd {

const ScanKernels& scan_kernels(Target target) noexcept {
  static const auto tables = [] {
    TargetTables<ScanKernels> filled;
    filled.tables[0] = &scalar_scan_kernels();
    NPK_FILL_TARGET_TABLES(filled, scan_table)
    return filled;
  }();
  return tables.get(target);
}

}  // namespace npk::simd
#endif  // HWY_ONCE
