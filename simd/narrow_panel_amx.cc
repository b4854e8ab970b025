// The panel kernels of narrow elements for AMX: simd/narrow_panel.h.
//
// A tile holds 16 times 64 bytes: 16 words of 16 rows, or of 16 queries, or 16 times 16 sums. An
// instruction multiplies the first with the second and adds to the third. Two tiles of rows meet
// one to three of queries: six tiles of sums, and one each for rows and queries.
#include "simd/narrow_panel.h"

#if defined(__x86_64__)

#include <algorithm>
#include <cstring>

#include "simd/narrow_panel_avx3_dl.h"
#include "simd/prefetch.h"

/// A function that is called only on Target::kAmx.
#define NPK_AMX                                                                           \
  __attribute__((                                                                         \
      target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vpopcntdq,bmi2,popcnt," \
             "avx512bf16,amx-tile,amx-bf16,amx-int8")))
#define NPK_AMX_INLINE NPK_AMX __attribute__((always_inline)) inline

namespace npk::simd {
namespace {

constexpr size_t kTileRows = 16;
constexpr size_t kTileBytes = 64;  // Of a row of a tile.

// Tiles have literal numbers. Of sums: row of tiles, then vector.
#define NPK_SUMS_00 0
#define NPK_SUMS_01 1
#define NPK_SUMS_02 2
#define NPK_SUMS_10 3
#define NPK_SUMS_11 4
#define NPK_SUMS_12 5
#define NPK_ROWS 6
#define NPK_QUERIES 7

/// Palette 1 (Intel SDM, volume 2A, LDTILECFG).
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

/// All tiles but that of the queries with `rows` rows.
constexpr TileConfig config_of(size_t rows) {
  TileConfig config;
  for (size_t tile = 0; tile < 8; ++tile) {
    config.row_bytes[tile] = kTileBytes;
    config.rows[tile] = static_cast<uint8_t>(tile == NPK_QUERIES ? kTileRows : rows);
  }
  return config;
}

/// What is asked for on the way.
struct Next {
  uintptr_t address;
  size_t lines_per_step;

  NPK_AMX_INLINE void ask() {
    for (size_t line = 0; line < lines_per_step; ++line, address += 64) {
      __builtin_prefetch(reinterpret_cast<const void*>(address), 0, 2);
    }
  }
};

/// The sums of one tile of rows, or of two, from `first` on with the whole panel.
template <Query kQuery, size_t kVectors, bool kIsPair>
NPK_AMX_INLINE void sum_tiles(const NarrowPanelRows& rows, const NarrowPanelQueries& queries,
                              size_t first, Next& next, float* dots) {
  constexpr size_t kWidth = kVectors * kNarrowPanelLanes;
  constexpr size_t kWidthBytes = kWidth * kNarrowWordBytes;
  alignas(64) static constexpr int32_t kZeros[kMaxPanelQueries] = {};
  constexpr bool kStarts = kQuery == Query::kInt8 || kQuery == Query::kUint8;
  const int32_t* starts = kStarts ? queries.starts : kZeros;
  const size_t step_bytes = rows.step_bytes;
  const std::byte* row = rows.rows + first * step_bytes;
  const std::byte* second = row + kTileRows * step_bytes;
  const std::byte* query = queries.packed;
  float* to = dots + first * kWidth;
#define NPK_EACH_VECTOR(M, t)   \
  M(t, 0)                       \
  if constexpr (kVectors > 1) { \
    M(t, 1)                     \
  }                             \
  if constexpr (kVectors > 2) { \
    M(t, 2)                     \
  }
#define NPK_START(t, v) _tile_loadd(NPK_SUMS_##t##v, starts + (v)*kNarrowPanelLanes, 0);
#define NPK_MULTIPLY(t, v)                                       \
  _tile_loadd(NPK_QUERIES, query + (v)*kTileBytes, kWidthBytes); \
  if constexpr (kQuery == Query::kBFloat16) {                    \
    _tile_dpbf16ps(NPK_SUMS_##t##v, NPK_ROWS, NPK_QUERIES);      \
  } else if constexpr (kQuery == Query::kInt8) {                 \
    _tile_dpbusd(NPK_SUMS_##t##v, NPK_ROWS, NPK_QUERIES);        \
  } else {                                                       \
    _tile_dpbsud(NPK_SUMS_##t##v, NPK_ROWS, NPK_QUERIES);        \
  }
#define NPK_STORE(t, v) \
  _tile_stored(NPK_SUMS_##t##v, to + (t)*kTileRows * kWidth + (v)*kNarrowPanelLanes, kWidthBytes);
  NPK_EACH_VECTOR(NPK_START, 0)
  if constexpr (kIsPair) {
    NPK_EACH_VECTOR(NPK_START, 1)
  }
  const size_t row_bytes = rows.words * kNarrowWordBytes;
  for (size_t at = 0; at < row_bytes; at += kTileBytes, query += kTileRows * kWidthBytes) {
    next.ask();
    _tile_loadd(NPK_ROWS, row + at, step_bytes);
    NPK_EACH_VECTOR(NPK_MULTIPLY, 0)
    if constexpr (kIsPair) {
      _tile_loadd(NPK_ROWS, second + at, step_bytes);
      NPK_EACH_VECTOR(NPK_MULTIPLY, 1)
    }
  }
  NPK_EACH_VECTOR(NPK_STORE, 0)
  if constexpr (kIsPair) {
    NPK_EACH_VECTOR(NPK_STORE, 1)
  }
#undef NPK_STORE
#undef NPK_MULTIPLY
#undef NPK_START
#undef NPK_EACH_VECTOR
}

template <Query kQuery, size_t kVectors>
NPK_AMX void panel(const NarrowPanelRows& rows, const NarrowPanelQueries& queries, float* dots,
                   uint64_t* passing) {
  static constexpr TileConfig kFullTiles = config_of(kTileRows);
  const size_t full = rows.count / kTileRows * kTileRows;
  // Behind what prepare_rounded() will ask for itself. Two lines for each step are less than the
  // memory delivers meanwhile; more make the tiles wait, which come through the same buffers
  // (measured: 4 lines cost a tenth with 100 queries).
  const size_t steps = rows.words * kNarrowWordBytes / kTileBytes * ((full + 31) / 32) + 1;
  const size_t lines = (rows.upcoming.bytes / 64 + steps - 1) / steps;
  Next next = {
      reinterpret_cast<uintptr_t>(rows.upcoming.at) + prefetch_policy().sequential.far_bytes,
      std::min(lines, 2 * kVectors)};
  size_t r = 0;
  // Tiles read and write memory of which the compiler does not know.
  asm volatile("" ::: "memory");
  if (full > 0) _tile_loadconfig(&kFullTiles);
  for (; r + 2 * kTileRows <= full; r += 2 * kTileRows) {
    sum_tiles<kQuery, kVectors, true>(rows, queries, r, next, dots);
  }
  if (r < full) {
    sum_tiles<kQuery, kVectors, false>(rows, queries, r, next, dots);
    r += kTileRows;
  }
  if (r < rows.count) {
    const TileConfig last = config_of(rows.count - r);
    asm volatile("" ::: "memory");
    _tile_loadconfig(&last);
    sum_tiles<kQuery, kVectors, false>(rows, queries, r, next, dots);
  }
  _tile_release();
  asm volatile("" ::: "memory");
  finish<kQuery, kVectors * kNarrowPanelLanes>(rows, queries, dots, passing);
}

/// Rounds elements j to j + 31 of a row, or those that there are, and adds their squares.
template <bool kAreAll>
NPK_AMX_INLINE void round_elements(const std::byte* row, size_t j, size_t dims, std::byte* to,
                                   __m512& sum0, __m512& sum1) {
  const std::byte* from = row + j * sizeof(float);
  const __m512 low = kAreAll ? _mm512_loadu_ps(from) : load_floats(row, j, dims);
  const __m512 high = kAreAll ? _mm512_loadu_ps(from + 64) : load_floats(row, j + 16, dims);
  sum0 = _mm512_fmadd_ps(low, low, sum0);
  sum1 = _mm512_fmadd_ps(high, high, sum1);
  const __m512bh rounded = _mm512_cvtne2ps_pbh(high, low);
  std::memcpy(to + j * 2, &rounded, sizeof(rounded));
}

NPK_AMX void prepare_bfloat16(const std::byte* rows, size_t count, size_t dims, std::byte* to,
                              size_t step_bytes, const Upcoming& /*upcoming*/, float* units,
                              float* squares) {
  const Ahead ahead = prefetch_policy().sequential;
  for (size_t r = 0; r < count; ++r, rows += dims * sizeof(float), to += step_bytes) {
    __m512 sum0 = _mm512_setzero_ps();
    __m512 sum1 = sum0;
    size_t j = 0;
    for (; j + 32 <= dims; j += 32) {
      prefetch_ahead(rows + j * sizeof(float), ahead);
      prefetch_ahead(rows + j * sizeof(float) + 64, ahead);
      round_elements<true>(rows, j, dims, to, sum0, sum1);
    }
    if (j < dims) round_elements<false>(rows, j, dims, to, sum0, sum1);
    squares[r] = _mm512_reduce_add_ps(_mm512_add_ps(sum0, sum1));
    units[r] = 1.0f;
  }
}

}  // namespace

const NarrowPanelKernels& amx_narrow_panel_kernels() noexcept {
  static const NarrowPanelKernels table = {
      {panel<Query::kInt8, 1>, panel<Query::kInt8, 2>, panel<Query::kInt8, 3>},
      {panel<Query::kUint8, 1>, panel<Query::kUint8, 2>, panel<Query::kUint8, 3>},
      avx3_dl_narrow_panel_kernels().prepare_bytes,
      1,
      Rounding::kBFloat16,
      {panel<Query::kBFloat16, 1>, panel<Query::kBFloat16, 2>, panel<Query::kBFloat16, 3>},
      prepare_bfloat16,
      nullptr,
      kMaxPanelVectors,
      kTileBytes / kNarrowWordBytes,
      1,
      24,
      0};
  return table;
}

}  // namespace npk::simd

#endif
