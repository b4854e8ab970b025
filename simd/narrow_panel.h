// Panel kernels of narrow elements: many queries against a block of rows, several elements to each
// lane of 32 bits.
//
// As simd/panel.h, but one instruction multiplies
//
// - pairs of unsigned and signed bytes, four times as many as there are float32 in a vector. The
//   dot products are computed in integers, exactly, and then rounded to float32 once. One side is
//   unsigned and the other signed: where rows and queries are of one kind, the rows are flipped to
//   the other (x + 128 or x - 128), and the sums begin with what that adds;
// - or pairs of 16 bits, twice as many, to which rows and queries of other types are rounded. To
//   int16, each scaled by a number of its own so that its length is kInt16Length: by the inequality
//   of Cauchy and Schwarz no sum of products then outgrows 32 bits, in whatever order it is added.
//   Or to bfloat16, whose sums are of float32.
//
// Where no instruction multiplies bytes without saturating they are widened to int16 and not
// scaled: their units are 1. Then no side is flipped.
//
// A vector has 16 lanes of 32 bits (AVX3_DL, by VNNI), which are two registers of AVX2; AMX has
// tiles of 16 such vectors.
#ifndef NPK_SIMD_NARROW_PANEL_H_
#define NPK_SIMD_NARROW_PANEL_H_

#include <cstddef>
#include <cstdint>

#include "simd/panel.h"
#include "simd/target.h"

namespace npk::simd {

inline constexpr size_t kNarrowPanelLanes = 16;  // Queries of one vector.
inline constexpr size_t kNarrowWordBytes = 4;    // What a lane takes in one step.
/// What elements are rounded to.
enum class Rounding : uint8_t { kInt16, kBFloat16 };
inline constexpr float kInt16Length = 32'000;
/// Rounding to int16 then changes a length by at most 64.
inline constexpr size_t kMostRoundedDims = 16'384;

/// Rows and queries are quick to read where they begin at a line of the cache (measured: tiles that
/// do not take four times as long).
struct alignas(64) NarrowLine {
  std::byte bytes[64];
};

/// What a kernel's prepare function made of rows, and as in PanelRows.
struct NarrowPanelRows {
  const std::byte* rows = nullptr;
  size_t count = 0;
  size_t step_bytes = 0;  // From row to row.
  size_t words = 0;       // Of a row.
  const float* lengths = nullptr;
  const float* offsets = nullptr;
  const float* units = nullptr;  // Of int16 and bfloat16: they are that many times these.
  Upcoming upcoming;
};

/// Word j of query q lies at packed[(j * width + q) * kNarrowWordBytes], zeros behind its last
/// element up to a multiple of NarrowPanelKernels::step_words. Of an unpacked panel, `count`
/// queries lie there as the rows do, step_bytes apart, zeros behind each, and one of zeros behind
/// them.
struct NarrowPanelQueries {
  const std::byte* packed = nullptr;
  size_t count = 0;                 // Of an unpacked panel.
  const int32_t* starts = nullptr;  // Of bytes not widened: what the sums begin with.
  const float* units = nullptr;     // Of int16 and bfloat16: as NarrowPanelRows has them.
  const float* slopes = nullptr;
  const float* bounds = nullptr;
};

/// dots[r * width + q] = dot(r, q), times both units if there are any, in float32; passing as
/// PanelFn has it.
using NarrowPanelFn = void (*)(const NarrowPanelRows& rows, const NarrowPanelQueries& queries,
                               float* dots, uint64_t* passing);

/// [v] is v + 1 vectors wide; null from NarrowPanelKernels::most_vectors on.
using NarrowPanelFns = NarrowPanelFn[kMaxPanelVectors];

inline constexpr size_t kPanelParts = 3;

struct NarrowPanelKernels {
  // Rows of bytes, at most kMostInt32Dims. Queries are widened as rows are.
  NarrowPanelFns of_int8;   // Queries of int8.
  NarrowPanelFns of_uint8;  // Queries of uint8.
  /// Copies rows back to back to rows `step_bytes` apart, xor `flip` (0 or 0x80), with zeros, xor
  /// `flip`, behind each. squares[i]: the sum of the squares of row i, rounded to nearest.
  /// Requires: step_bytes is a multiple of 64, at least dims * byte_bytes; no flip if widened.
  void (*prepare_bytes)(const std::byte* rows, size_t count, size_t dims, bool is_signed,
                        uint8_t flip, std::byte* to, size_t step_bytes, float* squares);
  size_t byte_bytes;  // What a byte is prepared as: 1, itself, or 2, widened to int16.
  Rounding rounding;
  NarrowPanelFns of_rounded;
  /// Rounds float32 rows back to back, of any alignment, to nearest: rows `step_bytes` apart with
  /// zeros behind each, whose elements times units[i] are those of row i. squares[i]: the sum of
  /// the squares of row i, in float32, in any order.
  /// To int16: of rows scaled to kInt16Length; those whose length is no positive number that
  /// float32 can divide by become zeros. To bfloat16: subnormal elements become zero; units are 1.
  /// Requires: step_bytes is a multiple of 64, at least 2 * dims.
  void (*prepare_rounded)(const std::byte* rows, size_t count, size_t dims, std::byte* to,
                          size_t step_bytes, const Upcoming& upcoming, float* units,
                          float* squares);
  /// Of rounded elements, and of bytes that are widened: up to kNarrowPanelLanes queries, as wide
  /// as one vector, with the elements of a row along the vector instead of the queries. Null: none.
  NarrowPanelFn unpacked;
  size_t most_vectors;  // Of a panel.
  size_t step_words;    // The words of a row are a multiple of it.
  // For fewer, float32 is as quick as to round the rows.
  size_t fewest_queries;
  size_t fewest_rounded_dims;
  /// What prepare_rounded() asks for of what is upcoming, where a panel asks for kPanelParts: as it
  /// takes so much less time than a panel of few queries. 0: nothing.
  size_t prepare_parts;
};

/// Null where the target has no such instructions.
const NarrowPanelKernels* narrow_panel_kernels(Target target) noexcept;

}  // namespace npk::simd

#endif  // NPK_SIMD_NARROW_PANEL_H_
