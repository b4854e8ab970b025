// The panel kernels for every target: simd/panel.h.
//
// Eight rows times three vectors of queries are 24 accumulators: with 32 registers that leaves
// three for the queries and some for the broadcast elements of the rows, and hides the latency of
// two fused multiply-adds per cycle twice over. With 16 registers it is four rows.
//
// A quad has the elements of a row along the vector instead: four rows times four queries.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/panel.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// Must come after foreach_target.h.
#include <hwy/highway.h>

#include "simd/lanes-inl.h"
#include "simd/panel.h"

HWY_BEFORE_NAMESPACE();
namespace npk::simd::HWY_NAMESPACE {
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
namespace {

using DF = hn::CappedTag<float, 16>;
using VF = hn::Vec<DF>;
/// Queries of a vector: constant but with SVE.
HWY_INLINE size_t vector_queries() { return hn::Lanes(DF()); }
constexpr bool kIsNarrow = HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_AVX2;
constexpr size_t kTileRows = kIsNarrow ? 4 : 8;
// Processors with 16 registers have smaller caches: on a Zen 3 10 queries take a tenth longer with
// 32 rows, a fifth with 64, and 100 queries a tenth with 64.
constexpr size_t kPartRows = kIsNarrow ? 16 : 64;
static_assert(64 % kPartRows == 0);

HWY_INLINE uint64_t passing_bits(VF sum, VF bound) {
  const DF d;
  uint8_t bytes[8] = {};
  hn::StoreMaskBits(d, hn::Lt(sum, bound), bytes);
  const uint64_t below = bytes[0] | uint64_t{bytes[1]} << 8;
  return ~below & ((uint64_t{1} << vector_queries()) - 1);
}

template <size_t kVectors>
HWY_INLINE uint64_t compare_row(const PanelRows& rows, const PanelQueries& queries, size_t r,
                                VF sum0, VF sum1, VF sum2) {
  const DF d;
  const VF length = hn::Set(d, rows.lengths[r]);
  const VF offset = hn::Set(d, rows.offsets[r]);
  uint64_t bits = 0;
#define NPK_COMPARE(v)                                                                    \
  if constexpr (kVectors > (v)) {                                                         \
    const VF base = hn::Add(hn::LoadU(d, queries.bounds + (v)*vector_queries()), offset); \
    const VF bound =                                                                      \
        hn::MulAdd(hn::LoadU(d, queries.slopes + (v)*vector_queries()), length, base);    \
    bits |= passing_bits(sum##v, bound) << ((v)*vector_queries());                        \
  }
  NPK_COMPARE(0)
  NPK_COMPARE(1)
  NPK_COMPARE(2)
#undef NPK_COMPARE
  return bits;
}

/// kRows rows from `first` on against the whole panel.
template <size_t kVectors, size_t kRows>
HWY_INLINE void tile(const PanelRows& rows, const PanelQueries& queries, size_t first, float* dots,
                     uint64_t* passing) {
  const DF d;
  const size_t panel_width = kVectors * vector_queries();
  const size_t dims = rows.dims;
  const float* HWY_RESTRICT row = rows.rows + first * dims;
  const float* HWY_RESTRICT query = queries.packed;
  const VF zero = hn::Zero(d);
  UpcomingRequests next(rows.upcoming, first / kTileRows, (rows.count + kTileRows - 1) / kTileRows,
                        dims);
#define NPK_EACH_ROW(M)                            \
  M(0) if constexpr (kRows > 1) { M(1) M(2) M(3) } \
  if constexpr (kRows > 4) {                       \
    M(4) M(5) M(6) M(7)                            \
  }
  VF a0 = zero, a1 = zero, a2 = zero, a3 = zero, a4 = zero, a5 = zero, a6 = zero, a7 = zero;
  VF b0 = zero, b1 = zero, b2 = zero, b3 = zero, b4 = zero, b5 = zero, b6 = zero, b7 = zero;
  VF c0 = zero, c1 = zero, c2 = zero, c3 = zero, c4 = zero, c5 = zero, c6 = zero, c7 = zero;
  for (size_t j = 0; j < dims; ++j, query += panel_width) {
    next.ask();
    const VF q0 = hn::LoadU(d, query);
    const VF q1 = kVectors > 1 ? hn::LoadU(d, query + (kVectors > 1 ? vector_queries() : 0)) : zero;
    const VF q2 =
        kVectors > 2 ? hn::LoadU(d, query + (kVectors > 2 ? 2 * vector_queries() : 0)) : zero;
#define NPK_MULTIPLY(r)                                         \
  {                                                             \
    const VF x = hn::Set(d, row[(r)*dims + j]);                 \
    a##r = hn::MulAdd(x, q0, a##r);                             \
    if constexpr (kVectors > 1) b##r = hn::MulAdd(x, q1, b##r); \
    if constexpr (kVectors > 2) c##r = hn::MulAdd(x, q2, c##r); \
  }
    NPK_EACH_ROW(NPK_MULTIPLY)
#undef NPK_MULTIPLY
  }
#define NPK_FINISH(r)                                                                           \
  {                                                                                             \
    float* to = dots + (first + (r)) * panel_width;                                             \
    hn::StoreU(a##r, d, to);                                                                    \
    if constexpr (kVectors > 1) hn::StoreU(b##r, d, to + vector_queries());                     \
    if constexpr (kVectors > 2) hn::StoreU(c##r, d, to + 2 * vector_queries());                 \
    passing[first + (r)] = compare_row<kVectors>(rows, queries, first + (r), a##r, b##r, c##r); \
  }
  NPK_EACH_ROW(NPK_FINISH)
#undef NPK_FINISH
#undef NPK_EACH_ROW
}

template <size_t kVectors>
void panel(const PanelRows& rows, const PanelQueries& queries, float* dots, uint64_t* passing) {
  size_t r = 0;
  for (; r + kTileRows <= rows.count; r += kTileRows) {
    tile<kVectors, kTileRows>(rows, queries, r, dots, passing);
  }
  for (; r < rows.count; ++r) tile<kVectors, 1>(rows, queries, r, dots, passing);
}

using D4 = hn::CappedTag<float, kQuadQueries>;
using V4 = hn::Vec<D4>;

/// Lane q of the sum over all blocks of four lanes.
#if HWY_HAVE_SCALABLE
HWY_INLINE V4 add_blocks(DF d, VF v) {
  float lanes[hn::MaxLanes(DF())];
  hn::StoreU(v, d, lanes);
  V4 sum = hn::LoadU(D4(), lanes);
  for (size_t b = kQuadQueries; b < hn::Lanes(d); b += kQuadQueries) {
    sum = hn::Add(sum, hn::LoadU(D4(), lanes + b));
  }
  return sum;
}
#else
template <class D, class V>
HWY_INLINE V4 add_blocks([[maybe_unused]] D d, V v) {
  if constexpr (hn::MaxLanes(D()) == kQuadQueries) {
    return v;
  } else {
    const hn::Half<D> dh;
    return add_blocks(dh, hn::Add(hn::LowerHalf(dh, v), hn::UpperHalf(dh, v)));
  }
}
#endif

/// Lane q: the sum of the lanes of the q-th argument.
HWY_INLINE V4 sum_each(VF v0, VF v1, VF v2, VF v3) {
  const DF d;
  const hn::Repartition<double, DF> pairs;
  const VF v01 = hn::Add(hn::InterleaveLower(d, v0, v1), hn::InterleaveUpper(d, v0, v1));
  const VF v23 = hn::Add(hn::InterleaveLower(d, v2, v3), hn::InterleaveUpper(d, v2, v3));
  const auto p01 = hn::BitCast(pairs, v01);
  const auto p23 = hn::BitCast(pairs, v23);
  return add_blocks(d, hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, p01, p23)),
                               hn::BitCast(d, hn::InterleaveUpper(pairs, p01, p23))));
}

/// Row r of the block, of which whole vectors are summed up in v0 to v3.
HWY_INLINE void finish_quad_row(const PanelRows& rows, const PanelQueries& queries, size_t r, VF v0,
                                VF v1, VF v2, VF v3, float* dots, uint64_t* passing) {
  const D4 d;
  V4 dot = sum_each(v0, v1, v2, v3);
  const size_t whole = rows.dims - rows.dims % vector_queries();
  if (whole != rows.dims) {
    const float* row = rows.rows + r * rows.dims;
    float rest[kQuadQueries] = {};
    for (size_t q = 0; q < kQuadQueries; ++q) {
      const float* query = queries.packed + q * rows.dims;
      for (size_t j = whole; j < rows.dims; ++j) rest[q] += row[j] * query[j];
    }
    dot = hn::Add(dot, hn::LoadU(d, rest));
  }
  hn::StoreU(dot, d, dots + r * kQuadQueries);
  const V4 base = hn::Add(hn::LoadU(d, queries.bounds), hn::Set(d, rows.offsets[r]));
  const V4 bound = hn::MulAdd(hn::LoadU(d, queries.slopes), hn::Set(d, rows.lengths[r]), base);
  uint8_t bytes[8] = {};
  hn::StoreMaskBits(d, hn::Lt(dot, bound), bytes);
  passing[r] = ~uint64_t{bytes[0]} & ((uint64_t{1} << kQuadQueries) - 1);
}

constexpr size_t kQuadRows = kTileRows / 2;  // 16 or 8 accumulators.

template <size_t kRows>
HWY_INLINE void quad_tile(const PanelRows& rows, const PanelQueries& queries, size_t first,
                          float* dots, uint64_t* passing) {
  const DF d;
  const size_t dims = rows.dims;
  const float* HWY_RESTRICT row = rows.rows + first * dims;
  const float* HWY_RESTRICT query = queries.packed;
  const VF zero = hn::Zero(d);
  UpcomingRequests next(rows.upcoming, first / kQuadRows, (rows.count + kQuadRows - 1) / kQuadRows,
                        dims / vector_queries() * kQuadRows);
  VF a0 = zero, a1 = zero, a2 = zero, a3 = zero;
  VF b0 = zero, b1 = zero, b2 = zero, b3 = zero;
  VF c0 = zero, c1 = zero, c2 = zero, c3 = zero;
  VF e0 = zero, e1 = zero, e2 = zero, e3 = zero;
#define NPK_EACH_ROW(M)                        \
  M(0, a) if constexpr (kRows > 1) { M(1, b) } \
  if constexpr (kRows > 2) {                   \
    M(2, c) M(3, e)                            \
  }
  const size_t lanes = vector_queries();
  for (size_t j = 0; j + lanes <= dims; j += lanes) {
    const VF q0 = hn::LoadU(d, query + j);
    const VF q1 = hn::LoadU(d, query + dims + j);
    const VF q2 = hn::LoadU(d, query + 2 * dims + j);
    const VF q3 = hn::LoadU(d, query + 3 * dims + j);
#define NPK_MULTIPLY(r, v)                         \
  {                                                \
    next.ask();                                    \
    const VF x = hn::LoadU(d, row + (r)*dims + j); \
    v##0 = hn::MulAdd(x, q0, v##0);                \
    v##1 = hn::MulAdd(x, q1, v##1);                \
    v##2 = hn::MulAdd(x, q2, v##2);                \
    v##3 = hn::MulAdd(x, q3, v##3);                \
  }
    NPK_EACH_ROW(NPK_MULTIPLY)
#undef NPK_MULTIPLY
  }
#define NPK_FINISH(r, v) \
  finish_quad_row(rows, queries, first + (r), v##0, v##1, v##2, v##3, dots, passing);
  NPK_EACH_ROW(NPK_FINISH)
#undef NPK_FINISH
#undef NPK_EACH_ROW
}

void quad(const PanelRows& rows, const PanelQueries& queries, float* dots, uint64_t* passing) {
  size_t r = 0;
  for (; r + kQuadRows <= rows.count; r += kQuadRows) {
    quad_tile<kQuadRows>(rows, queries, r, dots, passing);
  }
  for (; r < rows.count; ++r) quad_tile<1>(rows, queries, r, dots, passing);
}

void square_norms(const float* rows, size_t count, size_t dims, float* out) {
  const DF d;
  const size_t queries = vector_queries();
  for (size_t i = 0; i < count; ++i, rows += dims) {
    VF s0 = hn::Zero(d);
    VF s1 = s0;
    VF s2 = s0;
    VF s3 = s0;
    size_t j = 0;
    for (; j + 4 * queries <= dims; j += 4 * queries) {
      const VF x0 = hn::LoadU(d, rows + j);
      const VF x1 = hn::LoadU(d, rows + j + queries);
      const VF x2 = hn::LoadU(d, rows + j + 2 * queries);
      const VF x3 = hn::LoadU(d, rows + j + 3 * queries);
      s0 = hn::MulAdd(x0, x0, s0);
      s1 = hn::MulAdd(x1, x1, s1);
      s2 = hn::MulAdd(x2, x2, s2);
      s3 = hn::MulAdd(x3, x3, s3);
    }
    float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
    for (; j < dims; ++j) sum += rows[j] * rows[j];
    out[i] = sum;
  }
}

/// A vector at a time by way of float64, which every type reaches exactly.
template <typename T>
void to_float32(const std::byte* from, size_t count, float* to) {
  const hn::Rebind<float, D64> d;
  const auto* elements = reinterpret_cast<const T*>(from);
  size_t i = 0;
  for (; i + width() <= count; i += width()) {
    hn::StoreU(hn::DemoteTo(d, widen(elements + i)), d, to + i);
  }
  constexpr size_t kType = sizeof(T) == 8                       ? 0
                           : sizeof(T) == 4                     ? 1
                           : std::is_same_v<T, hwy::float16_t>  ? 2
                           : std::is_same_v<T, hwy::bfloat16_t> ? 3
                           : std::is_same_v<T, int8_t>          ? 4
                                                                : 5;
  scalar_panel_kernels().to_float32[kType](from + i * sizeof(T), count - i, to + i);
}

}  // namespace
const PanelKernels* panel_table() {
  static const PanelKernels table = {
      vector_queries(),
      kPartRows,
      {panel<1>, panel<2>, panel<3>},
      quad,
      square_norms,
      {to_float32<double>, to_float32<float>, to_float32<hwy::float16_t>,
       to_float32<hwy::bfloat16_t>, to_float32<int8_t>, to_float32<uint8_t>}};
  return &table;
}
#endif  // HWY_TARGET
}  // namespace npk::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "simd/target_tables.h"

namespace npk::simd {

const PanelKernels& panel_kernels(Target target) noexcept {
  static const auto tables = [] {
    TargetTables<PanelKernels> filled;
    filled.tables[0] = &scalar_panel_kernels();
    NPK_FILL_TARGET_TABLES(filled, panel_table)
    return filled;
  }();
  return tables.get(target);
}

}  // namespace npk::simd
#endif  // HWY_ONCE
