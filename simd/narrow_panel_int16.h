// What the panel kernels that round to int16 share, whatever they are compiled for:
// simd/narrow_panel.h.
#ifndef NPK_SIMD_NARROW_PANEL_INT16_H_
#define NPK_SIMD_NARROW_PANEL_INT16_H_

#include <algorithm>
#include <cmath>
#include <limits>

#include "simd/narrow_panel.h"

namespace npk::simd {

const NarrowPanelKernels& avx2_narrow_panel_kernels() noexcept;
/// The same, but they round nothing: AVX-512 is quicker in float32.
const NarrowPanelKernels& avx3_narrow_panel_kernels() noexcept;

/// What to multiply a row with so that its length is kInt16Length; 0 if there is no such number.
inline float int16_factor(float length) {
  const float factor = kInt16Length / length;
  return factor > 0 && factor <= std::numeric_limits<float>::max() ? factor : 0.0f;
}

/// The sums of the squares of rows back to back, in float32, in any order. Asks for what is
/// upcoming once for every kStep elements, where prepare_parts says so.
using SquareNormsFn = void (*)(const std::byte* rows, size_t count, size_t dims,
                               UpcomingRequests& upcoming, float* squares);
/// The elements of row r times factors[r], rounded to nearest, and zeros up to a multiple of 64
/// bytes. Asks likewise.
using ScaleRowsFn = void (*)(const std::byte* rows, size_t count, size_t dims, const float* factors,
                             UpcomingRequests& upcoming, std::byte* to, size_t step_bytes);

/// NarrowPanelKernels::prepare_rounded, of functions that belong to a target.
template <SquareNormsFn kSquareNorms, ScaleRowsFn kScaleRows, size_t kStep>
void prepare_int16(const std::byte* rows, size_t count, size_t dims, std::byte* to,
                   size_t step_bytes, const Upcoming& upcoming, float* units, float* squares) {
  // In groups that stay in the first-level cache, which is twice as large, so that no row waits for
  // its root.
  constexpr size_t kGroupBytes = 16u << 10;
  constexpr size_t kMostGroupRows = 64;
  const size_t row_bytes = dims * sizeof(float);
  const size_t group = std::min(kMostGroupRows, 1 + kGroupBytes / (row_bytes + 1));
  float factors[kMostGroupRows];
  UpcomingRequests next(upcoming, 0, 1, 2 * count * (dims / kStep));
  for (size_t begin = 0; begin < count; begin += group) {
    const size_t group_rows = std::min(group, count - begin);
    kSquareNorms(rows + begin * row_bytes, group_rows, dims, next, squares + begin);
    for (size_t r = 0; r < group_rows; ++r) {
      const float length = std::sqrt(squares[begin + r]);
      factors[r] = int16_factor(length);
      units[begin + r] = factors[r] == 0 ? 0.0f : length / kInt16Length;
    }
    kScaleRows(rows + begin * row_bytes, group_rows, dims, factors, next, to + begin * step_bytes,
               step_bytes);
  }
}

}  // namespace npk::simd

#endif  // NPK_SIMD_NARROW_PANEL_INT16_H_
