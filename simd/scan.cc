// The scan kernels of floating-point (and small integer) rows for every target: simd/scan.h.
//
// One row at a time, strictly in sequence: interleaving rows confuses the hardware prefetcher
// (measured: 0.6 of the bandwidth instead of 0.95 for narrow types), but for processors that follow
// four streams faster than one (simd/prefetch.cc). A line of 64 bytes costs two to four
// multiply-add pairs in float64, about a third of what the memory allows on one core, so the
// canonical score itself runs at memory speed.
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

/// Rows of a block and a query.
template <typename T>
struct Scan {
  const double* HWY_RESTRICT query;
  const T* end;  // Of the last row.
  size_t dims;
  Ahead ahead;

  /// Elements that go into whole steps.
  [[nodiscard]] HWY_INLINE size_t full() const { return dims / kVirtualLanes * kVirtualLanes; }

  /// Adds the elements from `begin` to `last` of a row: whole steps.
  template <Op kOp, bool kInQuarters>
  HWY_INLINE void add(const T* HWY_RESTRICT row, size_t begin, size_t last, const Lanes16& sums,
                      const Lanes16& norms) const {
    for (size_t j = begin; j < last; j += kVirtualLanes) {
      if constexpr (kInQuarters) {
        prefetch_near_elements(row + j, kVirtualLanes, ahead);
      } else {
        prefetch_elements(row + j, kVirtualLanes, ahead);
      }
      step<kOp, false>(row + j, query + j, nullptr, sums, norms);
    }
  }

  /// Adds what row i has behind full(), if anything, and writes its numbers.
  template <Op kOp>
  HWY_INLINE void finish(size_t i, const T* row, const Lanes16& sums, const Lanes16& norms,
                         double* first, double* second) const {
    if (dims > full()) add_rest<kOp>(row, sums, norms);
    first[i] = sums.total();
    if constexpr (kOp == Op::kDotNorm) second[i] = norms.total();
  }

 private:
  template <Op kOp>
  HWY_INLINE void add_rest(const T* row, const Lanes16& sums, const Lanes16& norms) const {
    const size_t tail = dims - full();
    // Reading on into the next row is fine, past the last one it is not.
    const T* rest = row + full();
    T copy[kVirtualLanes];
    if (static_cast<size_t>(end - rest) < kVirtualLanes) {
      std::memset(static_cast<void*>(copy), 0, sizeof(copy));
      std::memcpy(static_cast<void*>(copy), rest, tail * sizeof(T));
      rest = copy;
    }
    prefetch_elements(row + full(), kVirtualLanes, ahead);
    step<kOp, true>(rest, query + full(), kTailMasks + kVirtualLanes - tail, sums, norms);
  }
};

/// The rows of four quarters at once, a span of each in turn; returns how many rows that are.
template <Op kOp, typename T>
size_t scan_quarters(const Scan<T>& scan, const RowBlock& block, double* first, double* second) {
  // Sums are too many for the registers: those of rows that are longer wait in memory.
  constexpr size_t kSpan = 8 * kVirtualLanes;
  const size_t quarter_rows = block.count / 4;
  HWY_ALIGN double all_sums[4][kVirtualLanes];
  HWY_ALIGN double all_norms[4][kVirtualLanes];
  for (size_t i = 0; i < quarter_rows; ++i) {
    size_t j = 0;
    do {
      const size_t last = HWY_MIN(j + kSpan, scan.full());
      for (size_t q = 0; q < 4; ++q) {
        const size_t row = q * quarter_rows + i;
        NPK_LANES16(sums)
        NPK_LANES16(norms)
        if (j > 0) {
          load_lanes(all_sums[q], sums);
          if constexpr (kOp == Op::kDotNorm) load_lanes(all_norms[q], norms);
        }
        scan.template add<kOp, true>(row_of<T>(block, row), j, last, sums, norms);
        if (last < scan.full()) {
          store_lanes(sums, all_sums[q]);
          if constexpr (kOp == Op::kDotNorm) store_lanes(norms, all_norms[q]);
        } else {
          scan.template finish<kOp>(row, row_of<T>(block, row), sums, norms, first, second);
        }
      }
      j = last;
    } while (j < scan.full());
  }
  return 4 * quarter_rows;
}

template <Op kOp, typename T>
void scan(const void* query, const RowBlock& block, double* first, double* second) {
  const Scan<T> scan = {static_cast<const double*>(query), end_of<T>(block), block.dims,
                        block.ahead};
  size_t i = 0;
  if constexpr (kReadsQuarters) {
    if (block.in_quarters) i = scan_quarters<kOp>(scan, block, first, second);
  }
  for (; i < block.count; ++i) {
    const T* row = row_of<T>(block, i);
    NPK_LANES16(sums)
    NPK_LANES16(norms)
    scan.template add<kOp, false>(row, 0, scan.full(), sums, norms);
    scan.template finish<kOp>(i, row, sums, norms, first, second);
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
