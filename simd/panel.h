// Panel kernels: many queries against a block of rows in float32, to reject rows early.
//
// A panel is up to three vectors of queries, packed element by element; a quad is four queries as
// they are, for the few that would leave most of a vector empty. For each row and query the kernel
// computes a float32 dot product and compares it with a bound, which the caller has lowered by a
// rigorous margin for the rounding in here (core/search/panel_filter.cc). A comparison with NaN
// passes.
#ifndef NPK_SIMD_PANEL_H_
#define NPK_SIMD_PANEL_H_

#include <cstddef>
#include <cstdint>

#include "simd/prefetch.h"
#include "simd/scan.h"
#include "simd/target.h"

namespace npk::simd {

inline constexpr size_t kMaxPanelVectors = 3;
inline constexpr size_t kMaxPanelQueries = 48;
inline constexpr size_t kQuadQueries = 4;

/// Float32 rows back to back and, for each, two numbers of its own.
struct PanelRows {
  const float* rows = nullptr;
  size_t count = 0;
  size_t dims = 0;
  const float* lengths = nullptr;
  const float* offsets = nullptr;
  Upcoming upcoming;  // At most as much as the rows are: asked for on the way.
};

/// Element j of query q is packed[j * width + q], with the width of the kernel; of a quad it is
/// packed[q * dims + j].
struct PanelQueries {
  const float* packed = nullptr;
  const float* slopes = nullptr;
  const float* bounds = nullptr;
};

/// dots[r * width + q] = dot(r, q), and bit q of passing[r] is 0 only if
/// dot(r, q) < slopes[q] * lengths[r] + (bounds[q] + offsets[r]), all in float32. The dot product
/// adds in any order, fused or not.
using PanelFn = void (*)(const PanelRows& rows, const PanelQueries& queries, float* dots,
                         uint64_t* passing);

struct PanelKernels {
  size_t vector_queries;            // Queries in one vector.
  size_t part_rows;                 // So many rows at once are best, or fewer; divides 64.
  PanelFn panel[kMaxPanelVectors];  // panel[v] is v + 1 vectors wide.
  PanelFn quad;                     // kQuadQueries wide.
  /// out[i] = sum of the squares of row i, in any order.
  void (*square_norms)(const float* rows, size_t count, size_t dims, float* out);
  /// Elements of each RowType as float32, rounded to nearest.
  void (*to_float32[kRowTypeCount])(const std::byte* from, size_t count, float* to);
};

const PanelKernels& panel_kernels(Target target) noexcept;
const PanelKernels& scalar_panel_kernels() noexcept;

}  // namespace npk::simd

#endif  // NPK_SIMD_PANEL_H_
