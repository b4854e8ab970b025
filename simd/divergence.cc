// The kernels of kl and js for every target: simd/scan.h, simd/log_constants.h. Every operation is
// that of the scalar twin, in the same order, so the bits are the same.
#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/divergence.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// Must come after foreach_target.h.
#include <hwy/highway.h>

#include "simd/lanes-inl.h"
#include "simd/log_constants.h"
#include "simd/scan.h"

HWY_BEFORE_NAMESPACE();
namespace npk::simd::HWY_NAMESPACE {
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
namespace {

HWY_INLINE V64 number(double value) { return hn::Set(D64(), value); }

HWY_INLINE V64 log_of_positive(V64 x) {
  const D64 d;
  const hn::RebindToSigned<D64> di;
  const auto is_small = hn::Lt(x, number(kLeastNormal));
  x = hn::IfThenElse(is_small, hn::Mul(x, number(kSubnormalScale)), x);
  const auto bits = hn::BitCast(di, x);
  const auto k = hn::ShiftRight<52>(hn::Sub(bits, hn::Set(di, kHalfRootBits)));
  const V64 m = hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<52>(k)));
  const V64 whole =
      hn::Sub(hn::BitCast(d, hn::Add(hn::Set(di, kIntegerBits), k)), number(kIntegerOffset));
  const V64 exponent = hn::Add(hn::IfThenElseZero(is_small, number(-54)), whole);
  const V64 f = hn::Sub(m, number(1));
  const V64 s = hn::Div(f, hn::Add(number(2), f));
  const V64 z = hn::Mul(s, s);
  const V64 w = hn::Mul(z, z);
  V64 even = hn::Add(number(kLog4), hn::Mul(w, number(kLog6)));
  even = hn::Mul(w, hn::Add(number(kLog2), hn::Mul(w, even)));
  V64 odd = hn::Add(number(kLog5), hn::Mul(w, number(kLog7)));
  odd = hn::Add(number(kLog3), hn::Mul(w, odd));
  odd = hn::Mul(z, hn::Add(number(kLog1), hn::Mul(w, odd)));
  const V64 half = hn::Mul(hn::Mul(number(0.5), f), f);
  const V64 tail =
      hn::Add(hn::Mul(s, hn::Add(half, hn::Add(even, odd))), hn::Mul(exponent, number(kLn2Low)));
  return hn::Sub(hn::Mul(exponent, number(kLn2High)), hn::Sub(hn::Sub(half, tail), f));
}

HWY_INLINE V64 logarithm(V64 x) {
  const V64 infinity = number(std::numeric_limits<double>::infinity());
  const V64 nan = number(std::numeric_limits<double>::quiet_NaN());
  const V64 zero = hn::Zero(D64());
  V64 result = hn::IfThenElse(hn::Gt(x, zero), log_of_positive(x), nan);
  result = hn::IfThenElse(hn::Eq(x, infinity), infinity, result);
  return hn::IfThenElse(hn::Eq(x, zero), hn::Neg(infinity), result);
}

HWY_INLINE V64 relative_entropy(V64 a, V64 b) {
  const V64 epsilon = number(kDivergenceEpsilon);
  return hn::Mul(a, logarithm(hn::Div(hn::Add(a, epsilon), hn::Add(b, epsilon))));
}

template <bool kIsJs>
HWY_INLINE V64 term(V64 p, V64 r) {
  if constexpr (kIsJs) {
    const V64 middle = hn::Mul(hn::Add(p, r), number(0.5));
    return hn::Add(relative_entropy(p, middle), relative_entropy(r, middle));
  } else {
    return relative_entropy(p, r);
  }
}

template <bool kIsJs, typename T>
HWY_INLINE void step(const T* HWY_RESTRICT row, const double* HWY_RESTRICT query,
                     const Lanes16& sums) {
#define NPK_STEP(i)    \
  sums.v##i = hn::Add( \
      sums.v##i, term<kIsJs>(hn::LoadU(D64(), query + (i)*width()), widen(row + (i)*width())));
  NPK_EACH_VECTOR(NPK_STEP)
#undef NPK_STEP
}

template <bool kIsJs, typename T>
void scan(const void* query_data, const RowBlock& block, double* first, double* /*second*/) {
  const auto* HWY_RESTRICT query = static_cast<const double*>(query_data);
  const auto* row = reinterpret_cast<const T*>(block.rows);
  const size_t full = block.dims / kVirtualLanes * kVirtualLanes;
  for (size_t i = 0; i < block.count; ++i, row += block.dims) {
    NPK_LANES16(sums)
    for (size_t j = 0; j < full; j += kVirtualLanes) step<kIsJs>(row + j, query + j, sums);
    if (full != block.dims) {
      // Zeros against the zeros behind the query add nothing.
      T copy[kVirtualLanes];
      std::memset(static_cast<void*>(copy), 0, sizeof(copy));
      std::memcpy(static_cast<void*>(copy), row + full, (block.dims - full) * sizeof(T));
      step<kIsJs>(copy, query + full, sums);
    }
    first[i] = sums.total();
  }
}

constexpr DivergenceKernels kTable = {{scan<false, double>, scan<false, float>,
                                       scan<false, hwy::float16_t>, scan<false, hwy::bfloat16_t>},
                                      {scan<true, double>, scan<true, float>,
                                       scan<true, hwy::float16_t>, scan<true, hwy::bfloat16_t>}};

}  // namespace
const DivergenceKernels* divergence_table() { return &kTable; }
#endif  // HWY_TARGET
}  // namespace npk::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "simd/target_tables.h"

namespace npk::simd {

const DivergenceKernels& divergence_kernels(Target target) noexcept {
  static const auto tables = [] {
    TargetTables<DivergenceKernels> filled;
    filled.tables[0] = &scalar_divergence_kernels();
    NPK_FILL_TARGET_TABLES(filled, divergence_table)
    return filled;
  }();
  return tables.get(target);
}

}  // namespace npk::simd
#endif  // HWY_ONCE
