// From sums to scores and from scores to candidates, for every target: simd/scan.h.
//
// Square roots, divisions and comparisons are correctly rounded by IEEE 754, so every target gives
// the bits of the scalar twin.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/select.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// Must come after foreach_target.h.
#include <hwy/highway.h>

#include "simd/scan.h"

HWY_BEFORE_NAMESPACE();
namespace npk::simd::HWY_NAMESPACE {
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<double, 8>;
using V = hn::Vec<D>;
/// Constant but with SVE.
HWY_INLINE size_t width() { return hn::Lanes(D()); }

void finish_cosine(double* sums, const double* norms, size_t count, double query_norm) {
  const D d;
  const V one = hn::Set(d, 1);
  const V minus_one = hn::Set(d, -1);
  const V zero = hn::Zero(d);
  const V length = hn::Set(d, query_norm);
  size_t i = 0;
  for (; query_norm != 0 && i + width() <= count; i += width()) {
    const V norm = hn::Sqrt(hn::LoadU(d, norms + i));
    V cosine = hn::Div(hn::LoadU(d, sums + i), hn::Mul(norm, length));
    cosine = hn::IfThenElse(hn::Gt(cosine, one), one, cosine);
    cosine = hn::IfThenElse(hn::Lt(cosine, minus_one), minus_one, cosine);
    hn::StoreU(hn::IfThenElse(hn::Eq(norm, zero), zero, cosine), d, sums + i);
  }
  scalar_select_kernels().finish_cosine(sums + i, norms + i, count - i, query_norm);
}

void finish_sqrt(double* sums, size_t count) {
  const D d;
  size_t i = 0;
  for (; i + width() <= count; i += width()) {
    hn::StoreU(hn::Sqrt(hn::LoadU(d, sums + i)), d, sums + i);
  }
  scalar_select_kernels().finish_sqrt(sums + i, count - i);
}

void finish_jaccard(double* sums, const double* unions, size_t count) {
  const D d;
  const V one = hn::Set(d, 1);
  const V zero = hn::Zero(d);
  size_t i = 0;
  for (; i + width() <= count; i += width()) {
    const V all = hn::LoadU(d, unions + i);
    const V distance = hn::Sub(one, hn::Div(hn::LoadU(d, sums + i), all));
    hn::StoreU(hn::IfThenElse(hn::Eq(all, zero), zero, distance), d, sums + i);
  }
  scalar_select_kernels().finish_jaccard(sums + i, unions + i, count - i);
}

template <bool kAbove>
HWY_INLINE uint64_t compare_vector(V scores, V bound) {
  const D d;
  uint8_t bytes[8] = {};
  hn::StoreMaskBits(d, kAbove ? hn::Gt(scores, bound) : hn::Lt(scores, bound), bytes);
  return bytes[0];
}

template <bool kAbove>
void compare(const double* scores, size_t count, double bound, uint64_t* words) {
  const D d;
  const V limit = hn::Set(d, bound);
  const size_t whole = count / 64;
  for (size_t w = 0; w < whole; ++w) {
    uint64_t word = 0;
    for (size_t i = 0; i < 64; i += width()) {
      word |= compare_vector<kAbove>(hn::LoadU(d, scores + w * 64 + i), limit) << i;
    }
    words[w] = word;
  }
  const auto& scalar = scalar_select_kernels();
  (kAbove ? scalar.above : scalar.below)(scores + whole * 64, count - whole * 64, bound,
                                         words + whole);
}

constexpr SelectKernels kTable = {finish_cosine, finish_sqrt, finish_jaccard, compare<true>,
                                  compare<false>};

}  // namespace
const SelectKernels* select_table() { return &kTable; }
#endif  // HWY_TARGET
}  // namespace npk::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "simd/target_tables.h"

namespace npk::simd {

const SelectKernels& select_kernels(Target target) noexcept {
  static const auto tables = [] {
    TargetTables<SelectKernels> filled;
    filled.tables[0] = &scalar_select_kernels();
    NPK_FILL_TARGET_TABLES(filled, select_table)
    return filled;
  }();
  return tables.get(target);
}

}  // namespace npk::simd
#endif  // HWY_ONCE
