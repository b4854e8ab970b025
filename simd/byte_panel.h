// Panel kernels of bytes: many queries of int8 or uint8 against a block of rows of either.
//
// As simd/panel.h, but the dot products are computed in integers, exactly, and then rounded to
// float32 once. One instruction multiplies 64 pairs of unsigned and signed bytes, four times as
// many as there are float32 in a vector, so one side is unsigned and the other signed: where rows
// and queries are of one kind, the rows are flipped to the other (x + 128 or x - 128), and the sums
// begin with what that adds.
#ifndef NPK_SIMD_BYTE_PANEL_H_
#define NPK_SIMD_BYTE_PANEL_H_

#include <cstddef>
#include <cstdint>

#include "simd/panel.h"
#include "simd/target.h"

namespace npk::simd {

/// With more dimensions a sum of products may not fit 32 bits: 65,025 · kMostBytePanelDims < 2^31.
inline constexpr size_t kMostBytePanelDims = 32'768;
inline constexpr size_t kBytePanelLanes = 16;  // Queries of one vector.

/// What prepare() made of rows, and as in PanelRows.
struct BytePanelRows {
  const std::byte* rows = nullptr;
  size_t count = 0;
  size_t step_bytes = 0;  // From row to row.
  size_t dims = 0;
  const float* lengths = nullptr;
  const float* offsets = nullptr;
  const void* next = nullptr;
  size_t next_bytes = 0;
};

/// Elements 4j to 4j + 3 of query q are packed[(j * width + q) * 4 …], zeros behind the last one.
struct BytePanelQueries {
  const std::byte* packed = nullptr;
  const int32_t* starts = nullptr;  // What the sums begin with.
  const float* slopes = nullptr;
  const float* bounds = nullptr;
};

/// dots[r * width + q] = dot(r, q) rounded to nearest, and passing as PanelFn has it.
using BytePanelFn = void (*)(const BytePanelRows& rows, const BytePanelQueries& queries,
                             float* dots, uint64_t* passing);

struct BytePanelKernels {
  BytePanelFn of_int8[kMaxPanelVectors];   // Queries of int8; [v] is v + 1 vectors wide.
  BytePanelFn of_uint8[kMaxPanelVectors];  // Queries of uint8.
  /// Copies rows back to back to rows `step_bytes` apart, xor `flip` (0 or 0x80), with zeros, xor
  /// `flip`, behind each. squares[i]: the sum of the squares of row i, rounded to nearest.
  /// Requires: step_bytes is a multiple of 64, at least dims.
  void (*prepare)(const std::byte* rows, size_t count, size_t dims, bool is_signed, uint8_t flip,
                  std::byte* to, size_t step_bytes, float* squares);
};

/// Null where the target has no such instruction.
const BytePanelKernels* byte_panel_kernels(Target target) noexcept;

}  // namespace npk::simd

#endif  // NPK_SIMD_BYTE_PANEL_H_
