// What the panel kernels that round to int16 share, whatever they are compiled for:
// simd/narrow_panel.h.
#ifndef NPK_SIMD_NARROW_PANEL_INT16_H_
#define NPK_SIMD_NARROW_PANEL_INT16_H_

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

/// The sum of the squares of a row, in float32, in any order.
using SquareNormFn = float (*)(const std::byte* row, size_t dims);
/// row[j] * factor, rounded to nearest, and zeros up to a multiple of 64 bytes.
using ScaleRowFn = void (*)(const std::byte* row, size_t dims, float factor, std::byte* to);

/// NarrowPanelKernels::prepare_rounded, of functions that belong to a target.
template <SquareNormFn kSquareNorm, ScaleRowFn kScaleRow>
void prepare_int16(const std::byte* rows, size_t count, size_t dims, std::byte* to,
                   size_t step_bytes, float* units, float* squares) {
  constexpr size_t kGroupBytes = 16u << 10;  // Half of a first-level cache.
  const size_t row_bytes = dims * sizeof(float);
  // In groups that stay in the first-level cache, so that no row waits for its root.
  const size_t group = 1 + kGroupBytes / (row_bytes + 1);
  for (size_t begin = 0; begin < count; begin += group) {
    const size_t end = count - begin < group ? count : begin + group;
    for (size_t r = begin; r < end; ++r) squares[r] = kSquareNorm(rows + r * row_bytes, dims);
    for (size_t r = begin; r < end; ++r) {
      const float length = std::sqrt(squares[r]);
      const float factor = int16_factor(length);
      units[r] = factor == 0 ? 0.0f : length / kInt16Length;
      kScaleRow(rows + r * row_bytes, dims, factor, to + r * step_bytes);
    }
  }
}

}  // namespace npk::simd

#endif  // NPK_SIMD_NARROW_PANEL_INT16_H_
