// Filter kernels: one query against a block of rows in float32, to reject rows early.
//
// Narrow rows take several times as many instructions in float64 as in float32, more than there is
// time for while the memory delivers them. So all but a few rows are rejected by a float32 dot
// product, which is compared with a bound that the caller has lowered by a rigorous margin for the
// rounding in here (core/search/margin.h); what passes is then scored canonically.
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

/// Rows back to back or scattered. Bit i of `passing` is 0 only if row i may be rejected, all
/// computed in float32: dot product and squared length each add dims products, in any order, fused
/// or not. `query` is padded with zeros to a multiple of kVirtualLanes. Writes (count + 63) / 64
/// words, zeros above count.
using FilterFn = void (*)(const float* query, const RowBlock& block, const FilterLine& line,
                          uint64_t* passing);

struct FilterKernels {
  /// Null for float64, which is scored at the speed of the memory.
  FilterFn by_type[kRowTypeCount];
};

const FilterKernels& filter_kernels(Target target) noexcept;
const FilterKernels& scalar_filter_kernels() noexcept;

}  // namespace npk::simd

#endif  // NPK_SIMD_FILTER_H_
