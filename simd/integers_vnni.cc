// vpdpbusd multiplies unsigned bytes with signed ones. With x the row, q the query and ^ for the
// flip of the highest bit, which turns int8 x into the unsigned x + 128 and uint8 x into the signed
// x - 128, the sums of products are
//
//   row    query  Σ x·q                     Σ x²
//   int8   int8   Σ (x^)·q - 128·Σ q        Σ (x^)·x - 128·Σ x
//   int8   uint8  Σ q·x                     as above
//   uint8  int8   Σ x·q                     Σ x·(x^) + 128·Σ x
//   uint8  uint8  Σ q·(x^) + 128·Σ q        as above
//
// and Σ (x - q)² is Σ x² - 2·Σ x·q + Σ q², the first two of which are added up as one. All of it is
// exact in integers. Elements behind the end are zeros in both, before the flip, and add nothing to
// any of these.
//
// A lane of 32 bits takes four products of at most 255·128 for every 64 elements, so that kSpan
// elements stay below 2^31 in all lanes together; only Σ x² of uint8 alone needs the 32nd bit.
#include "simd/integers_vnni.h"

#if defined(__x86_64__)

#include "simd/avx3_dl.h"
#include "simd/prefetch.h"

namespace npk::simd {
namespace {

constexpr size_t kBytes = 64;
constexpr size_t kGroup = 16;  // Rows whose sums are finished together.

enum class Op : uint8_t { kDot, kDotNorm, kL2Sq };

template <Op kOp>
constexpr size_t kSpan = kOp == Op::kL2Sq ? 16'384 : 65'536;
static_assert(kSpan<Op::kDotNorm> * 255 * 128 < (uint64_t{1} << 31));
static_assert(kSpan<Op::kDotNorm> * 255 * 255 < (uint64_t{1} << 32));
static_assert(kSpan<Op::kL2Sq> * (255 * 255 + 2 * 255 * 128) < (uint64_t{1} << 31));

/// Lanes whose sums are the numbers of a span of a row; all modulo 2^32. For kL2Sq, `dot` is
/// Σ x² - 2·Σ of products.
struct Lanes {
  __m512i dot;
  __m512i norm;
};

template <Op kOp, bool kSignedRow, bool kSignedQuery>
NPK_AVX3_DL_INLINE void add_bytes(__m512i x, __m512i q, Lanes& lanes, __m512i& sum) {
  // Kept in a register: GCC would load it once for each use.
  asm("" : "+v"(x));
  const __m512i flipped = _mm512_xor_si512(x, _mm512_set1_epi8(-128));
  if constexpr (kSignedRow) {
    lanes.dot = kSignedQuery ? _mm512_dpbusd_epi32(lanes.dot, flipped, q)
                             : _mm512_dpbusd_epi32(lanes.dot, q, x);
  } else {
    lanes.dot = kSignedQuery ? _mm512_dpbusd_epi32(lanes.dot, x, q)
                             : _mm512_dpbusd_epi32(lanes.dot, q, flipped);
  }
  if constexpr (kOp != Op::kDot) {
    const __m512i ones = _mm512_set1_epi8(1);
    lanes.norm = kSignedRow ? _mm512_dpbusd_epi32(lanes.norm, flipped, x)
                            : _mm512_dpbusd_epi32(lanes.norm, x, flipped);
    sum = kSignedRow ? _mm512_dpbusd_epi32(sum, ones, x) : _mm512_dpbusd_epi32(sum, x, ones);
  }
}

/// Requires: bytes <= kSpan<kOp>.
template <Op kOp, bool kSignedRow, bool kSignedQuery>
NPK_AVX3_DL_INLINE Lanes lanes_of_span(const std::byte* row, const std::byte* query, size_t bytes,
                                       Ahead ahead) {
  Lanes lanes = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  __m512i sum = lanes.dot;
  size_t at = 0;
  for (; at + kBytes <= bytes; at += kBytes) {
    prefetch_ahead(row + at, ahead);
    add_bytes<kOp, kSignedRow, kSignedQuery>(_mm512_loadu_si512(row + at),
                                             _mm512_loadu_si512(query + at), lanes, sum);
  }
  if (at < bytes) {
    const __mmask64 mask = _bzhi_u64(~0ULL, static_cast<unsigned>(bytes - at));
    add_bytes<kOp, kSignedRow, kSignedQuery>(_mm512_maskz_loadu_epi8(mask, row + at),
                                             _mm512_maskz_loadu_epi8(mask, query + at), lanes, sum);
  }
  const __m512i shifted = _mm512_slli_epi32(sum, 7);
  lanes.norm =
      kSignedRow ? _mm512_sub_epi32(lanes.norm, shifted) : _mm512_add_epi32(lanes.norm, shifted);
  if constexpr (kOp == Op::kL2Sq) {
    lanes.dot = _mm512_sub_epi32(lanes.norm, _mm512_slli_epi32(lanes.dot, 1));
  }
  return lanes;
}

/// Numbers of kGroup rows.
struct Numbers {
  __m512d low;
  __m512d high;
};

NPK_AVX3_DL_INLINE void add_signed(__m512i lanes, Numbers& sums) {
  sums.low = _mm512_add_pd(sums.low, _mm512_cvtepi32_pd(_mm512_castsi512_si256(lanes)));
  sums.high = _mm512_add_pd(sums.high, _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(lanes, 1)));
}

NPK_AVX3_DL_INLINE void add_unsigned(__m512i lanes, Numbers& sums) {
  sums.low = _mm512_add_pd(sums.low, _mm512_cvtepu32_pd(_mm512_castsi512_si256(lanes)));
  sums.high = _mm512_add_pd(sums.high, _mm512_cvtepu32_pd(_mm512_extracti64x4_epi64(lanes, 1)));
}

NPK_AVX3_DL_INLINE void store(const Numbers& numbers, size_t count, double* to) {
  const unsigned kept = (1u << count) - 1;
  _mm512_mask_storeu_pd(to, static_cast<__mmask8>(kept), numbers.low);
  if (count > 8) _mm512_mask_storeu_pd(to + 8, static_cast<__mmask8>(kept >> 8), numbers.high);
}

/// Adds what the lanes' sums are, Σ of products without their shift, of at most kGroup rows, of
/// bytes [begin, end).
template <Op kOp, bool kSignedRow, bool kSignedQuery>
NPK_AVX3_DL_INLINE void add_rows(const std::byte* rows, size_t count, const std::byte* query,
                                 const RowBlock& block, size_t begin, size_t end, Numbers& dots,
                                 Numbers& norms) {
  const size_t dims = block.dims;
  const Ahead ahead = block.ahead;
  const auto row = [&](size_t r) { return rows + r * dims + begin; };
  // Of a row behind the last one there are no bytes.
  const auto bytes = [&](size_t r) { return r < count ? end - begin : 0; };
  const __m512i zeros = _mm512_setzero_si512();
  __m512i dot[kGroup / 4] = {zeros, zeros, zeros, zeros};
  __m512i norm[kGroup / 4] = {zeros, zeros, zeros, zeros};
  constexpr auto lanes_of = lanes_of_span<kOp, kSignedRow, kSignedQuery>;
  for (size_t r = 0; r < count; r += 4) {
    const Lanes a = lanes_of(row(r), query + begin, bytes(r), ahead);
    const Lanes b = lanes_of(row(r + 1), query + begin, bytes(r + 1), ahead);
    const Lanes c = lanes_of(row(r + 2), query + begin, bytes(r + 2), ahead);
    const Lanes d = lanes_of(row(r + 3), query + begin, bytes(r + 3), ahead);
    dot[r / 4] = add_lanes_of_four(a.dot, b.dot, c.dot, d.dot);
    if constexpr (kOp == Op::kDotNorm) {
      norm[r / 4] = add_lanes_of_four(a.norm, b.norm, c.norm, d.norm);
    }
  }
  add_signed(add_lanes_of_sixteen(dot), dots);
  if constexpr (kOp == Op::kDotNorm) add_unsigned(add_lanes_of_sixteen(norm), norms);
}

/// All numbers are integers below 2^53: float64 has them exactly.
template <Op kOp, bool kSignedRow, bool kSignedQuery>
NPK_AVX3_DL_INLINE void scan_rows(const IntegerQuery& query, const RowBlock& block, double* first,
                                  double* second) {
  const int64_t shift = kSignedRow != kSignedQuery ? 0 : (kSignedRow ? -128 : 128) * query.sum;
  const int64_t constant = kOp == Op::kL2Sq ? query.norm - 2 * shift : shift;
  const __m512d constants = _mm512_set1_pd(static_cast<double>(constant));
  const size_t group = block.dims <= kSpan<kOp> ? kGroup : 1;
  for (size_t i = 0; i < block.count; i += group) {
    const size_t rows = block.count - i < group ? block.count - i : group;
    Numbers dots = {constants, constants};
    Numbers norms = {_mm512_setzero_pd(), _mm512_setzero_pd()};
    for (size_t begin = 0; begin < block.dims; begin += kSpan<kOp>) {
      const size_t end = block.dims - begin > kSpan<kOp> ? begin + kSpan<kOp> : block.dims;
      add_rows<kOp, kSignedRow, kSignedQuery>(block.rows + i * block.dims, rows, query.bytes, block,
                                              begin, end, dots, norms);
    }
    store(dots, rows, first + i);
    if constexpr (kOp == Op::kDotNorm) store(norms, rows, second + i);
  }
}

template <Op kOp, bool kSignedRow>
NPK_AVX3_DL void scan_bytes(const void* query_data, const RowBlock& block, double* first,
                            double* second) {
  const auto& query = *static_cast<const IntegerQuery*>(query_data);
  if (query.is_signed) {
    scan_rows<kOp, kSignedRow, true>(query, block, first, second);
  } else {
    scan_rows<kOp, kSignedRow, false>(query, block, first, second);
  }
}

template <bool kSignedRow>
constexpr ScanOps ops_of() {
  return {scan_bytes<Op::kDot, kSignedRow>, scan_bytes<Op::kDotNorm, kSignedRow>,
          scan_bytes<Op::kL2Sq, kSignedRow>};
}

constexpr IntegerKernels kTable = {ops_of<true>(), ops_of<false>()};

}  // namespace

const IntegerKernels* vnni_integer_kernels() noexcept { return &kTable; }

}  // namespace npk::simd

#else

namespace npk::simd {

const IntegerKernels* vnni_integer_kernels() noexcept { return nullptr; }

}  // namespace npk::simd

#endif
