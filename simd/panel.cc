// The panel kernels for every target: simd/panel.h.
//
// Eight rows times three vectors of queries are 24 accumulators: with 32 registers that leaves
// three for the queries and some for the broadcast elements of the rows, and hides the latency of
// two fused multiply-adds per cycle twice over. With 16 registers it is four rows.
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
constexpr size_t kTileRows =
    HWY_TARGET == HWY_SSSE3 || HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_AVX2 ? 4 : 8;

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
HWY_INLINE void tile(const PanelRows& rows, const PanelQueries& queries, size_t first,
                     uint64_t* passing) {
  const DF d;
  const size_t dims = rows.dims;
  const float* HWY_RESTRICT row = rows.rows + first * dims;
  const float* HWY_RESTRICT query = queries.packed;
  const VF zero = hn::Zero(d);
  // The tile's share of what comes next: kRows floats for each step.
  constexpr size_t kNextBytes = kRows * sizeof(float);
  uintptr_t next = reinterpret_cast<uintptr_t>(rows.next) + first * dims * sizeof(float);
#define NPK_EACH_ROW(M)                            \
  M(0) if constexpr (kRows > 1) { M(1) M(2) M(3) } \
  if constexpr (kRows > 4) {                       \
    M(4) M(5) M(6) M(7)                            \
  }
  VF a0 = zero, a1 = zero, a2 = zero, a3 = zero, a4 = zero, a5 = zero, a6 = zero, a7 = zero;
  VF b0 = zero, b1 = zero, b2 = zero, b3 = zero, b4 = zero, b5 = zero, b6 = zero, b7 = zero;
  VF c0 = zero, c1 = zero, c2 = zero, c3 = zero, c4 = zero, c5 = zero, c6 = zero, c7 = zero;
  for (size_t j = 0; j < dims; ++j, query += kVectors * vector_queries(), next += kNextBytes) {
    __builtin_prefetch(reinterpret_cast<const void*>(next), 0, 2);  // To the second-level cache.
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
#define NPK_FINISH(r) \
  passing[first + (r)] = compare_row<kVectors>(rows, queries, first + (r), a##r, b##r, c##r);
  NPK_EACH_ROW(NPK_FINISH)
#undef NPK_FINISH
#undef NPK_EACH_ROW
}

template <size_t kVectors>
void panel(const PanelRows& rows, const PanelQueries& queries, uint64_t* passing) {
  size_t r = 0;
  for (; r + kTileRows <= rows.count; r += kTileRows) {
    tile<kVectors, kTileRows>(rows, queries, r, passing);
  }
  for (; r < rows.count; ++r) tile<kVectors, 1>(rows, queries, r, passing);
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
      {panel<1>, panel<2>, panel<3>},
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
